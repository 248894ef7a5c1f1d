//! One request on one stream: read it, hand it to the backend, carry its replies until the last one or until the
//! client is gone. It knows nothing of what a request means.

use super::frame::{FrameError, read_frame, write_frame};
use super::limits::REQUEST_WAIT_MS_MAX;
use super::patience::Patient;
use super::protocol::{Failed, Reply, Request};
use super::replies::Replies;
use odeon::NodeRef;
use odeon_convention::codes;
use odeon_convention::types::Role;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// A boxed future, so that a backend can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who asks. Whoever accepts the stream has proved it; a backend decides what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The owner of the data folder, or root, over the socket in it.
    Owner,
    /// An operator's link.
    Operator,
    /// Another node of the convention.
    Peer(NodeRef, Role),
}

/// Does what is asked.
pub trait Backend: Send + Sync + 'static {
    /// Handles one request and sends its replies; the last is neither an item nor progress.
    ///
    /// The future runs to its end even when the client goes away, so that nothing is left half done; one that follows
    /// something ends itself when [`Replies::client_gone`] does.
    fn handle(&self, caller: Caller, request: Request, replies: Replies) -> BoxFuture<'static, ()>;
}

/// Serves the one request of a stream and closes it.
///
/// An error means that the client sent no request that could be understood (it was told so where that was possible)
/// or went away before the answer's end. The backend's state is its own affair in either case.
pub async fn serve_stream<R, W>(
    mut reader: R,
    mut writer: W,
    caller: Caller,
    backend: Arc<dyn Backend>,
) -> Result<(), FrameError>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send,
{
    let request = match read_request(&mut reader).await {
        Ok(Some(request)) => request,
        // Somebody looked whether anybody answers.
        Ok(None) => return Ok(()),
        Err(error) => {
            refuse(&mut writer, codes::BAD_REQUEST, error.to_string()).await;
            return Err(error);
        }
    };
    let (replies, queue) = Replies::channel();
    // A task of its own: neither a client that goes away nor a panic in there ends anything else.
    tokio::spawn(backend.handle(caller, request, replies));
    tokio::select! {
        carried = carry(queue, &mut writer) => carried?,
        () = gone(&mut reader) => return Err(FrameError::Broken(std::io::ErrorKind::ConnectionAborted.into())),
    }
    Ok(writer.shutdown().await?)
}

/// Tells a client that it is not served. Best effort: it may be gone.
pub(super) async fn refuse(writer: &mut (impl AsyncWrite + Unpin), code: u16, message: String) {
    let reply = Reply::Failed(Failed::new(code, message));
    if let Err(error) = write_frame(writer, &reply).await {
        tracing::debug!(%error, "a refused client did not hear why");
    }
}

async fn read_request(reader: &mut (impl AsyncRead + Unpin)) -> Result<Option<Request>, FrameError> {
    read_frame(&mut Patient::new(reader, Duration::from_millis(REQUEST_WAIT_MS_MAX))).await
}

/// Carries replies until the last one. A backend that ends without one has failed, and the client is told.
async fn carry(mut queue: mpsc::Receiver<Reply>, writer: &mut (impl AsyncWrite + Unpin)) -> Result<(), FrameError> {
    while let Some(reply) = queue.recv().await {
        match write_frame(writer, &reply).await {
            // The reply is too large or cannot be encoded, and nothing of it was written.
            Err(error @ (FrameError::TooLarge { .. } | FrameError::Unencodable { .. })) => {
                return write_frame(writer, &Reply::Failed(Failed::new(codes::INTERNAL, error.to_string()))).await;
            }
            written => written?,
        }
        if reply.is_last() {
            return Ok(());
        }
    }
    let failed = Failed::new(codes::INTERNAL, "the node gave this command up without an answer; its log says why");
    write_frame(writer, &Reply::Failed(failed)).await
}

/// Returns when the client closes its end. It has nothing to say after its request, so anything else it sends ends
/// the command as well.
async fn gone(reader: &mut (impl AsyncRead + Unpin)) {
    // Whichever way the read ends, the client is done.
    let _ = reader.read(&mut [0; 1]).await;
}
