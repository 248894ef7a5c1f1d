//! What actors of a simulation watch: its nodes are the members, and whoever watches learns of each by and by.
//!
//! Images come from outside of a simulation, where actors are asked to be told of them: here is nothing to tell.

use super::flight::Cargo;
use super::state::{Resident, State};
use super::world::World;
use crate::system::Envelope;
use crate::{Address, AnyMessage, MemberChanged, MemberJoined, MemberLost, Topic};

/// Who watches what, in the order in which they began.
#[derive(Default)]
pub(super) struct Watchers(Vec<(Address, Topic)>);

impl Watchers {
    /// Says whether that is new.
    fn add(&mut self, by: Address, topic: Topic) -> bool {
        let is_new = !self.0.contains(&(by, topic));
        if is_new {
            self.0.push((by, topic));
        }
        is_new
    }

    fn remove(&mut self, by: Address, topic: Topic) {
        self.0.retain(|watch| *watch != (by, topic));
    }

    /// An actor that is gone watches nothing any more.
    pub(super) fn forget(&mut self, by: &Address) {
        self.0.retain(|(watcher, _)| watcher != by);
    }

    fn of(&self, topic: Topic) -> Vec<Address> {
        self.0.iter().filter(|(_, watched)| *watched == topic).map(|(by, _)| *by).collect()
    }
}

impl World {
    /// An actor begins or ends to watch. Of members it is told at first which there are.
    pub(super) fn watch(&self, by: Address, topic: Topic, on: bool) {
        let members = if on && topic == Topic::Members { self.everyone() } else { Vec::new() };
        let joined: Vec<_> = members.into_iter().map(|node| AnyMessage::new(self.joined(node))).collect();
        let mut state = self.state.lock();
        if !on {
            state.watchers.remove(by, topic);
        } else if state.residents.contains_key(&by) && state.watchers.add(by, topic) {
            joined.into_iter().for_each(|news| self.send_news(&mut state, by, news));
        }
    }

    fn joined(&self, node: usize) -> MemberJoined {
        let name = self.nodes[node].name.to_string();
        let capabilities = self.nodes[node].inner.capabilities().as_ref().clone();
        MemberJoined { node: self.core(node).node, name, listen: String::new(), capabilities }
    }

    /// Tells those who watch members that one is lost.
    pub(super) fn tell_lost(&self, node: usize) {
        let name = self.nodes[node].name.to_string();
        let lost = MemberLost { node: self.core(node).node, name, reason: "the simulation took it away".to_owned() };
        self.tell_watchers(Topic::Members, AnyMessage::new(lost));
    }

    /// Tells those who watch capabilities that a member has another value for a key, or none.
    pub(super) fn tell_changed(&self, node: usize, key: String) {
        if self.state.lock().lost[node] {
            return;
        }
        let MemberJoined { node, name, capabilities, .. } = self.joined(node);
        let changed = MemberChanged { node, name, capabilities, changed: vec![key] };
        self.tell_watchers(Topic::Capabilities, AnyMessage::new(changed));
    }

    fn tell_watchers(&self, topic: Topic, news: AnyMessage) {
        let mut state = self.state.lock();
        for watcher in state.watchers.of(topic) {
            self.send_news(&mut state, watcher, news.clone());
        }
    }

    /// Nobody can cut the way of news: it leads over no node of the simulation.
    fn send_news(&self, state: &mut State, to: Address, news: AnyMessage) {
        let delay = state.delay_ns(&self.settings);
        state.flight.send(Cargo::News { to, news }, self.now_ns().saturating_add(delay));
    }

    /// News reach an actor, or nobody: those for one that is gone are no dead letters.
    pub(super) fn hear(&self, to: Address, news: AnyMessage) {
        let envelope = Envelope { to, sender: to, message: news };
        let node = match self.state.lock().residents.get_mut(&to) {
            Some(Resident { node: Some(node), .. }) => *node,
            Some(resident) => return resident.parked.push(envelope),
            None => return,
        };
        let _ = self.nodes[node].system.try_deliver(envelope);
    }
}
