//! The ways to a node that takes a request: the socket in its folder, or an operator's link.
//!
//! Each gives the two ends of one stream. What goes over it is the business of the client.

use super::limits::{LINK_CLOSE_WAIT_MS_MAX, LINK_REASON_WAIT_MS_MAX};
use super::protocol::Failed;
use crate::identity::{JoinError, Token};
use crate::link::{TokenLink, connect_operator};
use crate::purpose;
use odeon_convention::codes;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

/// A stream to a node that takes a request. It is dialled once per command.
pub(super) struct Dialled {
    pub(super) reader: Box<dyn AsyncRead + Send + Unpin>,
    pub(super) writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// The connection that the stream is of, where it has one of its own.
    pub(super) link: Option<TokenLink>,
}

/// Over the socket at `path`.
pub(super) async fn dial_socket(path: &Path) -> Result<Dialled, Failed> {
    match UnixStream::connect(path).await {
        Ok(stream) => {
            let (reader, writer) = stream.into_split();
            Ok(Dialled { reader: Box::new(reader), writer: Box::new(writer), link: None })
        }
        Err(error) => Err(unreachable(path, &error)),
    }
}

/// As the bearer of an operator's token, at `address`.
pub(super) async fn dial_link(address: &str, token: &Token) -> Result<Dialled, Failed> {
    let link = connect_operator(Some(address), token).await.map_err(refused)?;
    let (writer, reader) = link.open(purpose::ADMIN).await.map_err(refused)?;
    Ok(Dialled { reader: Box::new(reader), writer: Box::new(writer), link: Some(link) })
}

/// Why a link ended before its answer did: what the leader said as it closed, if it said something.
pub(super) async fn lost(link: &TokenLink) -> Failed {
    // The end of the stream and the leader's reason travel apart.
    let _ = tokio::time::timeout(Duration::from_millis(LINK_REASON_WAIT_MS_MAX), link.connection().closed()).await;
    refused(link.why_lost())
}

/// Says on the link that the command is done, so that the leader need not wait for more.
pub(super) async fn close(link: TokenLink) {
    // A leader that does not hear it finds out by itself.
    let _ = tokio::time::timeout(Duration::from_millis(LINK_CLOSE_WAIT_MS_MAX), link.close()).await;
}

fn refused(error: JoinError) -> Failed {
    let code = match &error {
        // The page on a node that cannot be reached fits a command; the other one is for nodes.
        JoinError::Unreachable { .. } => codes::NODE_UNREACHABLE,
        other => other.code(),
    };
    Failed::new(code, error.to_string())
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
