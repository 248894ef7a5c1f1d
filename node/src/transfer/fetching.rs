//! One image fetched, chunk by chunk, from several nodes at once. Whom to ask for what is the convention's decision.

use super::running::{Arriving, Entry};
use super::stream::{SILENCE_MAX, Stream};
use super::{ChunkList, Images, TransferError};
use crate::cli::AllowRemoteImages;
use crate::driver::Event;
use crate::link::Links;
use crate::purpose;
use hashbrown::HashMap;
use odeon::NodeRef;
use odeon_convention::limits::{CHUNK_BYTES, FETCH_GIVE_UP_MS};
use odeon_convention::spreading::{Ask, Chunks, Fetch, Reply, Served, Step, bytes_of, chunks_of};
use odeon_convention::types::{ImageInfo, Millis, SourceHash};
use odeon_sourceauth as sourceauth;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Images that are fetched at once; more wait.
pub(super) const FETCHES_MAX: usize = 4;
/// How long to wait before the hashes of the chunks are asked for again.
const LIST_PAUSE: Duration = Duration::from_millis(500);

/// How a fetch reaches others.
#[derive(Clone)]
pub(crate) struct Way {
    links: Links,
    /// To the driver, which has the leader asked.
    events: Option<Sender<Event>>,
}

impl Way {
    /// To whoever the leader names.
    pub(crate) fn led(links: &Links, events: &Sender<Event>) -> Self {
        Self { links: links.clone(), events: Some(events.clone()) }
    }

    /// To those that there is a link to, and no others.
    pub(crate) fn through(links: &Links) -> Self {
        Self { links: links.clone(), events: None }
    }

    pub(super) fn links(&self) -> &Links {
        &self.links
    }

    /// Has the leader asked for others. Where that is not taken, it is asked again.
    fn seek(&self, hash: SourceHash) {
        self.tell(Event::Seek(hash));
    }

    fn tell(&self, event: Event) {
        if let Some(events) = &self.events {
            drop(events.try_send(event));
        }
    }

    async fn open(&self, node: NodeRef) -> Result<Stream, TransferError> {
        if self.links.connected(node.id) != Some(node) {
            // The leader knows where it can be dialled.
            self.tell(Event::Locate(node.id));
        }
        let silent = |_| TransferError::Silent { node };
        let opened = tokio::time::timeout(SILENCE_MAX, self.links.open(node, purpose::IMAGE)).await;
        let (send, receive) = opened.map_err(silent)??;
        Ok(Stream::new(Some(node), send, receive))
    }
}

/// What became of one question.
enum Came {
    Chunk(u16),
    Declined,
    Nothing,
    Rot(TransferError),
    Refused(TransferError),
}

struct Clock(Instant);

impl Clock {
    fn now(&self) -> Millis {
        self.0.elapsed().as_millis() as Millis
    }

    fn at(&self, millis: Millis) -> Instant {
        self.0 + Duration::from_millis(millis)
    }
}

impl Images {
    /// The leader names others that an image can be had from.
    pub(crate) fn can_be_had_from(&self, hash: SourceHash, sources: &[NodeRef]) {
        if let Some(entry) = self.running.entry(hash) {
            entry.know(&self.others(sources));
        }
    }

    /// The images that are being fetched: how many bytes have come, and of how many.
    pub(crate) fn fetching(&self) -> Vec<(SourceHash, u64, u64)> {
        self.running.progress()
    }

    /// Without this node, and only the leader where only that is asked.
    pub(super) fn others(&self, sources: &[NodeRef]) -> Vec<NodeRef> {
        let others = sources.iter().copied().filter(|source| *source != self.hosting.me());
        match self.allow {
            AllowRemoteImages::LeaderOnly => others.last().into_iter().collect(),
            AllowRemoteImages::Yes | AllowRemoteImages::No => others.collect(),
        }
    }

    /// Fetches an image into the store. What has come stays for another time if it does not succeed.
    pub(super) async fn fetch(
        self: &Arc<Self>,
        way: &Way,
        image: &ImageInfo,
        sources: &[NodeRef],
    ) -> Result<(), TransferError> {
        let (hash, bytes) = (image.hash, image.size_bytes);
        chunks_of(bytes).ok_or(TransferError::Unchunkable { hash, bytes })?;
        let _place = self.fetches.acquire().await.map_err(std::io::Error::other)?;
        let entry = self.running.entry(hash).ok_or(TransferError::NoSource(hash))?;
        entry.know(sources);
        tracing::info!(image = %hash, bytes, sources = sources.len(), "an image is being fetched");
        let fetched = self.fetch_with(way, image, &entry).await;
        let nothing_came = match &fetched {
            Ok(()) => false,
            Err(TransferError::Revoked(_) | TransferError::Unloaded(_)) => true,
            Err(_) => entry.arriving().is_none_or(|arriving| arriving.choosing.lock().here().is_empty()),
        };
        if nothing_came {
            self.store.remove_part(sourceauth::SourceHash(hash.0))?;
        }
        fetched
    }

