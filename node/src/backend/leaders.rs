//! Who leads together: listing and changing it, and what one that does not lead now passes on to the one that does.

use super::{NodeBackend, Outcome, failed, led, nodes, not_leading};
use crate::admin::Replies;
use crate::admin::protocol::{Failed, LeaderItem, NodeRole, Reply, Request};
use crate::causes::chain;
use crate::driver::{Event, LedView, View};
use crate::ledger::{Ledger, LedgerError, Seat};
use crate::logs::time;
use crate::transfer::Way;
use odeon::{NodeId, NodeRef};
use odeon_convention::codes;
use odeon_convention::leader::{Answer, MemberView, Operation};
use odeon_convention::types::{ImageInfo, Role, SourceHash};
use odeon_convention::wire::LeaderAt;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long a request waits while the leaders choose the next one of them.
const CHOICE_MAX: Duration = Duration::from_secs(5);
/// How often a node that waits for a leader's answer looks whether it still leads.
pub(super) const FOLLOWS_LOOK: Duration = Duration::from_millis(100);
const CHOICE_LOOK: Duration = Duration::from_millis(20);
/// How often a leader looks whether it lacks an image.
const LOOK_FOR_IMAGES: Duration = Duration::from_secs(2);
/// How long the other leaders may take to get an image.
const HOLD_MAX: Duration = Duration::from_secs(60);

impl NodeBackend {
    /// What the driver knows, once somebody leads; as it is, when that takes too long.
    pub(super) async fn settled_view(&self) -> Result<View, Failed> {
        let until = Instant::now() + CHOICE_MAX;
        loop {
            let view = self.view().await?;
            let settled = view.led.is_some() || view.leader.is_some_and(|leader| leader != self.me);
            if settled || !view.may_lead || Instant::now() >= until {
                return Ok(view);
            }
            tokio::time::sleep(CHOICE_LOOK).await;
        }
    }

    /// Has one of the words on who is let in said by the one that leads.
    pub(crate) async fn settle(&self, request: Request) -> Outcome {
        // Where this node leads, its machine answers: a view of a large fleet for each node that comes in would be most
        // of the leader's work. To admit a node twice is to admit it once, so where it does not it is asked on.
        if matches!(request, Request::Admit { .. }) {
            match self.admission(&request).await {
                Err(failed) if failed.code == codes::NO_MAJORITY => {}
                outcome => return outcome,
            }
        }
        let view = self.settled_view().await?;
        match &view.led {
            Some(_) => self.admission(&request).await,
            None => self.hand_on(self.leader(&view)?, &request, None).await,
        }
    }

    pub(super) async fn admission(&self, request: &Request) -> Outcome {
        let now_unix_s = time::now_ms() / 1000;
        match *request {
            Request::Admit { token, node } => {
                match self.operation(Operation::Admit { token, node, now_unix_s }).await? {
                    Answer::Admitted { role, .. } => Ok(Reply::Admitted { role }),
                    _ => Err(failed(codes::INTERNAL, "the leader gave no role")),
                }
            }
            Request::UseToken { token } => {
                self.operation(Operation::UseToken { token, now_unix_s }).await.map(|_| Reply::Done)
            }
            _ => Err(failed(codes::BAD_REQUEST, "this is no word on who is let in")),
        }
    }

    /// Where the leaders are, this one first.
    pub(crate) fn leaders_at(&self) -> Vec<LeaderAt> {
        let mut leaders = vec![LeaderAt { node: self.me.id, listen: self.listen.clone() }];
        let Some(ledger) = &self.ledger else { return leaders };
        let others = ledger.group().into_iter().filter(|place| place.node != self.me.id);
        let others: Vec<_> = others.map(|place| LeaderAt { node: place.node, listen: place.seat.listen }).collect();
        ledger.look(|facts| {
            leaders.extend(others.into_iter().map(|LeaderAt { node, listen }| {
                // Where it is now, it said itself.
                LeaderAt { node, listen: facts.listen_of(node).map_or(listen, str::to_owned) }
            }));
        });
        leaders
    }

    pub(super) fn role_of(&self, node: NodeId) -> NodeRole {
        let votes = |ledger: &Ledger| ledger.group().iter().any(|place| place.node == node && place.votes);
        match &self.ledger {
            // Asked where this node leads.
            Some(_) if node == self.me.id => NodeRole::Leader,
            Some(ledger) if votes(ledger) => NodeRole::Standby,
            _ => NodeRole::Member,
        }
    }

