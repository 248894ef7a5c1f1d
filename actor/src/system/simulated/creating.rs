//! Where actors come to live in a simulation, and what becomes of them when their node is lost.

use super::decisions::{Decider, Kind};
use super::flight::Cargo;
use super::place::staged;
use super::trace::Event;
use super::world::{PROGRAM, World};
use crate::definition::Definition;
use crate::host::CreateRequest;
use crate::system::{Outside, Resolution, Spawn, SpawnError};
use crate::{Address, Requirements};
use std::collections::VecDeque;
use std::sync::atomic::Ordering::SeqCst;

impl World {
    /// Where a child may live: what the nodes say. Any that accepts it may be chosen; the creator's own is the plain choice.
    pub(super) fn resolve(
        &self,
        by: usize,
        request: &CreateRequest,
        ask: impl Fn(&dyn Outside) -> Resolution,
    ) -> Resolution {
        if let Some(actor) = request.global_name.as_deref().and_then(|name| self.named(name)) {
            return Resolution::Exists(actor);
        }
        let (mut places, mut elsewhere, mut refused) = (Vec::new(), false, Vec::new());
        for node in self.living(by) {
            match ask(&*self.nodes[node].inner) {
                Resolution::Here(definition) => places.push((node, definition)),
                Resolution::Exists(actor) => return Resolution::Exists(actor),
                Resolution::Elsewhere => elsewhere = true,
                Resolution::Refused(reason) => refused.push(reason),
            }
        }
        if places.is_empty() && !elsewhere {
            let reason = refused.into_iter().next();
            return Resolution::Refused(reason.unwrap_or_else(|| "every node is lost".to_owned()));
        }
        let mut state = self.state.lock();
        state.chosen = if places.is_empty() { None } else { Some(choose(&mut state.decider, places)) };
        Resolution::Elsewhere
    }

    /// Creates a child where it was resolved to. Gives back a request that goes outside of the simulation.
    pub(super) fn create(
        &self,
        by: usize,
        child: Address,
        parent: Option<Address>,
        request: CreateRequest,
    ) -> Option<CreateRequest> {
        let mut state = self.state.lock();
        let Some(mut places) = state.chosen.take() else {
            state.elsewhere.insert(child);
            return Some(request);
        };
        let parent = parent?;
        let node = places.front().map_or(by, |(node, _)| *node);
        state.admit(child, &request.actor.as_str().into(), Some(parent), request.global_name.as_deref(), node);
        if let Some((_, definition)) = places.pop_front_if(|(node, _)| *node == by) {
            drop(state);
            // As on every base, the constructor of a child that lives with its parent has run when the handler goes on.
            if let Err(error) = self.settle(child, by, definition, request.requirements) {
                self.nodes[by].system.child_exited(parent, child, &error.to_string());
            }
            return None;
        }
        let delay = self.way_ns(&mut state, by, node);
        let cargo = Cargo::Create { child, parent, places, requirements: request.requirements };
        state.flight.send(cargo, self.now_ns().saturating_add(delay));
        None
    }

    /// Creates an actor that was admitted, and gives it what came before.
    fn settle(
        &self,
        actor: Address,
        node: usize,
        definition: Definition,
        requirements: Requirements,
    ) -> Result<(), SpawnError> {
        let global_name = self.state.lock().residents.get(&actor).and_then(|resident| resident.global_name.clone());
        let definition = staged(definition, &self.me);
        let spawn = Spawn { definition, parent: None, global_name, address: Some(actor) };
        let seen = self.nodes[node].inner.capabilities();
        let spawned = self.nodes[node].system.spawn_where(spawn, requirements);
        let now = self.now_ns();
        let mut state = self.state.lock();
        let parked = match &spawned {
            Ok(_) => {
                let mut by = None;
                let parked = state.residents.get_mut(&actor).map(|resident| {
                    resident.node = Some(node);
                    resident.bound = node;
                    by = resident.parent;
                    std::mem::take(&mut resident.parked)
                });
                state.record(now, |state| Event::Created {
                    actor: state.label(&actor),
                    by: by.map_or_else(|| "program".into(), |by| state.label(&by)),
                    node: self.nodes[node].name.clone(),
                });
                parked
            }
            Err(error) => {
                state.record(now, |state| Event::Exited { actor: state.label(&actor), reason: error.to_string() });
                state.dismiss(&actor).map(|resident| resident.parked)
            }
        };
        drop(state);
        for envelope in parked.into_iter().flatten() {
            self.nodes[node].system.deliver(envelope);
        }
        // Its constructor may have changed what lets it in.
        self.core(node).look_again_unless(&seen);
        spawned.map(|_| ())
    }

