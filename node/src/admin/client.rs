//! The command's end: finds the node, sends it one request and yields its replies.

use super::frame::{FrameError, read_frame, write_frame};
use super::limits::ANSWER_WAIT_MS_MAX;
use super::protocol::{Failed, Reply, Request};
use super::socket::SOCKET_NAME;
use odeon_convention::codes;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

/// A stream to a node that takes a request. It is dialled once per command.
struct Dialled {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
}

/// The way to the node that a command talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// The node whose data folder this is, over the socket in it.
    Socket {
        /// The data folder.
        data: PathBuf,
    },
}

impl Route {
    /// Sends `request` and gives its answer, or says why no node takes it.
    pub async fn ask(&self, request: &Request) -> Result<Answers, Failed> {
        let Dialled { reader, mut writer } = match self {
            Route::Socket { data } => dial_socket(&data.join(SOCKET_NAME)).await?,
        };
        let place = self.to_string();
        match write_frame(&mut writer, request).await {
            Err(error @ (FrameError::TooLarge { .. } | FrameError::Unencodable { .. })) => {
                return Err(Failed::new(codes::BAD_REQUEST, error.to_string()));
            }
            // The node may have closed its end because it refuses: then its answer says more than the broken pipe.
            Err(error) => tracing::debug!(%error, "the request was not taken whole"),
            Ok(()) => {}
        }
        let wait = Some(Duration::from_millis(ANSWER_WAIT_MS_MAX));
        Ok(Answers { reader, _writer: writer, place, wait, over: false })
    }
}

impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Route::Socket { data } => write!(f, "{}", data.join(SOCKET_NAME).display()),
        }
    }
}

/// The answer to one request, reply by reply. Dropping it tells the node that nobody reads on.
pub struct Answers {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    /// Closing it would tell the node that the client is gone.
    _writer: Box<dyn AsyncWrite + Send + Unpin>,
    place: String,
    wait: Option<Duration>,
    over: bool,
}

impl Answers {
    /// Sets how long the next reply may take; none waits for ever, for an answer that follows something.
    pub fn waiting(mut self, wait: Option<Duration>) -> Self {
        self.wait = wait;
        self
    }

    /// The next reply; none after the last one. A [`Reply::Failed`] is the error.
    pub async fn next(&mut self) -> Result<Option<Reply>, Failed> {
        if self.over {
            return Ok(None);
        }
        let reply = self.read().await.inspect_err(|_| self.over = true)?;
        self.over = reply.is_last();
        match reply {
            Reply::Failed(failed) => Err(failed),
            reply => Ok(Some(reply)),
        }
    }

    async fn read(&mut self) -> Result<Reply, Failed> {
        let read = read_frame::<Reply>(&mut self.reader);
        let read = match self.wait {
            None => read.await,
            Some(wait) => tokio::time::timeout(wait, read).await.map_err(|_| {
                let message = format!("the node at {} gave no answer within {} s", self.place, wait.as_secs_f32());
                Failed::new(codes::TIMED_OUT, message)
            })?,
        };
        match read {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) | Err(FrameError::Truncated { .. } | FrameError::Broken(_)) => {
                let message = format!("the node at {} ended before its answer did", self.place);
                Err(Failed::new(codes::NODE_UNREACHABLE, message))
            }
            Err(error) => Err(Failed::new(codes::BAD_REQUEST, format!("the answer of {}: {error}", self.place))),
        }
    }
}

async fn dial_socket(path: &Path) -> Result<Dialled, Failed> {
    match UnixStream::connect(path).await {
        Ok(stream) => {
            let (reader, writer) = stream.into_split();
            Ok(Dialled { reader: Box::new(reader), writer: Box::new(writer) })
        }
        Err(error) => Err(unreachable(path, &error)),
    }
}

fn unreachable(path: &Path, error: &io::Error) -> Failed {
    let place = path.display();
    if error.kind() == io::ErrorKind::PermissionDenied {
        return Failed::new(codes::ROLE, format!("{place} may be opened only by the user that runs the node"));
    }
    let why = match error.kind() {
        io::ErrorKind::NotFound => "there is no such socket".to_owned(),
        io::ErrorKind::ConnectionRefused => "nobody listens there any more".to_owned(),
        _ => error.to_string(),
    };
    let what = "start a node with 'odeon up', or name the folder of a running one with --data or ODEON_DATA";
    Failed::new(codes::NODE_UNREACHABLE, format!("no node answers on {place} ({why}): {what}"))
}