    pub(super) async fn leaders(&self, view: &View) -> Outcome {
        if !view.may_lead {
            return self.ask_leader(view, &Request::Leaders).await;
        }
        let led = led(view)?;
        let ledger = self.ledger.as_ref().ok_or_else(not_leading)?;
        let reached = ledger.reached();
        let item = |place: crate::ledger::Place| {
            let member = led.members.iter().find(|m| m.node.id == place.node);
            let reached = reached.get(&place.node).filter(|_| place.node != self.me.id);
            LeaderItem {
                name: member.map_or(place.seat.name, |m| m.name.clone()),
                id: place.node.to_string(),
                listen: member.map_or(place.seat.listen, |m| m.listen.clone()),
                role: if place.node == self.me.id { NodeRole::Leader } else { NodeRole::Standby },
                votes: place.votes,
                behind: reached.map_or(0, |r| r.behind),
                answered_ms: reached
                    .and_then(|r| r.answered)
                    .map(|at| u64::try_from(at.as_millis()).unwrap_or(u64::MAX)),
            }
        };
        Ok(Reply::Leaders(ledger.group().into_iter().map(item).collect()))
    }

    pub(super) async fn add_leader(&self, view: &View, name_or_id: &str) -> Outcome {
        let (led, ledger) = (led(view)?, self.ledger.as_ref().ok_or_else(not_leading)?);
        let member = nodes::find_living(led, name_or_id)?;
        if member.role != Role::Leader {
            let reason =
                format!("node {name_or_id} joined as a member: a leader joins with `token create --role leader`");
            return Err(failed(codes::ROLE, reason));
        }
        self.give_images(led, member).await?;
        let seat = Seat { name: member.name.clone(), listen: member.listen.clone() };
        ledger.add(member.node.id, seat).await.map_err(unchanged)?;
        Ok(Reply::Done)
    }

    /// A leader holds the bytes of every image that may be used, before its word counts.
    async fn give_images(&self, led: &LedView, to: &MemberView) -> Result<(), Failed> {
        use odeon_convention::leader::ImageState;
        for image in led.images.iter().filter(|image| image.state == ImageState::Approved) {
            let request = Request::HoldImage(Box::new(image.image.clone()));
            tokio::time::timeout(HOLD_MAX, self.hand_on(to.node, &request, None)).await.map_err(|_| {
                failed(codes::TIMED_OUT, format!("node {} does not take the images in time", to.name))
            })??;
        }
        Ok(())
    }

    pub(super) async fn remove_leader(&self, view: &View, name_or_id: &str) -> Outcome {
        let (led, ledger) = (led(view)?, self.ledger.as_ref().ok_or_else(not_leading)?);
        let group = ledger.group();
        let named = |place: &&crate::ledger::Place| {
            // One that is gone for good is known by its seat only.
            let name = led.members.iter().find(|m| m.node.id == place.node).map_or(&place.seat.name, |m| &m.name);
            name == name_or_id || place.node.to_string() == name_or_id
        };
        let Some(place) = group.iter().find(named) else {
            return Err(failed(codes::NODE_UNKNOWN, format!("no leader has the name or id {name_or_id:?}")));
        };
        if place.votes && group.iter().filter(|place| place.votes).count() == 1 {
            return Err(failed(codes::BAD_REQUEST, "it is the only leader: add another one first"));
        }
        ledger.remove(place.node).await.map_err(unchanged)?;
        Ok(Reply::Done)
    }

    /// Returns once a majority of the leaders, this one among them, holds the image: it survives whichever of them
    /// goes then.
    pub(super) async fn hold_by_majority(&self, image: &ImageInfo) -> Result<(), Failed> {
        let Some(ledger) = &self.ledger else { return Ok(()) };
        let voters: Vec<_> = ledger.group().into_iter().filter(|place| place.votes).collect();
        let (mut held, needed) = (1, voters.len() / 2 + 1);
        let mut asked = JoinSet::new();
        for place in voters.iter().filter(|place| place.node != self.me.id) {
            let (backend, place) = (self.clone(), place.clone());
            let request = Request::HoldImage(Box::new(image.clone()));
            asked.spawn(async move {
                let node =
                    backend.links.connected(place.node).ok_or_else(|| failed(codes::NODE_UNREACHABLE, "no link"))?;
                let held = tokio::time::timeout(HOLD_MAX, backend.hand_on(node, &request, None)).await;
                held.unwrap_or_else(|_| Err(failed(codes::TIMED_OUT, "no answer in time")))
            });
        }
        let mut why = Vec::new();
        while held < needed {
            match asked.join_next().await {
                Some(Ok(Ok(_))) => held += 1,
                Some(Ok(Err(error))) => why.push(error.message),
                Some(Err(error)) => why.push(error.to_string()),
                None => {
                    let reason = format!("{held} of {} leaders hold the image, {needed} must", voters.len());
                    return Err(failed(codes::NO_MAJORITY, format!("{reason}: {}", why.join("; "))));
                }
            }
        }
        // The others go on for themselves.
        asked.detach_all();
        Ok(())
    }

