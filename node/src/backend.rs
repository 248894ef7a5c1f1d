//! Answers what commands ask of this node: reads what it can, hands the rest to the driver or to the leader.
//!
//! Who may ask what is decided here, by role and in one table; what is asked for is decided in the convention.

mod actors;
mod authority;
mod consulting;
mod create;
mod decrypting;
mod detail;
mod drain;
mod drain_image;
mod everyone;
mod images;
mod invite;
mod judging;
mod leaders;
mod loading;
mod logs;
mod names;
mod nodes;
mod pending;
mod prefetch;
mod reporting;
mod revoke;
mod usage;

use crate::admin::frame::{read_frame, write_frame};
use crate::admin::protocol::{Failed, Reply, Request};
use crate::admin::{Backend, BoxFuture, Caller, Replies};
use crate::driver::{Event, LedView, NOT_LEADING, View};
use crate::hosting::Hosting;
use crate::identity::Identity;
use crate::ledger::Ledger;
use crate::link::Links;
use crate::logs::Store;
use crate::purpose;
use crate::transfer::Images;
use invite::Invitations;
use loading::ActorPushes;
use names::Names;
use odeon::NodeRef;
use odeon_convention::codes;
use odeon_convention::leader::{Answer, Operation};
use odeon_convention::types::Role;
use pending::Pending;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How long another node may take for its part of an answer.
const PEER_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a request is tried again while leaders change.
const AGAIN_MAX: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// One node, as commands see it.
#[derive(Clone)]
pub(crate) struct NodeBackend {
    pub(crate) name: String,
    pub(crate) me: NodeRef,
    pub(crate) started: Instant,
    pub(crate) identity: Arc<Identity>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) hosting: Arc<Hosting>,
    pub(crate) images: Arc<Images>,
    pub(crate) links: Links,
    pub(crate) listen: String,
    pub(crate) names: Arc<Names>,
    pub(crate) invitations: Arc<Invitations>,
    /// One push is judged at a time: what it may follow is what the one before has left.
    pub(crate) pushing: Arc<tokio::sync::Mutex<()>>,
    /// What was pushed and is not judged.
    pub(crate) pending: Arc<Pending>,
    /// Those of actors, and whether actors may unload images, where this node leads.
    pub(crate) actor_pushes: Arc<ActorPushes>,
    pub(crate) allow_actor_unload: bool,
    /// The collected log, on a leader.
    pub(crate) log_store: Option<Arc<Store>>,
    /// On a node that may lead.
    pub(crate) ledger: Option<Ledger>,
}

/// How a request ends: its last reply, or why it failed.
type Outcome = Result<Reply, Failed>;

pub(crate) fn failed(code: u16, message: impl Into<String>) -> Failed {
    Failed::new(code, message)
}

impl Backend for NodeBackend {
    fn handle(&self, caller: Caller, request: Request, replies: Replies) -> BoxFuture<'static, ()> {
        let backend = self.clone();
        Box::pin(async move {
            let outcome = backend.answer(caller, request, &replies).await;
            // A client that went away wants no answer.
            let _ = replies.send(outcome.unwrap_or_else(Reply::Failed)).await;
        })
    }
}

