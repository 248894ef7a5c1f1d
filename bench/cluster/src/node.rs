//! Nodes of ractor_cluster on loopback, one a process, without encryption.

use crate::actors::{Echo, Sink};
use anyhow::{Context, Result};
use ractor::{Actor, ActorRef, Message, pg};
use ractor_cluster::node::{NodeServerMessage, NodeServerSessionInformation};
use ractor_cluster::{NetworkStream, NodeEventSubscription, NodeServer, client_connect};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Groups with one actor each, by which others find it.
pub(crate) const ECHO: &str = "echo";
pub(crate) const SINK: &str = "sink";
/// More than the largest message has; the default is 16 MiB.
const FRAME_BYTES: u64 = 64 * 1024 * 1024;
/// Until nodes know of each other.
const MEET_MS: u64 = 10_000;

/// Starts this process's node. It listens at a port of its own choice, which it tells nobody.
async fn start(name: String) -> Result<ActorRef<NodeServerMessage>> {
    let server = NodeServer::new(0, "cookie".to_owned(), name, "localhost".to_owned(), None, None)
        .with_listen_addr(Ipv4Addr::LOCALHOST.into())
        .with_max_inbound_frame_size(FRAME_BYTES);
    let (node, _) = Actor::spawn(None, server, ()).await.context("start a node")?;
    Ok(node)
}

/// Prints where it listens and serves for ever.
pub(crate) async fn serve() -> Result<()> {
    let node = start("server".to_owned()).await?;
    let (echo, _) = Actor::spawn(None, Echo, ()).await.context("start the echo")?;
    pg::join(ECHO.to_owned(), vec![echo.get_cell()]);
    let (sink, _) = Actor::spawn(None, Sink, ()).await.context("start the sink")?;
    pg::join(SINK.to_owned(), vec![sink.get_cell()]);
    // As the node's own listener does it, but with an address that can be told.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, peer_addr) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let local_addr = stream.local_addr()?;
        let stream = Box::new(NetworkStream::Raw { stream, peer_addr, local_addr });
        node.cast(NodeServerMessage::ConnectionOpened { stream, is_server: true })?;
    }
}

/// Starts a node, connects it with the one at this address, and waits until each knows the other's actors.
pub(crate) async fn connect(to: SocketAddr) -> Result<()> {
    let node = start(format!("sample-{}", std::process::id())).await?;
    let (ready, mut is_ready) = mpsc::unbounded_channel();
    let subscription = Box::new(Ready(ready));
    node.cast(NodeServerMessage::SubscribeToEvents { id: "ready".to_owned(), subscription })?;
    client_connect(&node, to).await.with_context(|| format!("connect to {to}"))?;
    let met = tokio::time::timeout(Duration::from_millis(MEET_MS), is_ready.recv()).await;
    met.ok().flatten().with_context(|| format!("the node at {to} was not met within {MEET_MS} ms"))
}

/// The other node's actor in a group.
pub(crate) fn find<M: Message>(group: &str) -> Result<ActorRef<M>> {
    let members = pg::get_members(&group.to_owned());
    members.into_iter().next().map(Into::into).with_context(|| format!("the group {group} is empty"))
}

/// Tells when a session is ready.
struct Ready(mpsc::UnboundedSender<()>);

impl NodeEventSubscription for Ready {
    fn node_session_opened(&self, _: NodeServerSessionInformation) {}

    fn node_session_disconnected(&self, _: NodeServerSessionInformation) {}

    fn node_session_authenticated(&self, _: NodeServerSessionInformation) {}

    fn node_session_ready(&self, _: NodeServerSessionInformation) {
        // Nobody waits any more.
        let _ = self.0.send(());
    }
}