    /// Keeps the bytes of every image that may be used on this leader, until the node ends: one that was away when an
    /// image was pushed, or that is new, gets it from the others.
    pub(crate) async fn keep_images(self) {
        let Some(ledger) = self.ledger.clone() else { return };
        loop {
            tokio::time::sleep(LOOK_FOR_IMAGES).await;
            let missing = ledger.look(|facts| {
                let approved =
                    facts.approved_images(time::now_ms() / 1000).filter(|image| !self.images.contains(image.hash));
                approved.cloned().collect::<Vec<_>>()
            });
            let others = ledger.group().into_iter().filter_map(|place| self.links.connected(place.node));
            let others: Vec<NodeRef> = others.filter(|node| *node != self.me).collect();
            for image in missing.iter().filter(|_| !others.is_empty()) {
                match self.images.hold(&Way::through(&self.links), image, &others).await {
                    Ok(()) => self.say_held(image.hash).await,
                    Err(error) => {
                        tracing::debug!(image = %image.hash, error = chain(&error), "a leader's copy is still missing");
                    }
                }
            }
        }
    }

    /// Gets an image from the leader that is about to approve it.
    pub(super) async fn hold_image(&self, view: &View, image: &ImageInfo) -> Outcome {
        let leader = self.leader(view)?;
        self.images
            .hold(&Way::through(&self.links), image, &[leader])
            .await
            .map_err(|e| failed(codes::NODE_UNREACHABLE, chain(&e)))?;
        self.say_held(image.hash).await;
        Ok(Reply::Done)
    }

    /// Tells the member machine of this node that it has an image, if it may use it. One that is asked to host from it
    /// later looks again.
    async fn say_held(&self, hash: SourceHash) {
        let images = self.images.clone();
        match tokio::task::spawn_blocking(move || images.load(hash).map_err(|e| chain(&e))).await {
            // The node is stopping when nobody takes it.
            Ok(Ok(())) => drop(self.event(Event::Fetched { hash, failure: None }).await),
            Ok(Err(error)) => tracing::debug!(image = %hash, error, "a leader's copy is not for its own use"),
            Err(panic) => tracing::warn!(image = %hash, %panic, "an image could not be looked at"),
        }
    }

    /// Whether the one that leads has to answer.
    pub(super) fn is_for_the_leader(&self, request: &Request) -> bool {
        match request {
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
            | Request::Logs(_)
            | Request::Leaders
            | Request::AddLeader { .. }
            | Request::RemoveLeader { .. } => true,
            Request::SetCapabilities { on, .. }
            | Request::Shutdown { on }
            | Request::Drain { on, .. }
            | Request::CancelDrain { on } => on.as_ref().is_some_and(|on| !self.is_me(on)),
            Request::SetLogLevel { address, .. } => !self.lives_here(*address),
            _ => false,
        }
    }

    /// Whether the answer needs a leader at all, here or elsewhere.
    pub(super) fn needs_a_leader(&self, request: &Request) -> bool {
        let reads =
            matches!(request, Request::Nodes | Request::Images | Request::ShowImage { .. } | Request::Authority);
        let elsewhere = match request {
            Request::Actors { node } => node.as_ref().is_none_or(|node| !self.is_me(node)),
            Request::Status { of } => of.as_ref().is_some_and(|of| !self.is_me(of)),
            _ => false,
        };
        reads || elsewhere || self.is_for_the_leader(request)
    }

    /// Has the one that leads answer, unless it no longer does.
    pub(super) async fn at_leader(&self, view: &View, request: &Request, replies: Option<&Replies>) -> Outcome {
        let leader = self.leader(view)?;
        let gone = async {
            match replies.filter(|_| matches!(request, Request::Logs(_))) {
                Some(replies) => replies.client_gone().await,
                None => std::future::pending().await,
            }
        };
        let code = if view.may_lead { codes::NO_MAJORITY } else { codes::LEADER_UNREACHABLE };
        let lost = |e: &dyn std::fmt::Display| {
            failed(code, format!("the leader was lost ({e}): what was asked for may have been done or not"))
        };
        tokio::select! {
            outcome = self.carry(leader, request, replies, lost) => outcome,
            () = self.follows_another(leader) => Err(failed(codes::NO_MAJORITY, lost(&"it leads no more").message)),
            () = gone => Ok(Reply::Done),
        }
    }

    /// Returns once this node follows another leader than this one, or none.
    async fn follows_another(&self, leader: NodeRef) {
        // A driver that has ended follows nobody.
        while self.view().await.is_ok_and(|view| view.leader == Some(leader)) {
            tokio::time::sleep(FOLLOWS_LOOK).await;
        }
    }

    /// Whether to do it twice is to do it once.
    pub(super) fn repeats(&self, request: &Request) -> bool {
        let once = matches!(request, Request::Logs(_) | Request::Shutdown { .. });
        !once && self.needs_a_leader(request)
    }
}

fn unchanged(error: LedgerError) -> Failed {
    failed(error.code(), error.to_string())
}