impl NodeBackend {
    /// Answers; again, where the leader changed on the way and to do it twice is to do it once.
    async fn answer(&self, caller: Caller, mut request: Request, replies: &Replies) -> Outcome {
        self.name_myself(&mut request);
        self.sign(&caller, &mut request);
        let again_until = Instant::now() + AGAIN_MAX;
        loop {
            let outcome = self.answer_once(caller, &request, replies).await;
            let unsettled = matches!(&outcome, Err(failed) if failed.code == codes::NO_MAJORITY);
            let passed_on = matches!(caller, Caller::Peer(..));
            if !unsettled || passed_on || !self.repeats(&request) || Instant::now() >= again_until {
                return outcome;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    async fn answer_once(&self, caller: Caller, request: &Request, replies: &Replies) -> Outcome {
        let settles = self.needs_a_leader(request) && !matches!(caller, Caller::Peer(..));
        let view = if settles { self.settled_view().await? } else { self.view().await? };
        allowed(&caller, request, view.may_lead)?;
        // What another node passed on is answered here or not at all.
        if view.may_lead && view.led.is_none() && self.is_for_the_leader(request) && settles {
            return self.at_leader(&view, request, Some(replies)).await;
        }
        match request.clone() {
            Request::Nodes => Ok(Reply::Nodes(self.nodes(&view).await?)),
            Request::SetCapabilities { on, delta } => self.set_capabilities(&view, &caller, on, delta).await,
            Request::Shutdown { on } => self.shut_down(&view, on).await,
            Request::Drain { on, timeout_ms } => self.drain(&view, on, timeout_ms).await,
            Request::CancelDrain { on } => self.cancel_drain(&view, on).await,
            Request::CreateToken { role, ttl_s, uses, claims } => self.create_token(role, ttl_s, uses, claims).await,
            Request::PushImage(push) => self.push_image(push, replies).await,
            Request::PlaceForActor => self.keep_place(caller, replies).await,
            Request::PushFromActor { by, push } => self.push_from_actor(caller, &by, *push, replies).await,
            Request::UnloadFromActor { by, hash } => self.unload_for_actor(&by, &hash).await,
            Request::Images => Ok(Reply::Images(self.images(&view).await?)),
            Request::ShowImage { image } => self.show_image(&view, &image).await,
            Request::UnloadImage { image } => self.unload_image(&view, &image).await,
            Request::RevokeImage(revoke) => self.revoke_image(&view, *revoke).await,
            Request::DrainImage { image, timeout_ms } => self.drain_image(&view, &image, timeout_ms).await,
            Request::Prefetch { image, requirements, timeout_ms } => {
                self.prefetch(&view, &image, requirements, timeout_ms, replies).await
            }
            Request::EndImage { hash } => self.end_image(hash).await,
            Request::SetAuthority { authority } => self.set_authority(authority).await,
            Request::SetAuthorityActor(set) => self.set_authority_actor(&view, *set).await,
            Request::AppointAuthority { address } => self.appoint_authority(address),
            Request::Authority => self.authority(&view).await,
            Request::Create(arguments) => self.create(&view, *arguments).await,
            Request::CreateOnEveryNode(arguments) => self.create_on_every_node(&view, *arguments).await,
            Request::Explain(arguments) => self.explain(&view, *arguments).await,
            Request::Ask { address, message, timeout_ms } => self.ask(address, &message, timeout_ms).await,
            Request::Tell { address, message } => self.tell(address, &message),
            Request::Stop { address } => self.stop(address),
            Request::SetLogLevel { address, level } => self.set_log_level(&view, address, level).await,
            Request::Actors { node } => self.actors(&view, node).await,
            Request::Status { of } => self.status(&view, of).await,
            Request::Logs(query) => self.logs(&view, query, replies).await,
            Request::HoldImage(image) => self.hold_image(&view, &image).await,
            Request::CollectedLogs(query) => self.collected_logs(&query, replies).await,
            Request::Leaders => self.leaders(&view).await,
            Request::AddLeader { node } => self.add_leader(&view, &node).await,
            Request::RemoveLeader { node } => self.remove_leader(&view, &node).await,
            Request::Admit { .. } | Request::UseToken { .. } => self.admission(request).await,
            Request::Invite { address, code, claims, timeout_ms } => {
                self.invite(&address, &code, claims, timeout_ms).await
            }
            Request::Invitations => self.invitations(&view),
            Request::CancelInvite { address } => self.cancel_invitation(&view, &address),
        }
    }

    /// What the driver knows.
    async fn view(&self) -> Result<View, Failed> {
        let (end, view) = oneshot::channel();
        self.event(Event::View(end)).await?;
        view.await.map_err(|_| stopping())
    }

    async fn event(&self, event: Event) -> Result<(), Failed> {
        self.events.send(event).await.map_err(|_| stopping())
    }

    /// Asks the leader machine of this node.
    async fn operation(&self, operation: Operation) -> Result<Answer, Failed> {
        let (end, answer) = oneshot::channel();
        self.event(Event::Operation { operation: Box::new(operation), end }).await?;
        match answer.await.map_err(|_| stopping())? {
            Answer::Refused { code, reason } => Err(failed(code, reason)),
            answer => Ok(answer),
        }
    }

    /// Hands a request to another node, and its replies but the last to `on_the_way`; gives the last one.
    async fn hand_on(&self, to: NodeRef, request: &Request, on_the_way: Option<&Replies>) -> Outcome {
        let unreachable = |e: &dyn std::fmt::Display| failed(codes::NODE_UNREACHABLE, format!("node {to}: {e}"));
        self.carry(to, request, on_the_way, unreachable).await
    }

    /// The same, with another word for a node that does not answer.
    async fn carry(
        &self,
        to: NodeRef,
        request: &Request,
        on_the_way: Option<&Replies>,
        unreachable: impl Fn(&dyn std::fmt::Display) -> Failed,
    ) -> Outcome {
        let opened = tokio::time::timeout(PEER_TIME_MAX, self.links.open(to, purpose::ADMIN)).await;
        let (mut send, mut recv) = opened.map_err(|_| unreachable(&"no link in time"))?.map_err(|e| unreachable(&e))?;
        write_frame(&mut send, request).await.map_err(|e| unreachable(&e))?;
        loop {
            match read_frame(&mut recv).await.map_err(|e| unreachable(&e))? {
                Some(Reply::Failed(failed)) => return Err(failed),
                Some(last) if last.is_last() => return Ok(last),
                Some(reply) => {
                    if let Some(replies) = on_the_way {
                        // A client that went away ends the request elsewhere.
                        let _ = replies.send(reply).await;
                    }
                }
                None => return Err(unreachable(&"it ended the stream without an answer")),
            }
        }
    }

    /// The leader that has this node in its list.
    fn leader(&self, view: &View) -> Result<NodeRef, Failed> {
        view.leader.ok_or_else(|| match view.may_lead {
            true => not_leading(),
            false => failed(codes::LEADER_UNREACHABLE, format!("node {} has no link to its leader", self.name)),
        })
    }

    /// Hands a request that asks for little to the leader.
    async fn ask_leader(&self, view: &View, request: &Request) -> Outcome {
        let answer = self.at_leader(view, request, None);
        tokio::time::timeout(PEER_TIME_MAX, answer)
            .await
            .map_err(|_| failed(codes::LEADER_UNREACHABLE, "the leader does not answer"))?
    }
}

/// Does what takes a while on a thread of its own.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failed> {
    tokio::task::spawn_blocking(work).await.map_err(|e| failed(codes::INTERNAL, e.to_string()))
}

fn stopping() -> Failed {
    failed(codes::NODE_UNREACHABLE, "the node is stopping")
}

/// The table of who may ask what. The owner of a leader's folder and operators may ask everything; the owner of
/// another node's folder what concerns that node, and what changes nothing elsewhere. Nodes ask for their actors: what comes of
/// that is for the Source Authority and the leader's operator to say.
fn allowed(caller: &Caller, request: &Request, leads: bool) -> Result<(), Failed> {
    let changes_all = matches!(
        request,
        Request::CreateToken { .. }
            | Request::Invite { .. }
            | Request::Invitations
            | Request::CancelInvite { .. }
            | Request::PushImage(_)
            | Request::UnloadImage { .. }
            | Request::RevokeImage(_)
            | Request::DrainImage { .. }
            | Request::Prefetch { .. }
            | Request::SetAuthority { .. }
            | Request::SetAuthorityActor(_)
            | Request::AddLeader { .. }
            | Request::RemoveLeader { .. }
            | Request::Shutdown { on: Some(_) }
            | Request::Drain { on: Some(_), .. }
            | Request::CancelDrain { on: Some(_) }
    );
    let among_leaders = matches!(
        request,
        Request::HoldImage(_)
            | Request::EndImage { .. }
            | Request::CollectedLogs(_)
            | Request::Admit { .. }
            | Request::UseToken { .. }
            | Request::AppointAuthority { .. }
    );
    let reads = matches!(
        request,
        Request::Nodes
            | Request::Images
            | Request::ShowImage { .. }
            | Request::Authority
            | Request::Actors { .. }
            | Request::Status { .. }
            | Request::Logs(_)
            | Request::Leaders
    );
    let for_actors =
        matches!(request, Request::PlaceForActor | Request::PushFromActor { .. } | Request::UnloadFromActor { .. });
    let among_nodes = among_leaders || for_actors;
    let ok = match caller {
        Caller::Owner => !among_nodes && (leads || !changes_all),
        Caller::Operator => !among_nodes,
        // It has asked on behalf of somebody who may, or leads this node.
        Caller::Peer(_, Role::Leader) => true,
        Caller::Peer(_, _) => reads || for_actors,
    };
    if ok {
        return Ok(());
    }
    let what = match caller {
        Caller::Owner => "the owner of a member's folder may not do this: ask at the leader or with an operator token",
        _ => "the caller's role does not allow this",
    };
    Err(failed(codes::ROLE, what))
}

/// What a leader knows, or why this node cannot say.
fn led(view: &View) -> Result<&LedView, Failed> {
    view.led.as_ref().ok_or_else(|| match view.may_lead {
        true => not_leading(),
        false => failed(codes::ROLE, "this node does not lead the convention"),
    })
}

/// Why a node that may lead does not.
fn not_leading() -> Failed {
    failed(codes::NO_MAJORITY, NOT_LEADING)
}
