//! The same exchange over any stream of bytes: what a program would write that has nothing but a connection.

use crate::exchange::{LARGE_ROUNDS, LETTER_BYTES, WARM_UP, letter, number};
use crate::spread::quantile;
use anyhow::{Context, Result, ensure};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Letters in one write.
const BATCH: u64 = 64;
/// Bytes that a sink reads at once.
const READ_BYTES: usize = 64 * 1024;
const ECHO: u8 = 0;
const SINK: u8 = 1;
const LARGE: u8 = 2;

/// A connection, whatever it is made of.
pub(super) struct Stream<R, W> {
    pub(super) read: R,
    pub(super) write: W,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Stream<R, W> {
    /// Nanoseconds of so many round trips.
    pub(super) async fn round_trips(mut self, rounds: u64) -> Result<Vec<u64>> {
        self.write.write_all(&[ECHO]).await?;
        let mut took = Vec::with_capacity(rounds as usize);
        let warm_up = rounds / WARM_UP;
        let mut back = [0; LETTER_BYTES];
        for round in 0..warm_up + rounds {
            let sent = Instant::now();
            self.write.write_all(&letter(round)).await?;
            self.read.read_exact(&mut back).await?;
            if round >= warm_up {
                took.push(sent.elapsed().as_nanos() as u64);
            }
            ensure!(number(&back) == Some(round), "letter {round} came back as {:?}", number(&back));
        }
        Ok(took)
    }

    /// Letters in a second, 64 a write.
    pub(super) async fn one_way(mut self, letters: u64) -> Result<f64> {
        self.write.write_all(&[SINK]).await?;
        self.write.write_all(&letters.to_be_bytes()).await?;
        let started = Instant::now();
        let mut batch = Vec::with_capacity(BATCH as usize * LETTER_BYTES);
        for first in (0..letters).step_by(BATCH as usize) {
            batch.clear();
            (first..letters.min(first + BATCH)).for_each(|number| batch.extend_from_slice(&letter(number)));
            self.write.write_all(&batch).await?;
        }
        let arrived = self.read.read_u64().await.context("the sink does not answer")?;
        ensure!(arrived == letters, "{arrived} of {letters} letters arrived in order");
        Ok(letters as f64 / started.elapsed().as_secs_f64())
    }

    /// The median of nanoseconds that so many bytes take there and back; the other side sends them when it has them all.
    pub(super) async fn large(mut self, bytes: u64) -> Result<f64> {
        self.write.write_all(&[LARGE]).await?;
        self.write.write_all(&bytes.to_be_bytes()).await?;
        let message = vec![0x5a; bytes as usize];
        let mut back = vec![0; bytes as usize];
        let mut took = Vec::new();
        for round in 0..=LARGE_ROUNDS {
            let sent = Instant::now();
            self.write.write_all(&message).await?;
            self.read.read_exact(&mut back).await?;
            if round > 0 {
                took.push(sent.elapsed().as_nanos() as u64);
            }
            ensure!(back == message, "something else came back");
            back.fill(0);
        }
        Ok(quantile(&mut took, 0.5))
    }

    /// The other side of all, until the connection ends.
    pub(super) async fn serve(mut self) -> Result<()> {
        match self.read.read_u8().await? {
            ECHO => self.echo().await,
            LARGE => self.send_back().await,
            _ => self.sink().await,
        }
    }

    async fn echo(&mut self) -> Result<()> {
        let mut letter = [0; LETTER_BYTES];
        loop {
            self.read.read_exact(&mut letter).await?;
            self.write.write_all(&letter).await?;
        }
    }

    async fn send_back(&mut self) -> Result<()> {
        let mut message = vec![0; self.read.read_u64().await? as usize];
        loop {
            self.read.read_exact(&mut message).await?;
            self.write.write_all(&message).await?;
        }
    }

    async fn sink(&mut self) -> Result<()> {
        let expected = self.read.read_u64().await?;
        let mut buffer = vec![0; READ_BYTES];
        let (mut held, mut arrived, mut in_order) = (0, 0, 0);
        while arrived < expected {
            let read = self.read.read(&mut buffer[held..]).await?;
            ensure!(read > 0, "the connection ended after {arrived} of {expected} letters");
            held += read;
            let whole = held - held % LETTER_BYTES;
            for letter in buffer[..whole].chunks_exact(LETTER_BYTES) {
                in_order += u64::from(number(letter) == Some(arrived));
                arrived += 1;
            }
            buffer.copy_within(whole..held, 0);
            held -= whole;
        }
        self.write.write_u64(in_order).await?;
        self.write.flush().await?;
        // The other side closes once it has the answer.
        let _ = self.read.read(&mut buffer).await;
        Ok(())
    }
}
