//! Images served to other nodes: the chunk that was served least often of those that they lack, from what is whole here
//! and from what is still coming.

use super::fetching::place_of;
use super::running::Arriving;
use super::stream::{SILENCE_MAX, Stream};
use super::{ChunkList, Images, TransferError};
use crate::store::StoreError;
use odeon_convention::spreading::{Ask, Chunks, Reply, Served, bytes_of};
use odeon_convention::types::SourceHash;
use odeon_sourceauth as sourceauth;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Whole images of which the hashes of the chunks are kept in mind.
const WHOLES_MAX: usize = 32;
/// How long a stream is kept on which nothing is asked.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// An image that is whole here. Its bytes stay on the disk.
pub(super) struct Whole {
    list: ChunkList,
    size_bytes: u64,
    served: Mutex<Served>,
}

/// The whole images that were served last.
#[derive(Default)]
pub(super) struct Wholes {
    known: Mutex<VecDeque<(SourceHash, Arc<Whole>)>>,
    /// An image is read and hashed once, however many ask at the same time.
    reading: tokio::sync::Mutex<()>,
}

impl Wholes {
    fn of(&self, hash: SourceHash) -> Option<Arc<Whole>> {
        self.known.lock().iter().find(|(known, _)| *known == hash).map(|(_, whole)| whole.clone())
    }

    /// One that has just come, and was hashed.
    pub(super) fn know(&self, hash: SourceHash, arriving: &Arriving) {
        let served = Mutex::new(arriving.served.lock().clone());
        self.insert(hash, Whole { list: arriving.list.clone(), size_bytes: arriving.size_bytes, served });
    }

    fn insert(&self, hash: SourceHash, whole: Whole) -> Arc<Whole> {
        let whole = Arc::new(whole);
        let mut known = self.known.lock();
        known.retain(|(known, _)| *known != hash);
        known.push_back((hash, whole.clone()));
        if known.len() > WHOLES_MAX {
            known.pop_front();
        }
        whole
    }

    pub(super) fn forget(&self, hash: SourceHash) {
        self.known.lock().retain(|(known, _)| *known != hash);
    }
}

/// Where chunks of one image come from.
enum Source {
    Whole(Arc<Whole>),
    Arriving(Arc<Arriving>),
}

impl Source {
    fn list(&self) -> &ChunkList {
        match self {
            Source::Whole(whole) => &whole.list,
            Source::Arriving(arriving) => &arriving.list,
        }
    }

    fn served(&self) -> &Mutex<Served> {
        match self {
            Source::Whole(whole) => &whole.served,
            Source::Arriving(arriving) => &arriving.served,
        }
    }

    fn here(&self) -> Chunks {
        match self {
            Source::Whole(whole) => Chunks::first(whole.list.hashes().len() as u16),
            Source::Arriving(arriving) => arriving.choosing.lock().here(),
        }
    }
}

impl Images {
    /// Answers a node that fetches images, until it asks no more.
    pub(crate) async fn serve(
        self: Arc<Self>,
        send: quinn::SendStream,
        receive: quinn::RecvStream,
    ) -> Result<(), TransferError> {
        let mut stream = Stream::new(None, send, receive);
        while let Some(ask) = stream.hear_ask(IDLE_MAX).await? {
            match ask {
                Ask::List(hash) => {
                    let reply = match self.source(hash).await {
                        Ok(Some(source)) => Reply::List(source.list().hashes().to_vec()),
                        Ok(None) => Reply::Nothing,
                        Err(refused) => refused,
                    };
                    stream.reply(&reply).await?;
                }
                Ask::Chunk { hash, lacks } => match self.source(hash).await {
                    Ok(Some(source)) => self.serve_chunk(&mut stream, hash, &lacks, source).await?,
                    Ok(None) => stream.reply(&Reply::Nothing).await?,
                    Err(refused) => stream.reply(&refused).await?,
                },
                // What they are about was settled before.
                Ask::Take | Ask::Leave => {}
            }
        }
        Ok(())
    }

