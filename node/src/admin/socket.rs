//! The socket in a node's data folder: only the folder's owner and root are served there.
//!
//! It owns the socket's file, who may connect, and how many commands run at once. It never takes a socket away from
//! a process that answers on it.

use super::limits::{COMMANDS_MAX, DRAIN_WAIT_MS_MAX};
use super::serve::{Backend, Caller, refuse, serve_stream};
use odeon_convention::codes;
use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The socket's name in the data folder.
pub const SOCKET_NAME: &str = "odeon.sock";

/// Connections that the kernel holds until they are accepted.
const BACKLOG_MAX: i32 = 64;

/// Why the socket cannot be had. Nothing was changed that another process uses.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum BindError {
    #[error("another process answers on {}", .0.display())]
    InUse(PathBuf),
    #[error("{} is not a socket and will not be replaced", .0.display())]
    NotASocket(PathBuf),
    #[error("the socket {} cannot be made", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl BindError {
    /// The code that an operator sees.
    pub fn code(&self) -> u16 {
        match self {
            BindError::InUse(_) => codes::DATA_IN_USE,
            BindError::NotASocket(_) | BindError::Io { .. } => codes::DATA_UNUSABLE,
        }
    }
}

/// A node's admin socket. Its file goes when this is dropped.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    file: SocketFile,
    owner: u32,
}

impl AdminSocket {
    /// Makes `odeon.sock` in `data`, and `data` itself (for its owner only) when it is not there. A socket that nobody
    /// answers on is replaced. Call it within a tokio runtime.
    pub async fn bind(data: &Path) -> Result<Self, BindError> {
        let path = data.join(SOCKET_NAME);
        let failed = |source: io::Error| BindError::Io { path: path.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed)?;
        remove_stale(&path).await?;
        let listener = listen(&path).map_err(failed)?;
        let inode = fs::symlink_metadata(&path).map_err(failed)?.ino();
        let owner = rustix::process::geteuid().as_raw();
        Ok(Self { listener, file: SocketFile { path, inode }, owner })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Serves commands until `stop` ends; those that run then have a moment to end as well.
    pub async fn serve(self, backend: Arc<dyn Backend>, stop: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(COMMANDS_MAX));
        let mut commands = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(_) = commands.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let place = Arc::clone(&places).try_acquire_owned().ok();
                        let (owner, backend) = (self.owner, Arc::clone(&backend));
                        commands.spawn(async move {
                            serve_client(stream, owner, place.is_some(), backend).await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        // Out of descriptors, mostly: the ones that are served give some back.
                        tracing::warn!(%error, "the admin socket cannot accept a command");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        }
        drop(self);
        let drained = async { while commands.join_next().await.is_some() {} };
        if tokio::time::timeout(Duration::from_millis(DRAIN_WAIT_MS_MAX), drained).await.is_err() {
            tracing::debug!("commands that did not end were cut off");
        }
    }
}

/// The socket's file, as the one that was made: a later one under the same name is left alone.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|m| m.ino() == self.inode)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::debug!(%error, path = %self.path.display(), "the admin socket's file stays behind");
        }
    }
}

async fn serve_client(mut stream: UnixStream, owner: u32, has_place: bool, backend: Arc<dyn Backend>) {
    match stream.peer_cred() {
        Ok(peer) if may_command(peer.uid(), owner) => {}
        Ok(peer) => {
            tracing::warn!(uid = peer.uid(), "a foreign user was refused at the admin socket");
            let message = format!("user id {} does not own this node: only user id {owner} and root do", peer.uid());
            return refuse(&mut stream, codes::ROLE, message).await;
        }
        Err(error) => return tracing::warn!(%error, "a client of the admin socket has no credentials"),
    }
    if !has_place {
        let message = format!("the node serves {COMMANDS_MAX} commands already, which is as many as it does at once");
        return refuse(&mut stream, codes::INTERNAL, message).await;
    }
    let (reader, writer) = stream.into_split();
    if let Err(error) = serve_stream(reader, writer, Caller::Owner, backend).await {
        tracing::debug!(%error, "a command over the admin socket ended early");
    }
}

fn may_command(uid: u32, owner: u32) -> bool {
    uid == owner || uid == 0
}

/// Takes away what is left of a node that ended without tidying up.
async fn remove_stale(path: &Path) -> Result<(), BindError> {
    let failed = |source: io::Error| BindError::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed(e)),
        Ok(found) if !found.file_type().is_socket() => return Err(BindError::NotASocket(path.to_owned())),
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        // A full queue of connections belongs to somebody as well.
        Ok(_) => Err(BindError::InUse(path.to_owned())),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Err(BindError::InUse(path.to_owned())),
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed),
        Err(e) => Err(failed(e)),
    }
}

/// A listening socket whose file has mode 0600 from its first moment: Linux takes the mode of the descriptor.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    let address = SocketAddrUnix::new(path).map_err(|_| {
        let bytes = path.as_os_str().len();
        io::Error::new(io::ErrorKind::InvalidInput, format!("its path of {bytes} bytes is longer than 107"))
    })?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG_MAX)?;
    UnixListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_and_root_may_command() {
        assert!(may_command(1000, 1000) && may_command(0, 1000) && may_command(0, 0));
        assert!(!may_command(1001, 1000) && !may_command(1000, 0));
    }
}
