//! Actors: talking to them, listing them, and what a node says of itself.

use super::create::encode;
use super::{NodeBackend, Outcome, PEER_TIME_MAX, failed, led, nodes, usage};
use crate::admin::protocol::{ActorItem, Reply, Request};
use crate::driver::View;
use crate::hosting::AskOutcome;
use crate::link::{LinkStats, RelayStats, Transport};
use crate::logs::CHOSEN_MAX;
use crate::process::ProcessRuntime;
use crate::transfer::Images;
use odeon::system::ActorStatus;
use odeon::{ActorExitRequest, Address, Level, PoisonMessage, Value};
use odeon_convention::codes;
use odeon_convention::leader::MemberState;
use odeon_convention::types::{AuthorityActor, Explanation, SourceHash};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long an ask may wait at most.
const ASK_TIME_MAX: Duration = Duration::from_secs(24 * 3600);

impl NodeBackend {
    pub(super) async fn ask(&self, address: Address, message: &Value, timeout_ms: u64) -> Outcome {
        let timeout = Duration::from_millis(timeout_ms).min(ASK_TIME_MAX);
        let asked = tokio::time::timeout(timeout, self.hosting.ask(address, encode(message)?)).await;
        match asked {
            Err(_) => Err(failed(codes::TIMED_OUT, format!("no reply came within {timeout_ms} ms"))),
            Ok(Err(error)) => Err(failed(codes::INTERNAL, error.to_string())),
            Ok(Ok(AskOutcome::Undeliverable)) => Err(gone(address)),
            Ok(Ok(AskOutcome::Reply(reply))) => match reply.get::<PoisonMessage>() {
                Some(poison) => Err(failed(codes::POISONED, format!("the actor failed twice: {}", poison.details))),
                None => reply.to_value().map(Reply::Answer).map_err(|e| failed(codes::BAD_REQUEST, e.to_string())),
            },
        }
    }

    pub(super) fn tell(&self, address: Address, message: &Value) -> Outcome {
        self.hosting.tell(address, encode(message)?);
        Ok(Reply::Done)
    }

    pub(super) fn stop(&self, address: Address) -> Outcome {
        self.hosting.tell_typed(address, ActorExitRequest::default());
        Ok(Reply::Done)
    }

    /// An actor that moved in under a promised address lives here as well.
    pub(super) fn lives_here(&self, address: Address) -> bool {
        address.node() == self.me || self.hosting.system().status(address).is_some()
    }

    pub(super) async fn set_log_level(&self, view: &View, address: Address, level: Option<Level>) -> Outcome {
        let system = self.hosting.system();
        let lives = |actor| system.status(actor).is_some();
        if lives(address) {
            return match self.hosting.log().levels().set(address, level, lives) {
                true => Ok(Reply::Done),
                false => Err(failed(codes::BAD_REQUEST, format!("{CHOSEN_MAX} actors have a log level of their own"))),
            };
        }
        match &view.led {
            _ if address.node() == self.me => Err(gone(address)),
            Some(led) if led.members.iter().any(|m| m.node == address.node() && m.state == MemberState::Alive) => {
                self.hand_on(address.node(), &Request::SetLogLevel { address, level }, None).await
            }
            Some(_) => Err(gone(address)),
            None => self.ask_leader(view, &Request::SetLogLevel { address, level }).await,
        }
    }

    pub(super) async fn actors(&self, view: &View, node: Option<String>) -> Outcome {
        match node {
            Some(node) if self.is_me(&node) => Ok(Reply::Actors(self.own_actors())),
            Some(node) => match &view.led {
                Some(led) => {
                    let member = nodes::find_living(led, &node)?;
                    let request = Request::Actors { node: Some(member.name.clone()) };
                    self.hand_on(member.node, &request, None).await
                }
                None => self.ask_leader(view, &Request::Actors { node: Some(node) }).await,
            },
            None if view.led.is_some() => Ok(Reply::Actors(self.all_actors(view).await)),
            None => self.ask_leader(view, &Request::Actors { node: None }).await,
        }
    }

