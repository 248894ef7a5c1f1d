//! A stream that gives up when nothing moves: however much is sent over however slow a line, progress is what counts.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// One direction of a stream with a bound on each of its steps.
pub(super) struct Patient<S> {
    stream: S,
    wait: Duration,
    over: Pin<Box<Sleep>>,
}

impl<S> Patient<S> {
    /// Waits no longer than `wait` for each step, from now on. Call it within a tokio runtime.
    pub(super) fn new(stream: S, wait: Duration) -> Self {
        Self { stream, wait, over: Box::pin(tokio::time::sleep(wait)) }
    }

    /// What a step came to: its end starts the wait anew, and one that is late fails.
    fn step<T>(&mut self, polled: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            let next = Instant::now() + self.wait;
            self.over.as_mut().reset(next);
            return polled;
        }
        ready!(self.over.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_read(context, to);
        this.step(polled, context)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.step(polled, context)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_flush(context);
        this.step(polled, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_shutdown(context);
        this.step(polled, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    const WAIT: Duration = Duration::from_millis(300);

    #[tokio::test]
    async fn a_stream_that_moves_may_take_as_long_as_it_takes() {
        let (mut slow, reader) = duplex(1);
        let mut reader = Patient::new(reader, WAIT);
        let sender = tokio::spawn(async move {
            for n in 0..6 {
                tokio::time::sleep(WAIT / 3).await;
                slow.write_all(&[n]).await.unwrap();
            }
        });
        let mut read = Vec::new();
        reader.read_to_end(&mut read).await.expect("twice the wait in all, never as long without a byte");
        assert_eq!(read, [0, 1, 2, 3, 4, 5]);
        sender.await.unwrap();
    }

    #[tokio::test]
    async fn a_stream_that_stands_still_fails_in_both_directions() {
        let (_other_end, stream) = duplex(1);
        let mut stream = Patient::new(stream, WAIT);
        assert_eq!(stream.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(stream.write_all(&[1, 2]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