    /// Creates an actor on one of these nodes.
    pub(super) fn spawn(
        &self,
        places: Vec<(usize, Definition)>,
        spawn: Spawn,
        requirements: Requirements,
    ) -> Result<Address, SpawnError> {
        let Spawn { definition, parent, global_name, address } = spawn;
        let mut state = self.state.lock();
        if self.core(PROGRAM).is_closing() {
            return Err(SpawnError::Closed);
        }
        if let Some(name) = &global_name
            && let Some(by) = state.names.get(name)
        {
            return Err(SpawnError::NameTaken { name: name.clone(), by: *by });
        }
        if let Some(address) = address
            && state.residents.contains_key(&address)
        {
            return Err(SpawnError::AddressTaken(address));
        }
        let Some((node, definition)) = choose(&mut state.decider, places).pop_front() else {
            let reason = "every node is lost".to_owned();
            return Err(SpawnError::Constructor { actor: definition.name.to_string(), reason });
        };
        let actor = address.unwrap_or_else(|| self.core(PROGRAM).promise());
        state.admit(actor, &definition.name, parent, global_name.as_deref(), node);
        let home = parent.and_then(|parent| state.residents.get(&parent)?.node.map(|node| (node, parent)));
        drop(state);
        self.settle(actor, node, definition, requirements)?;
        if let Some((node, parent)) = home
            && let Some(parent) = self.core(node).find(&parent)
        {
            parent.family.lock().add(actor);
        }
        Ok(actor)
    }

    /// Creates a child on another node than its parent's.
    pub(super) fn create_far(
        &self,
        child: Address,
        parent: Address,
        places: VecDeque<(usize, Definition)>,
        requirements: Requirements,
    ) {
        let accepts = |(node, definition): &(usize, Definition)| {
            self.nodes[*node].inner.accepts(&definition.name, definition.image.as_deref(), &requirements)
        };
        let living = self.everyone();
        let place = places.into_iter().filter(|(node, _)| living.contains(node)).find(accepts);
        let failed = match place {
            Some((node, definition)) => {
                self.settle(child, node, definition, requirements).err().map(|error| (error.to_string(), node))
            }
            None => {
                let parked = self.state.lock().dismiss(&child).map(|resident| resident.parked);
                parked.into_iter().flatten().for_each(|envelope| self.dead(PROGRAM, envelope));
                Some(("every node that accepted it is lost, or does so no more".to_owned(), PROGRAM))
            }
        };
        if let Some((reason, node)) = failed {
            self.tell_parent(&mut self.state.lock(), Some(parent), child, &reason, node);
        }
    }

    /// The nodes where an actor can live, `first` before the others.
    fn living(&self, first: usize) -> Vec<usize> {
        let state = self.state.lock();
        let mut living: Vec<_> = (PROGRAM + 1..self.nodes.len()).filter(|node| !state.lost[*node]).collect();
        living.sort_by_key(|node| *node != first);
        living
    }

    /// Every node that lives and can have actors.
    pub(super) fn everyone(&self) -> Vec<usize> {
        self.living(PROGRAM)
    }

    /// Every node that lives, with the same definition.
    pub(super) fn everywhere(&self, definition: &Definition) -> Vec<(usize, Definition)> {
        self.living(PROGRAM).into_iter().map(|node| (node, definition.clone())).collect()
    }

    /// Loses the nodes whose time has come. Not while an actor is in its handler, waiting for an answer.
    pub(super) fn lose_some(&self) {
        if self.depth.load(SeqCst) > 0 {
            return;
        }
        loop {
            let living = self.living(PROGRAM);
            let mut state = self.state.lock();
            let steps = state.steps;
            let Some(due) = state.losses.iter().position(|at| *at <= steps) else { return };
            state.losses.swap_remove(due);
            if living.is_empty() {
                return;
            }
            let node = living[state.decider.choose(Kind::Loss, living.len())];
            drop(state);
            self.lose(node);
        }
    }

    /// Loses a node: its actors are gone, their parents are told. What is under way from it still arrives.
    pub(super) fn lose(&self, node: usize) {
        let name = self.nodes[node].name.clone();
        let gone = {
            let now = self.now_ns();
            let mut state = self.state.lock();
            if std::mem::replace(&mut state.lost[node], true) {
                return;
            }
            state.record(now, |_| Event::Lost { node: name.clone() });
            let gone = state.in_order(|resident| resident.node == Some(node));
            gone.into_iter().filter_map(|actor| Some((actor, state.dismiss(&actor)?.parent))).collect::<Vec<_>>()
        };
        let core = self.core(node);
        core.close();
        self.queue.forget(core);
        core.clear();
        self.tell_lost(node);
        for (child, parent) in gone {
            self.tell_parent(&mut self.state.lock(), parent, child, &format!("its node {name} was lost"), PROGRAM);
            self.release(child);
        }
    }
}

/// The places, beginning with the one that is chosen.
fn choose(decider: &mut Decider, places: Vec<(usize, Definition)>) -> VecDeque<(usize, Definition)> {
    let mut places = VecDeque::from(places);
    let chosen = decider.choose(Kind::Place, places.len());
    if let Some(place) = places.remove(chosen) {
        places.push_front(place);
    }
    places
}