    /// The actors of every node that answers.
    pub(super) async fn all_actors(&self, view: &View) -> Vec<ActorItem> {
        let mut all = self.own_actors();
        let Ok(led) = led(view) else { return all };
        let others = led.members.iter().filter(|m| m.state == MemberState::Alive && m.node != self.me);
        let others = others.map(|member| (member.node, member.name.clone())).collect();
        let asked = self.ask_each(others, PEER_TIME_MAX, |name| Request::Actors { node: Some(name.to_owned()) }).await;
        for (node, _, answer) in asked {
            match answer {
                Ok(Reply::Actors(actors)) => all.extend(actors),
                Ok(_) => tracing::warn!(%node, "a node answers something else than actors"),
                Err(error) => tracing::warn!(%node, error = error.message, "a node does not list its actors"),
            }
        }
        all
    }

    fn own_actors(&self) -> Vec<ActorItem> {
        self.hosting.system().actors().into_iter().map(|status| self.item(status)).collect()
    }

    fn item(&self, status: ActorStatus) -> ActorItem {
        ActorItem {
            address: status.address,
            actor: status.actor.to_string(),
            image: status.image.map(|image| image.to_string()),
            node: self.name.clone(),
            parent: status.parent,
            state: status.state.to_string(),
            received: status.received,
            queued: status.queued as u64,
        }
    }

    pub(super) async fn status(&self, view: &View, of: Option<String>) -> Outcome {
        let Some(of) = of.filter(|of| !self.is_me(of)) else { return Ok(Reply::Status(self.own_status(view))) };
        if let Ok(address) = of.parse::<Address>() {
            if let Some(status) = self.hosting.system().status(address) {
                let chosen = self.hosting.log().levels().of(address);
                return Ok(Reply::Status(actor_status(&self.item(status), chosen)));
            }
            if address.node() == self.me {
                return Err(gone(address));
            }
            let request = Request::Status { of: Some(of) };
            return match &view.led {
                Some(led) if led.members.iter().any(|m| m.node == address.node() && m.state == MemberState::Alive) => {
                    self.hand_on(address.node(), &request, None).await
                }
                Some(_) => Err(gone(address)),
                None => self.ask_leader(view, &request).await,
            };
        }
        match &view.led {
            Some(led) => {
                let member = nodes::find_living(led, &of)?;
                let request = Request::Status { of: Some(member.name.clone()) };
                self.hand_on(member.node, &request, None).await
            }
            None => self.ask_leader(view, &Request::Status { of: Some(of) }).await,
        }
    }

    fn own_status(&self, view: &View) -> Value {
        let (dead_letters, bad_frames) = self.hosting.counters();
        let links = self.links.stats();
        let count = |n: u64| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX));
        let refused = links.refused.iter().map(|(refusal, n)| (refusal.name().to_owned(), count(*n)));
        let entries = [
            ("name", Value::from(self.name.clone())),
            ("id", Value::from(self.me.id.to_string())),
            ("incarnation", Value::from(self.me.incarnation.0)),
            ("leads", Value::from(view.led.is_some())),
            ("leader", view.leader.map_or(Value::Null, |l| Value::from(l.id.to_string()))),
            ("listen", Value::from(self.listen.clone())),
            ("outbound_only", Value::from(self.listen.is_empty())),
            ("relay", links.relay.map_or(Value::Null, relay_status)),
            ("transport", Value::from(transport(&links).to_string())),
            ("uptime_s", count(self.started.elapsed().as_secs())),
            ("actors", count(self.hosting.system().count() as u64)),
            ("dead_letters", count(dead_letters)),
            ("bad_frames", count(bad_frames)),
            ("draining", Value::from(view.draining.is_some())),
            ("links", count(links.connected as u64)),
            ("links_over_tcp", count(links.over_tcp as u64)),
            ("fetching", fetching_status(&self.images)),
            ("image_authority", self.hosting.own_appointed().map_or(Value::Null, authority_status)),
            ("handshakes", count(links.handshakes as u64)),
            ("refused", Value::Map(refused.collect())),
            ("images", usage::usage_status(self.images.usage())),
            ("processes", self.images.processes().map_or(Value::Null, process_status)),
        ];
        Value::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }
}

