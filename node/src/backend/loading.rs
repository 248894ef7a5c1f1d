//! Images that actors load and unload: an actor's node brings what it has to the leader, where the Source Authority
//! decides as on any push. Whether actors may unload is the word of the operator of the node that leads.
//!
//! Fewer pushes of actors than of people wait at a leader, and a node sends one only once the leader has a place for it: so
//! neither its memory nor the line of pushes can be filled by a fleet whose actors all load something.

use super::{NodeBackend, Outcome, aside, failed, led};
use crate::admin::frame::{read_frame, write_frame};
use crate::admin::protocol::{Failed, PushImage, Reply, Request};
use crate::admin::{Caller, Replies};
use crate::hosting::{Order, Wish};
use crate::purpose;
use hashbrown::HashMap;
use odeon::{LoadOutcome, NodeRef};
use odeon_convention::codes;
use odeon_convention::types::SourceHash;
use parking_lot::Mutex;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};

/// Pushes of actors that a leader has at the same time: two of the largest images are half of all that may wait.
const ACTOR_PUSHES_MAX: usize = 2;
/// How long a push of an actor may have its place.
const PLACE_MAX: Duration = Duration::from_secs(900);
/// How long it may take to be noticed that a node has left its place.
const LEAVE_MAX: Duration = Duration::from_secs(10);
/// How long a node tries to reach a leader for an actor, and how often.
const REACH_MAX: Duration = Duration::from_secs(30);
const REACH_AGAIN: Duration = Duration::from_millis(200);

/// The places at a leader for pushes of actors, and the nodes that want one or, where it says so, have one.
pub(crate) struct ActorPushes {
    places: Semaphore,
    nodes: Mutex<HashMap<NodeRef, bool>>,
}

/// The one thing that a node wants at a time, as long as this is there.
struct Turn<'a> {
    pushes: &'a ActorPushes,
    node: NodeRef,
}

impl ActorPushes {
    /// A node asks for one place after the other, so that none takes all. That the last one is left may come late.
    async fn turn(&self, node: NodeRef) -> Result<Turn<'_>, Failed> {
        let until = Instant::now() + LEAVE_MAX;
        while self.nodes.lock().try_insert(node, false).is_err() {
            if Instant::now() > until {
                return Err(failed(codes::PUSHES_WAITING, format!("node {node} has a place already")));
            }
            tokio::time::sleep(REACH_AGAIN).await;
        }
        Ok(Turn { pushes: self, node })
    }

    fn has_place(&self, node: NodeRef) -> bool {
        self.nodes.lock().get(&node) == Some(&true)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.pushes.nodes.lock().remove(&self.node);
    }
}

impl Default for ActorPushes {
    fn default() -> Self {
        Self { places: Semaphore::new(ACTOR_PUSHES_MAX), nodes: Mutex::default() }
    }
}

impl NodeBackend {
    /// Does what the actors of this node want to be loaded and unloaded, one thing after the other.
    pub(crate) async fn serve_loads(self, mut orders: mpsc::Receiver<Order>) {
        while let Some(Order { by, who, what }) = orders.recv().await {
            let who = format!("{who} {by}");
            match what {
                Wish::Load { bytes, signatures } => {
                    let mut signatures = signatures.into_iter();
                    let push = PushImage {
                        bytes: bytes.bytes().to_vec(),
                        signature: signatures.next(),
                        more_signatures: signatures.collect(),
                        allow_older: false,
                    };
                    let hashed = aside(move || odeon_sourceauth::hash(bytes.bytes()).to_string()).await;
                    let request = Request::PushFromActor { by: who, push: Box::new(push) };
                    let outcome = match self.at_whoever_leads(request).await {
                        Ok(Reply::Pushed(item)) => {
                            Ok(LoadOutcome::Approved { hash: item.hash, name: item.name, version: item.version })
                        }
                        Ok(other) => Err((codes::INTERNAL, format!("the leader answers with {other:?}"))),
                        Err(why) if is_verdict(why.code) => {
                            Ok(LoadOutcome::Rejected { code: why.code, reason: why.message })
                        }
                        Err(why) => Err((why.code, why.message)),
                    };
                    self.hosting.loaded(by, hashed.unwrap_or_default(), outcome);
                }
                Wish::Unload { hash } => {
                    let request = Request::UnloadFromActor { by: who, hash: hash.clone() };
                    let refusal = self.at_whoever_leads(request).await.err().map(|why| (why.code, why.message));
                    self.hosting.unloaded(by, hash, refusal);
                }
            }
        }
    }

