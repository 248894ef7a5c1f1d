//! Nodes: listing them, changing what they have, tokens, shutting them down.

use super::{NodeBackend, Outcome, failed, led};
use crate::admin::Caller;
use crate::admin::protocol::{Failed, NodeItem, NodeRole, Reply, Request, UnconfirmedItem};
use crate::driver::{Event, LedView, View};
use crate::identity::{TOKEN_ADDRESSES_MAX, Token};
use crate::link::ADDRESS_SEPARATOR;
use crate::logs::time;
use hashbrown::HashMap;
use odeon::NodeRef;
use odeon_capabilities::Delta;
use odeon_convention::codes;
use odeon_convention::leader::{MemberState, MemberView, Operation};
use odeon_convention::record::TokenFact;
use odeon_convention::types::Role;
use tokio::sync::oneshot;

/// A token lives this long at most.
const TOKEN_TTL_MAX_S: u64 = 366 * 24 * 3600;

/// The member with this name or id, the living one first.
pub(super) fn find<'a>(led: &'a LedView, name_or_id: &str) -> Result<&'a MemberView, Failed> {
    led.members
        .iter()
        .filter(|m| m.name == name_or_id || m.node.id.to_string() == name_or_id)
        .min_by_key(|m| m.state)
        .ok_or_else(|| failed(codes::NODE_UNKNOWN, format!("no node has the name or id {name_or_id:?}")))
}

/// The member with this name or id, if something can be asked of it.
pub(super) fn find_living<'a>(led: &'a LedView, name_or_id: &str) -> Result<&'a MemberView, Failed> {
    let member = find(led, name_or_id)?;
    living(name_or_id, member.state)?;
    Ok(member)
}

pub(super) fn living(name_or_id: &str, state: MemberState) -> Result<(), Failed> {
    match state {
        MemberState::Alive | MemberState::Suspect => Ok(()),
        gone => Err(failed(codes::NODE_UNREACHABLE, format!("node {name_or_id} is {gone:?}").to_lowercase())),
    }
}

/// Members as an answer lists them, by name. The name of one that has gone since is empty.
pub(super) fn named(led: &LedView, nodes: &[NodeRef]) -> Vec<UnconfirmedItem> {
    let names: HashMap<NodeRef, &str> = led.members.iter().map(|m| (m.node, m.name.as_str())).collect();
    let name_of = |node: &NodeRef| names.get(node).copied().unwrap_or_default().to_owned();
    let mut items: Vec<UnconfirmedItem> =
        nodes.iter().map(|node| UnconfirmedItem { node: node.id.to_string(), name: name_of(node) }).collect();
    items.sort_by(|a, b| (&a.name, &a.node).cmp(&(&b.name, &b.node)));
    items
}

impl NodeBackend {
    pub(super) async fn nodes(&self, view: &View) -> Result<Vec<NodeItem>, Failed> {
        if let Some(led) = &view.led {
            return Ok(led.members.iter().map(|member| item(member, self.role_of(member.node.id))).collect());
        }
        match self.ask_leader(view, &Request::Nodes).await? {
            Reply::Nodes(nodes) => Ok(nodes),
            _ => Err(failed(codes::BAD_REQUEST, "the leader answers something else than nodes")),
        }
    }

    /// The name of a node, as the leader knows it; its id where the leader cannot be asked.
    pub(super) async fn name_of(&self, view: &View, node: NodeRef) -> String {
        if node == self.me {
            return self.name.clone();
        }
        if let Some(name) = self.names.of(node) {
            return name;
        }
        let id = node.id.to_string();
        let nodes = self.nodes(view).await.unwrap_or_default();
        let Some(found) = nodes.into_iter().find(|n| n.id == id) else { return id };
        if found.incarnation == node.incarnation.0 {
            self.names.learn(node, found.name.clone());
        }
        found.name
    }

    pub(super) fn is_me(&self, name_or_id: &str) -> bool {
        name_or_id == self.name || name_or_id == self.me.id.to_string()
    }

    pub(super) async fn set_capabilities(
        &self,
        view: &View,
        caller: &Caller,
        on: Option<String>,
        delta: Delta,
    ) -> Outcome {
        match on.filter(|on| !self.is_me(on)) {
            None if matches!(caller, Caller::Peer(_, Role::Member)) => {
                Err(failed(codes::ROLE, "a node changes its own only"))
            }
            None => {
                let (end, done) = oneshot::channel();
                self.event(Event::ChangeCapabilities { delta, end }).await?;
                let done = done.await.map_err(|_| super::stopping())?;
                done.map_err(|reason| failed(codes::BAD_CAPABILITY, reason))?;
                Ok(Reply::Done)
            }
            Some(on) => {
                let node = find_living(led(view)?, &on)?.node.id;
                self.operation(Operation::SetCapabilities { node, delta }).await?;
                Ok(Reply::Done)
            }
        }
    }

    pub(super) async fn shut_down(&self, view: &View, on: Option<String>) -> Outcome {
        let Some(on) = on.filter(|on| !self.is_me(on)) else {
            self.event(Event::Leave).await?;
            return Ok(Reply::Done);
        };
        let member = find_living(led(view)?, &on)?;
        self.hand_on(member.node, &Request::Shutdown { on: None }, None).await
    }

    pub(super) async fn create_token(
        &self,
        role: Role,
        ttl_s: u64,
        uses: Option<u32>,
        claims: Option<Vec<String>>,
    ) -> Outcome {
        if ttl_s == 0 || ttl_s > TOKEN_TTL_MAX_S {
            return Err(failed(
                codes::BAD_REQUEST,
                format!("a token's time of {ttl_s} s is not between 1 s and {TOKEN_TTL_MAX_S} s"),
            ));
        }
        let leaders = self.leaders_at();
        let addresses = leaders.iter().flat_map(|leader| leader.listen.split(ADDRESS_SEPARATOR));
        let addresses = addresses.filter(|address| !address.is_empty()).map(str::to_owned);
        let token = Token::create(addresses.take(TOKEN_ADDRESSES_MAX).collect(), self.identity.ca_digest())
            .map_err(|e| failed(codes::INTERNAL, e.to_string()))?;
        let id = token.id().map_err(|e| failed(codes::INTERNAL, e.to_string()))?;
        let fact = TokenFact { id, role, expires_unix_s: time::now_ms() / 1000 + ttl_s, uses, claims };
        self.operation(Operation::CreateToken(fact)).await?;
        Ok(Reply::Token(token.to_string()))
    }
}

fn item(member: &MemberView, role: NodeRole) -> NodeItem {
    NodeItem {
        name: member.name.clone(),
        id: member.node.id.to_string(),
        incarnation: member.node.incarnation.0,
        state: member.state,
        role,
        listen: member.listen.clone(),
        capabilities: member.capabilities.clone(),
        actors: member.actors,
        draining: member.draining,
        since: time::format_s(time::now_ms().saturating_sub(member.since_ms) / 1000),
    }
}
