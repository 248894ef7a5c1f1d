//! Carries the outbox of a node's log to the leader's store, over a stream of its own so that a storm of lines
//! never delays anything else.
//!
//! One batch is on its way at a time; what was not acknowledged is sent again on the next link.

use crate::admin::frame::{read_frame, write_frame};
use crate::driver::Event;
use crate::link::Links;
use crate::logs::{Batch, LOCAL_TARGET, Outbox, Store, limits};
use crate::purpose;
use odeon::{NodeId, NodeRef};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long to wait before the next try when there is no leader to ship to.
const RETRY: Duration = Duration::from_millis(500);
/// How often the outbox is looked at without a sign.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long the leader may take to acknowledge a batch.
const ACKNOWLEDGE_MAX: Duration = Duration::from_secs(10);

/// Ships until the node ends.
pub(crate) async fn ship(
    name: String,
    me: NodeRef,
    outbox: Outbox,
    store: Option<Arc<Store>>,
    links: Links,
    events: mpsc::Sender<Event>,
) {
    loop {
        let Some(batch) = outbox.batch(limits::BATCH_BYTES_MAX) else {
            // Woken now and then all the same: a storm of lines ends without a sign.
            let _ = tokio::time::timeout(LOOK_EVERY, outbox.changed().notified()).await;
            continue;
        };
        let shipped = match (&store, leader(&events).await) {
            (Some(store), Some(leader)) if leader == me => keep(store.clone(), me.id, name.clone(), batch).await,
            (_, Some(leader)) => ship_over(&links, leader, &outbox, batch).await,
            (_, None) => Err(anyhow::anyhow!("not registered with a leader")),
        };
        match shipped {
            Ok(Acknowledged { incarnation, seq }) => outbox.acknowledge(incarnation, seq),
            Err(error) => {
                // Said only here: a warning about shipping would be shipped.
                tracing::debug!(target: LOCAL_TARGET, error = %error, "log lines wait for the leader");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Acknowledged {
    incarnation: u32,
    seq: u64,
}

type Shipped = anyhow::Result<Acknowledged>;

/// Ships batch after batch over one stream, until there is none or the stream breaks.
async fn ship_over(links: &Links, leader: NodeRef, outbox: &Outbox, first: Batch) -> Shipped {
    let (mut send, mut recv) = links.open(leader, purpose::LOGS).await?;
    let mut batch = first;
    loop {
        write_frame(&mut send, &batch).await?;
        let acknowledged: Option<Acknowledged> = tokio::time::timeout(ACKNOWLEDGE_MAX, read_frame(&mut recv)).await??;
        let acknowledged = acknowledged.ok_or_else(|| anyhow::anyhow!("the leader ended the stream"))?;
        outbox.acknowledge(acknowledged.incarnation, acknowledged.seq);
        batch = match outbox.batch(limits::BATCH_BYTES_MAX) {
            Some(next) => next,
            None => return Ok(acknowledged),
        };
    }
}

async fn leader(events: &mpsc::Sender<Event>) -> Option<NodeRef> {
    let (end, leader) = oneshot::channel();
    events.send(Event::Leader(end)).await.ok()?;
    leader.await.ok()?
}

async fn name_of(events: &mpsc::Sender<Event>, node: NodeRef) -> Option<String> {
    let (end, name) = oneshot::channel();
    events.send(Event::NameOf { node, end }).await.ok()?;
    name.await.ok()?
}

/// Takes the batches of one node, at the leader.
pub(crate) async fn receive(
    from: NodeRef,
    store: Arc<Store>,
    events: mpsc::Sender<Event>,
    mut send: quinn::SendStream,
    mut recv: quinn::RecvStream,
) -> anyhow::Result<()> {
    // The name under which the leader knows the node, not the one that it gives itself.
    let name = name_of(&events, from).await.ok_or_else(|| anyhow::anyhow!("{from} is not registered here"))?;
    // Ends when the node closes the stream.
    while let Some(batch) = read_frame::<Batch>(&mut recv).await? {
        let acknowledged = keep(store.clone(), from.id, name.clone(), batch).await?;
        write_frame(&mut send, &acknowledged).await?;
    }
    Ok(())
}

async fn keep(store: Arc<Store>, id: NodeId, name: String, batch: Batch) -> anyhow::Result<Acknowledged> {
    let incarnation = batch.incarnation;
    let seq = tokio::task::spawn_blocking(move || store.append(id, &name, &batch)).await??;
    Ok(Acknowledged { incarnation, seq })
}
