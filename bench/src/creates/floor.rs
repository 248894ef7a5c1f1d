//! What the messages of a creation cost without one: as many of them, about as long, between as many processes over bare
//! QUIC streams, each process with one thread.
//!
//! The asker's message goes to the leader, which hands it to one of two hosts in turn; it comes back the same way. Where
//! an actor asks, it then goes to the host and back once more, without the leader.

use super::{WARM_UP, figures_of};
use crate::apart;
use crate::network::quic;
use crate::network::{Server, runtime};
use anyhow::{Context, Result, bail, ensure};
use quinn::{RecvStream, SendStream};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

/// Bytes of a message: about as many as the longest words of a creation have.
const MESSAGE_BYTES: usize = 192;
/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;

/// The processes that the asker talks to.
pub struct Floor {
    leader: Server,
    hosts: [Server; 2],
    folder: String,
}

impl Floor {
    /// Starts them. `folder` has the certificate of all.
    pub fn start(folder: &Path) -> Result<Self> {
        let folder = folder.display().to_string();
        let this = apart::this_program()?;
        let host = || Server::start(&this, &["host".to_owned(), folder.clone()]);
        let hosts = [host()?, host()?];
        let [first, second] = [0, 1].map(|number: usize| hosts[number].address.clone());
        let leader = Server::start(&this, &["leader".to_owned(), folder.clone(), first, second])?;
        Ok(Self { leader, hosts, folder })
    }

    /// The words of a sample.
    pub fn words(&self, hops: u64, size: u64, at_once: u64) -> Vec<String> {
        let [first, second] = &self.hosts;
        let numbers = [hops, size, at_once].map(|number| number.to_string());
        let places = [&self.folder, &self.leader.address, &first.address, &second.address];
        numbers.into_iter().chain(places.into_iter().cloned()).collect()
    }
}

/// Serves what [`Floor::start`] starts.
pub fn serve(words: &[&str]) -> Result<()> {
    apart::end_with_parent();
    match words {
        ["host", folder] => runtime()?.block_on(host(Path::new(folder))),
        ["leader", folder, first, second] => {
            runtime()?.block_on(leader(Path::new(folder), [first.parse()?, second.parse()?]))
        }
        _ => bail!("found {words:?}, expected a host or a leader"),
    }
}

/// A stream that whole messages are read from.
struct Messages {
    stream: RecvStream,
    buffer: Vec<u8>,
    held: usize,
}

impl Messages {
    fn of(stream: RecvStream) -> Self {
        Self { stream, buffer: vec![0; READ_BYTES], held: 0 }
    }

    /// Waits for more. What was whole before has to be taken before.
    async fn read(&mut self) -> Result<()> {
        let read = self.stream.read(&mut self.buffer[self.held..]).await?.context("the stream ended")?;
        self.held += read;
        Ok(())
    }

    /// Hands over every whole message.
    fn take(&mut self, mut each: impl FnMut(&[u8])) {
        let whole = self.held - self.held % MESSAGE_BYTES;
        self.buffer[..whole].chunks_exact(MESSAGE_BYTES).for_each(&mut each);
        self.buffer.copy_within(whole..self.held, 0);
        self.held -= whole;
    }
}

fn number(message: &[u8]) -> u64 {
    message.first_chunk().map_or(u64::MAX, |first| u64::from_be_bytes(*first))
}

/// Whose turn it is to host.
fn host_of(number: u64) -> usize {
    (number % 2) as usize
}

async fn write(stream: &mut SendStream, batch: &mut Vec<u8>) -> Result<()> {
    if !batch.is_empty() {
        stream.write_all(batch).await?;
        batch.clear();
    }
    Ok(())
}

async fn host(folder: &Path) -> Result<()> {
    let endpoint = quic::listen(folder)?;
    println!("{}", endpoint.local_addr()?);
    while let Some(incoming) = endpoint.accept().await {
        // It ends with its connection; whoever asks notices what is missing.
        tokio::spawn(async move {
            let (mut send, receive) = incoming.await?.accept_bi().await?;
            let (mut messages, mut batch) = (Messages::of(receive), Vec::new());
            loop {
                messages.read().await?;
                messages.take(|message| batch.extend_from_slice(message));
                write(&mut send, &mut batch).await?;
            }
            #[allow(unreachable_code)]
            Ok::<(), anyhow::Error>(())
        });
    }
    Ok(())
}

async fn leader(folder: &Path, hosts: [SocketAddr; 2]) -> Result<()> {
    let endpoint = quic::listen(folder)?;
    println!("{}", endpoint.local_addr()?);
    while let Some(incoming) = endpoint.accept().await {
        let folder = folder.to_owned();
        tokio::spawn(async move {
            let (send, receive) = incoming.await?.accept_bi().await?;
            hand_on((send, receive), hosts, &folder).await
        });
    }
    Ok(())
}

/// Between one asker and the hosts.
async fn hand_on(asker: (SendStream, RecvStream), hosts: [SocketAddr; 2], folder: &Path) -> Result<()> {
    let [(mut to_first, first), (mut to_second, second)] =
        [quic::dial(hosts[0], folder).await?, quic::dial(hosts[1], folder).await?];
    let (mut to_asker, from_asker) = asker;
    let (mut from_asker, mut first, mut second) = (Messages::of(from_asker), Messages::of(first), Messages::of(second));
    let (mut asked, mut back) = ([Vec::new(), Vec::new()], Vec::new());
    loop {
        tokio::select! {
            read = from_asker.read() => read?,
            read = first.read() => read?,
            read = second.read() => read?,
        }
        from_asker.take(|message| asked[host_of(number(message))].extend_from_slice(message));
        first.take(|message| back.extend_from_slice(message));
        second.take(|message| back.extend_from_slice(message));
        let [for_first, for_second] = &mut asked;
        write(&mut to_first, for_first).await?;
        write(&mut to_second, for_second).await?;
        write(&mut to_asker, &mut back).await?;
    }
}