    async fn fetch_with(self: &Arc<Self>, way: &Way, image: &ImageInfo, entry: &Entry) -> Result<(), TransferError> {
        let (hash, size_bytes) = (image.hash, image.size_bytes);
        let part = self.store.part(sourceauth::SourceHash(hash.0), size_bytes)?;
        let kept = part.tail()?.as_chunks::<32>().0.to_vec();
        let list = match ChunkList::checked(kept, size_bytes, image.chunks) {
            Some(list) if image.chunks.is_some() => list,
            _ => {
                let list = self.list(way, image, entry).await?;
                part.set_tail(list.bytes())?;
                list
            }
        };
        let (seed, clock) = (getrandom::u64().unwrap_or(0), Arc::new(Clock(Instant::now())));
        let count = list.hashes().len() as u16;
        let fetch = move |here, now| Fetch::new(count, here, now, seed);
        let (choosing, served) = (Mutex::new(fetch(Chunks::default(), 0)), Mutex::new(Served::new(seed)));
        let arriving = Arc::new(Arriving { choosing, list, part, size_bytes, served, given: Mutex::default() });
        let kept = arriving.clone();
        let here = tokio::task::spawn_blocking(move || kept.here()).await.map_err(std::io::Error::other)?;
        if !here.is_empty() {
            tracing::info!(image = %hash, chunks = here.len(), "a fetch goes on with what had come");
        }
        *arriving.choosing.lock() = fetch(here, clock.now());
        entry.begin(&arriving);
        self.gather(way, hash, entry, &arriving, clock.clone()).await?;
        let images = self.clone();
        let (ms, given) = (clock.now(), arriving.given.lock().to_string());
        let finished = tokio::task::spawn_blocking(move || {
            arriving.part.check()?;
            images.keep(hash, || arriving.part.finish())?;
            images.wholes.know(hash, &arriving);
            Ok::<(), TransferError>(())
        });
        finished.await.map_err(std::io::Error::other)??;
        tracing::info!(image = %hash, bytes = size_bytes, ms, chunks_from = given, "an image was fetched");
        Ok(())
    }

    /// Asks for the hashes of the chunks, whoever has them.
    async fn list(&self, way: &Way, image: &ImageInfo, entry: &Entry) -> Result<ChunkList, TransferError> {
        let until = Instant::now() + Duration::from_millis(FETCH_GIVE_UP_MS);
        loop {
            let mut last = TransferError::NoSource(image.hash);
            let mut may_pass = false;
            let mut sources = entry.sources();
            if image.chunks.is_none() {
                // Nothing says which are right: those of the leader are.
                sources = sources.split_off(sources.len().saturating_sub(1));
            }
            for source in sources {
                self.unless_stopped(image.hash, entry)?;
                let error = match self.list_of(way, image, source).await {
                    Ok(Some(list)) => return Ok(list),
                    Ok(None) => {
                        may_pass = true;
                        continue;
                    }
                    Err(error) => error,
                };
                tracing::warn!(image = %image.hash, %source, %error, "a source failed");
                may_pass |= !matches!(error, TransferError::Refused { .. } | TransferError::List { .. });
                last = error;
            }
            if !may_pass || Instant::now() + LIST_PAUSE > until {
                return Err(last);
            }
            way.seek(image.hash);
            let _ = tokio::time::timeout(LIST_PAUSE, entry.changed()).await;
        }
    }

    /// None where the node does not have it yet.
    async fn list_of(&self, way: &Way, image: &ImageInfo, node: NodeRef) -> Result<Option<ChunkList>, TransferError> {
        let hash = image.hash;
        let mut stream = way.open(node).await?;
        stream.ask(&Ask::List(hash)).await?;
        match stream.hear_reply().await? {
            Reply::List(hashes) => ChunkList::checked(hashes, image.size_bytes, image.chunks)
                .map(Some)
                .ok_or(TransferError::List { node, hash }),
            Reply::Nothing | Reply::Busy => Ok(None),
            Reply::Refused(reason) => Err(TransferError::Refused { node, hash, reason }),
            Reply::Offer(_) => Err(TransferError::Nonsense { node, hash }),
        }
    }

