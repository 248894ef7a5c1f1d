//! TCP without delay, and without encryption.

use super::stream::Stream;
use anyhow::{Context, Result};
use std::net::SocketAddr;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

fn stream(tcp: TcpStream) -> Result<Stream<OwnedReadHalf, OwnedWriteHalf>> {
    tcp.set_nodelay(true)?;
    let (read, write) = tcp.into_split();
    Ok(Stream { read, write })
}

pub(super) async fn connect(to: SocketAddr) -> Result<Stream<OwnedReadHalf, OwnedWriteHalf>> {
    stream(TcpStream::connect(to).await.with_context(|| format!("connect to {to}"))?)
}

/// Prints where it listens and serves for ever.
pub(super) async fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (tcp, _) = listener.accept().await?;
        // It ends with its connection; the client notices what is missing.
        tokio::spawn(stream(tcp)?.serve());
    }
}
