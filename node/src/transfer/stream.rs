//! Words and chunks on a stream of QUIC, each word behind its length in two bytes.

use super::TransferError;
use super::rate::Rate;
use odeon::NodeRef;
use odeon_convention::spreading::{Ask, Reply, WORD_BYTES_MAX, WordError};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long the other side may be silent.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Below everything else on a connection, which has zero.
const BULK_PRIORITY: i32 = -1;
/// A limited rate is kept by pieces of so many bytes.
const PIECE_BYTES: usize = 16 * 1024;

/// A stream with a node on which an image is fetched or served.
pub(super) struct Stream {
    pub(super) with: Option<NodeRef>,
    send: quinn::SendStream,
    receive: quinn::RecvStream,
}

impl Stream {
    pub(super) fn new(with: Option<NodeRef>, send: quinn::SendStream, receive: quinn::RecvStream) -> Self {
        // It fails on a stream that is over, which the next word finds out.
        let _ = send.set_priority(BULK_PRIORITY);
        Self { with, send, receive }
    }

    pub(super) async fn ask(&mut self, ask: &Ask) -> Result<(), TransferError> {
        self.say(&ask.encode()).await
    }

    pub(super) async fn reply(&mut self, reply: &Reply) -> Result<(), TransferError> {
        self.say(&reply.encode()).await
    }

    /// The answer to what was asked. That the stream ends is an error.
    pub(super) async fn hear_reply(&mut self) -> Result<Reply, TransferError> {
        let silent = self.silent();
        let word = tokio::time::timeout(SILENCE_MAX, self.word()).await.map_err(|_| silent)??;
        let bytes = word.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        Reply::decode(&bytes).map_err(malformed)
    }

    /// The next thing that is asked; none when the stream ends, or nothing is asked for so long.
    pub(super) async fn hear_ask(&mut self, at_most: Duration) -> Result<Option<Ask>, TransferError> {
        let Ok(word) = tokio::time::timeout(at_most, self.word()).await else { return Ok(None) };
        word?.map(|bytes| Ask::decode(&bytes).map_err(malformed)).transpose()
    }

    /// Sends the bytes of a chunk, as fast as the rate allows.
    pub(super) async fn give(&mut self, bytes: &[u8], rate: &Rate) -> Result<(), TransferError> {
        for piece in bytes.chunks(PIECE_BYTES) {
            rate.take(piece.len()).await;
            self.write(piece).await?;
        }
        Ok(())
    }

    /// Receives the bytes of a chunk, as fast as the rate allows; says so whenever some have come.
    pub(super) async fn take(
        &mut self,
        length: usize,
        rate: &Rate,
        mut comes: impl FnMut(),
    ) -> Result<Vec<u8>, TransferError> {
        let mut bytes = vec![0; length];
        let mut came = 0;
        while came < length {
            let piece = came..length.min(came + PIECE_BYTES);
            rate.take(piece.len()).await;
            let silent = self.silent();
            let read = tokio::time::timeout(SILENCE_MAX, AsyncReadExt::read(&mut self.receive, &mut bytes[piece]));
            match read.await.map_err(|_| silent)?? {
                0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                n => came += n,
            }
            comes();
        }
        Ok(bytes)
    }

    async fn say(&mut self, word: &[u8]) -> Result<(), TransferError> {
        // No longer than WORD_BYTES_MAX, so its length fits.
        let framed = [&(word.len() as u16).to_be_bytes(), word].concat();
        self.write(&framed).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), TransferError> {
        let silent = self.silent();
        let wrote = tokio::time::timeout(SILENCE_MAX, AsyncWriteExt::write_all(&mut self.send, bytes));
        Ok(wrote.await.map_err(|_| silent)??)
    }

    async fn word(&mut self) -> Result<Option<Vec<u8>>, TransferError> {
        let mut length = [0; 2];
        match self.receive.read_exact(&mut length).await {
            Ok(()) => {}
            Err(quinn::ReadExactError::FinishedEarly(0)) => return Ok(None),
            Err(error) => return Err(broken(error)),
        }
        let length = usize::from(u16::from_be_bytes(length));
        if length > WORD_BYTES_MAX {
            return Err(malformed(WordError { bytes: length }));
        }
        let mut bytes = vec![0; length];
        self.receive.read_exact(&mut bytes).await.map_err(broken)?;
        Ok(Some(bytes))
    }

    fn silent(&self) -> TransferError {
        match self.with {
            Some(node) => TransferError::Silent { node },
            None => io::Error::from(io::ErrorKind::TimedOut).into(),
        }
    }
}

fn malformed(error: WordError) -> TransferError {
    io::Error::new(io::ErrorKind::InvalidData, error).into()
}

fn broken(error: quinn::ReadExactError) -> TransferError {
    io::Error::other(error).into()
}