    /// Asks whomever there is to ask until all chunks are here.
    async fn gather(
        self: &Arc<Self>,
        way: &Way,
        hash: SourceHash,
        entry: &Entry,
        arriving: &Arc<Arriving>,
        clock: Arc<Clock>,
    ) -> Result<(), TransferError> {
        let mut streams: HashMap<NodeRef, Stream> = HashMap::new();
        let mut questions = JoinSet::new();
        let mut last = None;
        loop {
            self.unless_stopped(hash, entry)?;
            let step = arriving.choosing.lock().next(clock.now());
            let until = match step {
                Step::Done => return Ok(()),
                Step::GiveUp => {
                    let (here, count) = (arriving.choosing.lock().here().len(), arriving.list.hashes().len() as u16);
                    return Err(last.unwrap_or(TransferError::Incomplete { hash, here, count }));
                }
                Step::Seek => {
                    way.seek(hash);
                    continue;
                }
                Step::Ask(node, lacks) => {
                    let (images, way, stream) = (self.clone(), way.clone(), streams.remove(&node));
                    let (arriving, clock) = (arriving.clone(), clock.clone());
                    questions.spawn(async move {
                        let asked = images.question(&way, hash, node, (stream, lacks), &arriving, &clock);
                        (node, asked.await)
                    });
                    continue;
                }
                Step::Wait(until) => clock.at(until),
            };
            let (node, came) = tokio::select! {
                Some(joined) = questions.join_next() => joined.map_err(std::io::Error::other)?,
                () = tokio::time::sleep_until(until) => continue,
                () = entry.changed() => continue,
            };
            let mut choosing = arriving.choosing.lock();
            let came = came.map(|(came, stream)| {
                streams.insert(node, stream);
                came
            });
            match came {
                Ok(Came::Chunk(number)) => {
                    choosing.arrived(node, number, clock.now());
                    arriving.given.lock().note(node);
                }
                Ok(Came::Declined) => {}
                Ok(Came::Nothing) => choosing.rests(node, clock.now()),
                Ok(Came::Rot(error) | Came::Refused(error)) => {
                    tracing::warn!(image = %hash, source = %node, %error, "a source is not asked any more");
                    choosing.is_out(node);
                    streams.remove(&node);
                    last = Some(error);
                }
                // The disk of this node, or what the whole is.
                Err(error @ (TransferError::Store(_) | TransferError::Revoked(_))) => return Err(error),
                Err(error) => {
                    tracing::warn!(image = %hash, source = %node, %error, "a source failed");
                    choosing.broke(node, clock.now());
                    last = Some(error);
                }
            }
        }
    }

    /// Asks one node for one chunk, and keeps it if it is what it should be.
    async fn question(
        self: &Arc<Self>,
        way: &Way,
        hash: SourceHash,
        node: NodeRef,
        (stream, lacks): (Option<Stream>, Chunks),
        arriving: &Arc<Arriving>,
        clock: &Clock,
    ) -> Result<(Came, Stream), TransferError> {
        let mut stream = match stream {
            Some(stream) => stream,
            None => way.open(node).await?,
        };
        stream.ask(&Ask::Chunk { hash, lacks }).await?;
        let number = match stream.hear_reply().await? {
            Reply::Offer(number) => number,
            Reply::Nothing | Reply::Busy => return Ok((Came::Nothing, stream)),
            Reply::Refused(reason) => {
                return Ok((Came::Refused(TransferError::Refused { node, hash, reason }), stream));
            }
            Reply::List(_) => return Err(TransferError::Nonsense { node, hash }),
        };
        if !lacks.contains(number) {
            // Whoever offers what it was not asked for would be asked for ever.
            return Err(TransferError::Nonsense { node, hash });
        }
        if !arriving.choosing.lock().offered(node, number) {
            stream.ask(&Ask::Leave).await?;
            return Ok((Came::Declined, stream));
        }
        stream.ask(&Ask::Take).await?;
        let length = bytes_of(number, arriving.size_bytes);
        let comes = || arriving.choosing.lock().comes(clock.now());
        let bytes = stream.take(length, &self.rates.download, comes).await?;
        let (images, keeps) = (self.clone(), arriving.clone());
        let kept = tokio::task::spawn_blocking(move || images.keep_chunk(hash, &keeps, number, &bytes));
        let is_right = kept.await.map_err(std::io::Error::other)??;
        let rot = TransferError::Rot { node, hash, number };
        Ok((if is_right { Came::Chunk(number) } else { Came::Rot(rot) }, stream))
    }

    /// Gives whether the bytes are those of the chunk.
    fn keep_chunk(
        &self,
        hash: SourceHash,
        arriving: &Arriving,
        number: u16,
        bytes: &[u8],
    ) -> Result<bool, TransferError> {
        self.unless_revoked(hash)?;
        let is_right = arriving.list.is_chunk(number, bytes);
        if is_right {
            arriving.part.write(place_of(number), bytes)?;
        }
        Ok(is_right)
    }

    fn unless_stopped(&self, hash: SourceHash, entry: &Entry) -> Result<(), TransferError> {
        self.unless_revoked(hash)?;
        if entry.is_stopped() { Err(TransferError::Unloaded(hash)) } else { Ok(()) }
    }
}

impl Arriving {
    /// The chunks that are here: whatever is on the disk is hashed. Blocks.
    fn here(&self) -> Chunks {
        let mut here = Chunks::default();
        for number in 0..self.list.hashes().len() as u16 {
            let bytes = self.part.read(place_of(number), bytes_of(number, self.size_bytes));
            if bytes.is_ok_and(|bytes| self.list.is_chunk(number, &bytes)) {
                here.insert(number);
            }
        }
        here
    }
}

/// Where a chunk begins.
pub(super) fn place_of(number: u16) -> u64 {
    u64::from(number) * CHUNK_BYTES as u64
}
