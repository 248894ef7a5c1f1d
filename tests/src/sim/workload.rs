//! What the actors and people of the convention do all day.

use super::queue::Event;
use super::truth;
use super::watch::Seen;
use super::world::World;
use odeon::{Address, NodeRef, Topic};
use odeon_capabilities::{CapabilityMap, Delta, Requirements, Value};
use odeon_convention::member;
use odeon_convention::types::{AuthorityClaim, CreateSpec, Placement};

const NAMES: [&str; 12] =
    ["clock", "mail", "ledger", "door", "index", "cache", "queue", "judge", "clerk", "guard", "smith", "baker"];

/// Nodes that somebody works on. In a larger fleet the others are there, host what is spread, and come and go.
const BUSY: usize = 200;
/// Of so many busy nodes one has actors that watch.
const WATCHING_ONE_IN: usize = 4;

impl World {
    /// One thing that somebody does, and when the next one comes.
    pub(super) fn work(&mut self) {
        if !self.faulty() {
            return;
        }
        match self.random.below(100) {
            0..=49 => self.create_somewhere(),
            50..=51 => self.claim_authority_somewhere(),
            52..=59 => self.watch_somewhere(),
            60..=74 => self.exit_somewhere(),
            75..=85 => self.change_somewhere(),
            86 => self.drain_somewhere(),
            87 => self.leave_somewhere(),
            _ => self.operate(),
        }
        let next = self.random.within(5, 25);
        self.after(next, Event::Work);
    }

    pub(super) fn first_capabilities(&mut self, node: usize) -> CapabilityMap {
        let mut map = CapabilityMap::new();
        let zone = *self.random.pick(&["a", "b", "c", "d"]);
        let gpu = i64::from(self.random.next() as u8 % 4);
        let mut set = |key: &str, value: Value| map.set(key, value).expect("a small map");
        set("zone", zone.into());
        set("gpu", gpu.into());
        set("db", node.is_multiple_of(4).into());
        map
    }

    pub(super) fn some_delta(&mut self) -> Delta {
        let mut delta = Delta::default();
        let (key, value): (&str, Option<Value>) = match self.random.below(4) {
            0 => ("db", Some(self.random.chance(40).into())),
            1 => ("zone", Some((*self.random.pick(&["a", "b", "c", "d"])).into())),
            2 => ("gpu", Some(i64::from(self.random.next() as u8 % 4).into())),
            _ => ("gpu", None),
        };
        delta.0.insert(key.to_owned(), value);
        delta
    }

    /// Which of the busy nodes; [`Self::busy`] says which node that is.
    fn draw_busy(&mut self) -> usize {
        self.random.below(self.nodes.len().min(BUSY))
    }

    fn busy(&self, drawn: usize) -> Option<(usize, NodeRef)> {
        let node = drawn * (self.nodes.len() / BUSY).max(1);
        self.nodes[node].running.as_ref().map(|p| (node, p.me))
    }

    fn some_process(&mut self) -> Option<(usize, NodeRef)> {
        let drawn = self.draw_busy();
        self.busy(drawn)
    }

    pub(super) fn some_spec(&mut self) -> CreateSpec {
        let actor = *self.random.pick(&[
            truth::ANY,
            truth::ANY,
            truth::DATABASE,
            truth::ZONED,
            truth::RARE,
            truth::IMAGED,
            "Nowhere",
        ]);
        let image = (actor == truth::IMAGED).then(|| truth::image(self.shelf.any(&mut self.random)).hash);
        let mut requirements = Requirements::none();
        if self.random.chance(15) {
            requirements = requirements.require("db");
        }
        if self.random.chance(15) {
            requirements = requirements.equal("zone", *self.random.pick(&["a", "b", "nowhere"]));
        }
        let placement = *self.random.pick(&[
            Placement::Local,
            Placement::Local,
            Placement::Spread,
            Placement::Pack,
            Placement::LeastLoaded,
        ]);
        let on = self.random.chance(5).then(|| self.nodes[self.random.below(self.nodes.len())].id());
        let global_name = self.random.chance(25).then(|| (*self.random.pick(&NAMES)).to_owned());
        let distinct = self.random.chance(15).then(|| (*self.random.pick(&["red", "green"])).to_owned());
        CreateSpec {
            actor: actor.to_owned(),
            image,
            requirements,
            global_name,
            placement,
            on,
            parent: None,
            promised: None,
            distinct,
        }
    }

