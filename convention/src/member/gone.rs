//! Who is gone: each start of a node is heard of once, and none that was missed stays unknown as long as a leader
//! remembers it.
//!
//! The ends of nodes are counted, as the ledger has them. A member keeps up to which of them it was told, and asks for
//! the others when a leader knows of more than it says. A start that registers for the first time has missed nothing:
//! nothing that lives here can have to do with a node that was gone before.

use super::Effect;
use super::machine::Member;
use crate::limits;
use crate::wire::ToLeader;
use odeon::{Incarnation, NodeId, NodeRef};
use std::collections::{BTreeMap, VecDeque};

/// Why a node is gone whose end was missed.
const MISSED: &str = "it is gone, as the leader knows";

#[derive(Debug, Default)]
pub(super) struct Gone {
    highest: BTreeMap<NodeId, Incarnation>,
    order: VecDeque<NodeId>,
    /// How many ends, ever, it was told of; none before it has registered.
    upto: Option<u64>,
    /// Whether it has asked for those after them.
    asked: bool,
}

impl Gone {
    /// Whether this is news.
    fn learn(&mut self, node: NodeRef) -> bool {
        match self.highest.insert(node.id, node.incarnation) {
            None => self.order.push_back(node.id),
            Some(known) if known >= node.incarnation => {
                self.highest.insert(node.id, known);
                return false;
            }
            Some(_) => {}
        }
        while self.order.len() > limits::GONE_REMEMBERED_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.highest.remove(&oldest);
            }
        }
        true
    }

    pub(super) fn knows(&self, node: NodeRef) -> bool {
        self.highest.get(&node.id).is_some_and(|known| *known >= node.incarnation)
    }
}

impl Member {
    /// What is told on every registration.
    pub(super) fn welcomed_with(&mut self, from: NodeRef, gone: Vec<NodeRef>, upto: u64) {
        let told = gone.len() as u64;
        for node in gone {
            self.member_gone(node, MISSED);
        }
        self.gone.asked = self.gone.upto.is_some_and(|known| known.saturating_add(told) < upto);
        match self.gone.upto.filter(|_| self.gone.asked) {
            Some(upto) => self.send(from, ToLeader::GoneSince { upto }),
            None => self.gone.upto = Some(upto),
        }
    }

    pub(super) fn members_gone(&mut self, nodes: Vec<NodeRef>, reason: &str, upto: u64) {
        for node in nodes {
            self.member_gone(node, reason);
        }
        // What it has asked for is on the way, and is of before.
        if !self.gone.asked {
            self.gone.upto = self.gone.upto.max(Some(upto));
        }
    }

    pub(super) fn gone_before(&mut self, nodes: Vec<NodeRef>, upto: u64, last: bool) {
        for node in nodes {
            self.member_gone(node, MISSED);
        }
        self.gone.upto = self.gone.upto.max(Some(upto));
        self.gone.asked &= !last;
    }

    fn member_gone(&mut self, node: NodeRef, reason: &str) {
        if node == self.me {
            return;
        }
        self.watched_gone(node, reason);
        if self.gone.learn(node) {
            self.effects.push_back(Effect::MemberGone { node, reason: reason.to_owned() });
        }
    }
}