    /// Asks the leader, this node perhaps, and again where none is reached: to do it twice is to do it once.
    async fn at_whoever_leads(&self, request: Request) -> Outcome {
        let until = Instant::now() + REACH_MAX;
        loop {
            let outcome = self.at_whoever_leads_now(&request).await;
            let unreached = [codes::NODE_UNREACHABLE, codes::LEADER_UNREACHABLE, codes::NO_MAJORITY];
            match outcome {
                Err(why) if unreached.contains(&why.code) && Instant::now() < until => {
                    tokio::time::sleep(REACH_AGAIN).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn at_whoever_leads_now(&self, request: &Request) -> Outcome {
        let view = self.view().await?;
        if view.led.is_some() {
            // Nobody reads what comes on the way.
            let (replies, _nobody) = Replies::channel();
            return match request.clone() {
                Request::PushFromActor { by, push } => {
                    let _place = self.actor_pushes.places.acquire().await;
                    self.push_of_actor(self.me, &by, *push, &replies).await
                }
                Request::UnloadFromActor { by, hash } => self.unload_for_actor(&by, &hash).await,
                _ => Err(failed(codes::INTERNAL, "actors load and unload")),
            };
        }
        let leader = self.leader(&view)?;
        let _place = match request {
            Request::PushFromActor { .. } => Some(self.place_at(leader).await?),
            _ => None,
        };
        self.at_leader(&view, request, None).await
    }

    /// Waits for a place at the leader, which is left when what this gives is dropped.
    async fn place_at(&self, leader: NodeRef) -> Result<(quinn::SendStream, quinn::RecvStream), Failed> {
        let unreachable =
            |e: &dyn std::fmt::Display| failed(codes::LEADER_UNREACHABLE, format!("leader {leader}: {e}"));
        let (mut send, mut receive) = self.links.open(leader, purpose::ADMIN).await.map_err(|e| unreachable(&e))?;
        write_frame(&mut send, &Request::PlaceForActor).await.map_err(|e| unreachable(&e))?;
        match read_frame(&mut receive).await.map_err(|e| unreachable(&e))? {
            Some(Reply::Progress { .. }) => Ok((send, receive)),
            Some(Reply::Failed(why)) => Err(why),
            _ => Err(unreachable(&"it gives no place for a push")),
        }
    }

    /// Keeps a place for a push of another node's actor until that node goes away.
    pub(super) async fn keep_place(&self, caller: Caller, replies: &Replies) -> Outcome {
        led(&self.view().await?)?;
        let node = peer(caller)?;
        let _turn = self.actor_pushes.turn(node).await?;
        tokio::select! {
            () = replies.client_gone() => {}
            _place = self.actor_pushes.places.acquire() => {
                self.actor_pushes.nodes.lock().insert(node, true);
                replies.note("there is a place");
                // Its push may go on.
                let _ = tokio::time::timeout(PLACE_MAX, replies.client_gone()).await;
            }
        }
        Ok(Reply::Done)
    }

    /// A push of another node's actor.
    pub(super) async fn push_from_actor(
        &self,
        caller: Caller,
        by: &str,
        push: PushImage,
        replies: &Replies,
    ) -> Outcome {
        let node = peer(caller)?;
        if !self.actor_pushes.has_place(node) {
            return Err(failed(codes::ROLE, format!("node {node} has no place for a push")));
        }
        self.push_of_actor(node, by, push, replies).await
    }

    async fn push_of_actor(&self, node: NodeRef, by: &str, push: PushImage, replies: &Replies) -> Outcome {
        tracing::info!(%node, actor = by, bytes = push.bytes.len(), "an actor loads an image");
        // Which versions may come back is for people to say.
        let push = PushImage { allow_older: false, ..push };
        let outcome = self.push_image(push, replies).await;
        match &outcome {
            Ok(Reply::Pushed(item)) if item.state == "approved" => {
                tracing::info!(%node, actor = by, image = item.hash, "an image that an actor loads is approved");
                outcome
            }
            // Since the authority has spoken.
            Ok(Reply::Pushed(item)) => {
                let message = format!("image {} is {} by {}", item.hash, item.state, item.by);
                let code = if item.state == "revoked" { codes::IMAGE_REVOKED } else { codes::IMAGE_NOT_APPROVED };
                Err(failed(code, message))
            }
            _ => outcome,
        }
    }

    /// An actor wants an image to be unloaded.
    pub(super) async fn unload_for_actor(&self, by: &str, hash: &str) -> Outcome {
        let view = self.view().await?;
        led(&view)?;
        if !self.allow_actor_unload {
            let why = "no actor may unload an image, until the leader's operator says so with --allow-actor-unload yes";
            return Err(failed(codes::ACTOR_UNLOAD, why));
        }
        // A name could come to mean another image on the way.
        if hash.len() != 2 * size_of::<SourceHash>() {
            let message = format!("{hash:?} is not a whole source hash, by which actors name images");
            return Err(failed(codes::IMAGE_UNKNOWN, message));
        }
        tracing::warn!(actor = by, image = hash, "an actor unloads an image");
        self.unload_image(&view, hash).await
    }
}

fn peer(caller: Caller) -> Result<NodeRef, Failed> {
    match caller {
        Caller::Peer(node, _) => Ok(node),
        Caller::Owner | Caller::Operator => Err(failed(codes::ROLE, "only nodes ask this, for their actors")),
    }
}

/// Whether somebody has decided on the image, or looked at it, so that it would be refused again.
fn is_verdict(code: u16) -> bool {
    !matches!(
        code,
        codes::NODE_UNREACHABLE
            | codes::LEADER_UNREACHABLE
            | codes::TIMED_OUT
            | codes::BAD_REQUEST
            | codes::NO_MAJORITY
            | codes::ROLE
            | codes::IMAGE_STORE_FULL
            | codes::DATA_UNUSABLE
            | codes::DISK_FULL
            | codes::AUTHORITY_SILENT
            | codes::AUTHORITY_ABSENT
            | codes::PUSHES_WAITING
            | codes::INTERNAL
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_node_has_one_turn_at_a_time() {
        let node = |n| NodeRef { id: odeon::NodeId([n; 16]), incarnation: odeon::Incarnation(1) };
        let pushes = ActorPushes::default();
        let turn = pushes.turn(node(1)).await.unwrap();
        assert!(!pushes.has_place(node(1)), "it waits for one");
        let _other = pushes.turn(node(2)).await.unwrap();
        let second = tokio::time::timeout(Duration::from_millis(50), pushes.turn(node(1))).await;
        assert!(second.is_err(), "it waits until the first is over");
        drop(turn);
        assert!(pushes.turn(node(1)).await.is_ok());
    }

    #[test]
    fn what_may_pass_by_itself_is_no_verdict() {
        assert!([codes::SIGNER_NOT_ALLOWED, codes::IMAGE_MALFORMED, codes::IMAGE_REVOKED].map(is_verdict) == [true; 3]);
        assert!([codes::NO_MAJORITY, codes::AUTHORITY_SILENT, codes::PUSHES_WAITING].map(is_verdict) == [false; 3]);
    }
}