/// A sample, by the words that [`Floor::words`] gave.
pub fn sample(words: &[&str]) -> Result<Vec<f64>> {
    let [hops, size, at_once, folder, leader, first, second] = words else {
        bail!("found {words:?}, expected the words of a sample")
    };
    let number = |word: &str| word.parse::<u64>().with_context(|| format!("{word:?} is no number"));
    let (hops, size, at_once) = (number(hops)?, number(size)?, number(at_once)?);
    let (folder, places) = (Path::new(folder), [leader.parse()?, first.parse()?, second.parse()?]);
    runtime()?.block_on(async {
        let mut asker = Asker::connect(places, folder, hops).await?;
        asker.ask((size / WARM_UP).max(1), at_once).await?;
        asker.ask(size, at_once).await.map(Vec::from)
    })
}

struct Asker {
    /// To the leader and both hosts.
    to: [SendStream; 3],
    from: [Messages; 3],
    straight: bool,
}

impl Asker {
    async fn connect(places: [SocketAddr; 3], folder: &Path, hops: u64) -> Result<Self> {
        let [leader, first, second] = places;
        let (to_leader, from_leader) = quic::dial(leader, folder).await?;
        let (to_first, from_first) = quic::dial(first, folder).await?;
        let (to_second, from_second) = quic::dial(second, folder).await?;
        let from = [from_leader, from_first, from_second].map(Messages::of);
        Ok(Self { to: [to_leader, to_first, to_second], from, straight: hops == 6 })
    }

    /// Asks so often, so many at once.
    async fn ask(&mut self, size: u64, at_once: u64) -> Result<[f64; 3]> {
        let started = Instant::now();
        let mut asked: Vec<Instant> = Vec::with_capacity(size as usize);
        let mut took = Vec::with_capacity(size as usize);
        let mut batches = [const { Vec::new() }; 3];
        for _ in 0..at_once.min(size) {
            one_more(&mut asked, &mut batches[0]);
        }
        while (took.len() as u64) < size {
            for (stream, batch) in self.to.iter_mut().zip(&mut batches) {
                write(stream, batch).await?;
            }
            let [leader, first, second] = &mut self.from;
            tokio::select! {
                read = leader.read() => read?,
                read = first.read() => read?,
                read = second.read() => read?,
            }
            let mut done = Vec::new();
            leader.take(|message| match self.straight {
                true => batches[1 + host_of(number(message))].extend_from_slice(message),
                false => done.push(number(message)),
            });
            first.take(|message| done.push(number(message)));
            second.take(|message| done.push(number(message)));
            for number in done {
                let at = asked.get(number as usize).context("an answer that was not asked for")?;
                took.push(at.elapsed().as_nanos() as u64);
                if (asked.len() as u64) < size {
                    one_more(&mut asked, &mut batches[0]);
                }
            }
        }
        ensure!(took.len() as u64 == size, "{} answers to {size} questions", took.len());
        Ok(figures_of(started.elapsed().as_secs_f64(), took))
    }
}

fn one_more(asked: &mut Vec<Instant>, batch: &mut Vec<u8>) {
    let mut message = [0x5a; MESSAGE_BYTES];
    message[..8].copy_from_slice(&(asked.len() as u64).to_be_bytes());
    batch.extend_from_slice(&message);
    asked.push(Instant::now());
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon::{Address, Incarnation, NodeId, NodeRef, Requirements};
    use odeon_convention::types::{CreateOutcome, CreateSpec, Placement, RequestId};
    use odeon_convention::wire::{self, PlaceOutcome, ToLeader, ToMember, Word};

    #[test]
    fn messages_are_about_as_long_as_the_longest_words_of_a_creation() {
        let node = NodeRef {
            id: NodeId(*b"\x80\x11\xc2\x73\x04\xf5\x66\xa7\x18\xd9\x3a\x8b\xec\x2d\xfe\x5f"),
            incarnation: Incarnation(1),
        };
        let address = Address::mint_promised(node, 5_000, 0x91e2_73b4_05d6_f718);
        let request = RequestId { node, number: 5_000 };
        let spec = Box::new(CreateSpec {
            actor: "Hosted".to_owned(),
            image: None,
            requirements: Requirements::none().require(super::super::HOSTS),
            global_name: None,
            placement: Placement::Local,
            on: None,
            parent: Some(address),
            promised: Some(address),
            distinct: None,
        });
        let outcome = Box::new(CreateOutcome::Created { address, node, existing: false });
        let words = [
            Word::ToLeader(ToLeader::Create { request, again: false, spec: spec.clone() }),
            Word::ToMember(ToMember::Place { request, spec, image: None, sources: Vec::new() }),
            Word::ToLeader(ToLeader::Placed { request, outcome: PlaceOutcome::Placed { address } }),
            Word::ToMember(ToMember::Created { request, outcome }),
        ];
        let lengths = words.map(|word| wire::encode(&word).unwrap().len());
        let longest = lengths.into_iter().max().unwrap();
        assert!(longest.abs_diff(MESSAGE_BYTES) <= MESSAGE_BYTES / 8, "{lengths:?}");
    }
}