/// What carries the links of a node, as far as that is the same for all.
fn transport(links: &LinkStats) -> Transport {
    if links.connected > 0 && links.over_tcp == links.connected { Transport::Tcp } else { Transport::Quic }
}

/// How this node runs code of images as processes.
fn process_status(processes: &ProcessRuntime) -> Value {
    let cage = processes.cage();
    Value::Map(BTreeMap::from([
        ("images".to_owned(), Value::Integer(i64::try_from(processes.count()).unwrap_or(i64::MAX))),
        ("landlock".to_owned(), Value::Integer(i64::from(cage.landlock))),
        ("seccomp".to_owned(), Value::from(cage.seccomp)),
        ("lacks".to_owned(), cage.lacks().map_or(Value::Null, Value::from)),
    ]))
}

/// The actor that decides for this node alone which images it uses.
fn authority_status((who, lives): (AuthorityActor, bool)) -> Value {
    Value::Map(BTreeMap::from([
        ("actor".to_owned(), Value::from(who.actor)),
        ("address".to_owned(), Value::from(who.address.to_string())),
        ("lives".to_owned(), Value::from(lives)),
    ]))
}

/// How much has come of each image that is being fetched.
fn fetching_status(images: &Images) -> Value {
    let count = |n: u64| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX));
    let status = |(hash, came, of): (SourceHash, u64, u64)| {
        let progress = BTreeMap::from([("bytes".to_owned(), count(came)), ("of".to_owned(), count(of))]);
        (hash.to_string(), Value::Map(progress))
    };
    Value::Map(images.fetching().into_iter().map(status).collect())
}

/// What this node carries between nodes that only dial.
fn relay_status(relay: RelayStats) -> Value {
    let count = |n: u64| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX));
    Value::Map(BTreeMap::from([
        ("nodes".to_owned(), count(relay.nodes as u64)),
        ("pairs".to_owned(), count(relay.pairs as u64)),
        ("waiting_bytes".to_owned(), count(relay.waiting_bytes as u64)),
        ("packets".to_owned(), count(relay.packets)),
        ("dropped".to_owned(), count(relay.dropped)),
    ]))
}

fn actor_status(item: &ActorItem, log_level: Option<Level>) -> Value {
    let count = |n: u64| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX));
    Value::Map(BTreeMap::from([
        ("address".to_owned(), Value::from(item.address.to_string())),
        ("actor".to_owned(), Value::from(item.actor.clone())),
        ("image".to_owned(), item.image.clone().map_or(Value::Null, Value::from)),
        ("node".to_owned(), Value::from(item.node.clone())),
        ("parent".to_owned(), item.parent.map_or(Value::Null, |p| Value::from(p.to_string()))),
        ("state".to_owned(), Value::from(item.state.clone())),
        ("received".to_owned(), count(item.received)),
        ("queued".to_owned(), count(item.queued)),
        (
            "log_level".to_owned(),
            log_level.map_or(Value::Null, |level| Value::from(format!("{level:?}").to_lowercase())),
        ),
    ]))
}

fn gone(address: Address) -> crate::admin::protocol::Failed {
    failed(codes::ACTOR_GONE, format!("no actor has the address {address} any more"))
}

/// One sentence that says how many nodes lack what.
pub(super) fn no_node(explanation: &Explanation) -> String {
    let reasons: Vec<_> =
        explanation.rejected.iter().map(|r| format!("{} of {} {}", r.nodes, explanation.nodes, r.reason)).collect();
    format!("none of {} nodes can host the actor: {}", explanation.nodes, reasons.join("; "))
}