    /// Everybody asks for actors of revoked images, at their own nodes.
    pub(super) fn tempt(&mut self) {
        for number in self.shelf.revoked().to_vec() {
            for drawn in 0..self.nodes.len().min(BUSY) {
                let Some((node, me)) = self.busy(drawn) else { continue };
                let image = Some(truth::image(number).hash);
                let spec = CreateSpec { actor: truth::IMAGED.to_owned(), image, global_name: None, ..self.some_spec() };
                self.ask_create(node, me, spec);
            }
        }
    }

    fn create_somewhere(&mut self) {
        let spec = self.some_spec();
        if let Some((node, me)) = self.some_process() {
            self.ask_create(node, me, spec);
        }
    }

    pub(super) fn ask_create(&mut self, node: usize, me: NodeRef, spec: CreateSpec) {
        let Some(process) = self.running(node, me) else { return };
        process.tickets += 1;
        let ticket = process.tickets;
        process.asked.insert(ticket, spec.clone());
        self.tell_member(node, me, member::Input::Create { ticket, spec: Box::new(spec) });
    }

    fn some_actor(&mut self, node: usize, me: NodeRef) -> Option<Address> {
        let draw = self.random.next() as usize;
        let actors = &self.running(node, me)?.actors;
        actors.keys().nth(draw % actors.len().max(1)).copied()
    }

    /// An actor begins to watch, or ends it. Only some nodes have such actors, as it is in a fleet, and every other one of
    /// these has hardly any that wants to know who is there.
    fn watch_somewhere(&mut self) {
        let on = self.random.chance(80);
        let topic = *self.random.pick(&[Topic::Members, Topic::Capabilities, Topic::Images]);
        let drawn = self.draw_busy();
        let drawn = drawn - drawn % WATCHING_ONE_IN;
        let rarely = drawn.is_multiple_of(2 * WATCHING_ONE_IN) && self.random.chance(90);
        let topic = if topic == Topic::Members && rarely { Topic::Capabilities } else { topic };
        let Some((node, me)) = self.busy(drawn) else { return };
        let Some(by) = self.some_actor(node, me) else { return };
        self.saw(&Seen::Watches { by, topic, on });
        self.tell_member(node, me, member::Input::Watch { by, topic, on });
    }

    /// An actor wants to be the Source Authority, and may not live for long.
    fn claim_authority_somewhere(&mut self) {
        let Some((node, me)) = self.some_process() else { return };
        let Some(address) = self.some_actor(node, me) else { return };
        let image = self.running(node, me).and_then(|process| process.actors.get(&address)).and_then(|a| a.image);
        let claim = AuthorityClaim { address, actor: truth::ANY.to_owned(), image };
        self.tell_member(node, me, member::Input::ClaimAuthority(claim));
        if self.random.chance(50) {
            let delay = self.random.within(0, 400);
            self.after(delay, Event::Exits { node, me, actor: address });
        }
    }

    fn exit_somewhere(&mut self) {
        let Some((node, me)) = self.some_process() else { return };
        if let Some(address) = self.some_actor(node, me) {
            self.exit(node, me, address);
        }
    }

    pub(super) fn exit(&mut self, node: usize, me: NodeRef, address: Address) {
        let Some(process) = self.running(node, me) else { return };
        let Some(actor) = process.actors.remove(&address) else { return };
        debug_assert_eq!(address.node(), me, "{:?}", actor.request);
        self.saw(&Seen::ActorEnded { host: me, address });
        self.tell_member(node, me, member::Input::Exited { address, global_name: actor.name });
    }

    fn change_somewhere(&mut self) {
        let delta = self.some_delta();
        if let Some((node, me)) = self.some_process() {
            self.tell_member(node, me, member::Input::ChangeCapabilities { delta });
        }
    }

    fn drain_somewhere(&mut self) {
        let draining = self.random.chance(60);
        if let Some((node, me)) = self.some_process() {
            self.tell_member(node, me, member::Input::Drain { draining });
        }
    }

    fn leave_somewhere(&mut self) {
        if let Some((node, me)) = self.some_process() {
            self.tell_member(node, me, member::Input::Leave);
        }
    }
}