    async fn serve_chunk(
        self: &Arc<Self>,
        stream: &mut Stream,
        hash: SourceHash,
        lacks: &Chunks,
        source: Source,
    ) -> Result<(), TransferError> {
        let Ok(_place) = self.uploads.try_acquire() else { return stream.reply(&Reply::Busy).await };
        let here = source.here();
        let offer = source.served().lock().offer(&here, lacks);
        let Some(number) = offer else { return stream.reply(&Reply::Nothing).await };
        stream.reply(&Reply::Offer(number)).await?;
        if stream.hear_ask(SILENCE_MAX).await? != Some(Ask::Take) {
            source.served().lock().declined(number);
            return Ok(());
        }
        let images = self.clone();
        let read = tokio::task::spawn_blocking(move || images.chunk(hash, number, &source));
        let bytes = read.await.map_err(std::io::Error::other)??;
        stream.give(&bytes, &self.rates.upload).await
    }

    /// Reads a chunk from the disk, and hashes it: who gets it does as well, but would not ask here again. Blocks.
    fn chunk(&self, hash: SourceHash, number: u16, source: &Source) -> Result<Vec<u8>, TransferError> {
        self.unless_revoked(hash)?;
        let (at, of) = (place_of(number), sourceauth::SourceHash(hash.0));
        let read = match source {
            Source::Whole(whole) => self.store.read_piece(of, at, bytes_of(number, whole.size_bytes)),
            Source::Arriving(arriving) => arriving.part.read(at, bytes_of(number, arriving.size_bytes)),
        };
        let is_right = read.as_ref().is_ok_and(|bytes| source.list().is_chunk(number, bytes));
        if !is_right {
            // It is looked at as a whole before more of it is served, and moved aside if it is not what it was.
            self.wholes.forget(hash);
            self.read(hash)?;
        }
        match read {
            Ok(bytes) if is_right => Ok(bytes),
            Ok(_) => Err(TransferError::Broken(std::io::Error::other("a chunk changed while it was served"))),
            Err(error) => Err(error.into()),
        }
    }

    /// Where chunks of an image can be had from here; none where it is still to come. The first time a whole image is
    /// read and hashed.
    async fn source(self: &Arc<Self>, hash: SourceHash) -> Result<Option<Source>, Reply> {
        if let Err(revoked) = self.unless_revoked(hash) {
            return Err(Reply::Refused(revoked.to_string()));
        }
        if let Some(whole) = self.wholes.of(hash) {
            return Ok(Some(Source::Whole(whole)));
        }
        if let Some(arriving) = self.running.arriving(hash) {
            return Ok(Some(Source::Arriving(arriving)));
        }
        if self.running.expects(hash) && !self.contains(hash) {
            return Ok(None);
        }
        let _one_at_a_time = self.wholes.reading.lock().await;
        if let Some(whole) = self.wholes.of(hash) {
            return Ok(Some(Source::Whole(whole)));
        }
        let images = self.clone();
        let read = tokio::task::spawn_blocking(move || {
            let image = images.read(hash)?;
            let bytes = image.image().bytes();
            let served = Mutex::new(Served::new(getrandom::u64().unwrap_or(0)));
            Ok(Whole { list: ChunkList::of(bytes), size_bytes: bytes.len() as u64, served })
        });
        let read = read.await.unwrap_or_else(|panic| Err(TransferError::Broken(std::io::Error::other(panic))));
        match read {
            // The leader names it as one that fetches, and it has not heard of that yet, or has let go of the image.
            Err(TransferError::Store(StoreError::Unknown { .. })) if !self.room.keeps_all() => Ok(None),
            Ok(whole) => Ok(Some(Source::Whole(self.wholes.insert(hash, whole)))),
            Err(error) => {
                tracing::warn!(image = %hash, %error, "cannot serve an image");
                Err(Reply::Refused(error.to_string()))
            }
        }
    }
}
