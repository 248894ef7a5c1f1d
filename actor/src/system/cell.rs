//! One actor: its mailbox, its state, its children, and what it can do (it is the actor's [`Host`]).
//!
//! `activation` runs it, `family` ends it.

use super::caught::caught;
use super::core::{Core, Posted};
use super::deferral::after;
use super::family::Family;
use super::limits::CIRCLE_MESSAGES;
use super::lock::Lock;
use super::mailbox::{Mail, Mailbox};
use super::outside::{Envelope, Exit, Pressure};
use super::pressure::Pressed;
use super::queue::Queue;
use super::suspension::{Open, Suspension};
use super::way::Way;
use crate::definition::Definition;
use crate::host::{CreateRequest, Host, Level, Surroundings};
use crate::pipe::Inlet;
use crate::{Actor, Address, AnyMessage, CapabilityMap, Failure, Suspended, Topic, Value, Wakeup};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

type Build = Arc<dyn Fn() -> Result<Box<dyn Actor>, Failure> + Send + Sync>;

/// What only the worker that runs the actor touches.
#[derive(Default)]
pub(super) struct Body {
    /// None before the constructor has run and after the actor is destroyed.
    pub(super) actor: Option<Box<dyn Actor>>,
    /// Messages taken out of the mailbox and not handled yet.
    pub(super) batch: Queue,
    /// The message that goes on being handled elsewhere.
    pub(super) open: Option<Box<Open>>,
    /// The actor itself, as its context has it, since its first turn.
    pub(super) host: Option<Surroundings>,
}

/// What senders touch comes first and what the worker touches last, so that they are in different lines of memory.
#[repr(C)]
pub(super) struct Cell {
    pub(super) core: Arc<Core>,
    pub(super) address: Address,
    pub(super) mailbox: Lock<Mailbox>,
    pub(super) parent: Option<Address>,
    pub(super) name: Arc<str>,
    pub(super) image: Option<Arc<str>>,
    build: Build,
    pub(super) global_name: Option<Box<str>>,
    pub(super) family: Mutex<Family>,
    pub(super) suspension: Mutex<Suspension>,
    /// The limit that the actor ran into during its current message.
    pub(super) pressed: Mutex<Option<Pressed>>,
    pub(super) body: Lock<Body>,
    pub(super) received: AtomicU64,
    /// Wakeups that are still to come.
    pub(super) wakeups: AtomicU32,
    pub(super) is_pressed: AtomicBool,
    /// Messages that it may send to whoever has too much, since it would wait for itself.
    spare: AtomicU8,
    /// Whether the current `receive` has suspended its message.
    pub(super) is_suspended: AtomicBool,
    /// Bits of [`super::deferral::after`].
    pub(super) after: AtomicU8,
    /// A shutdown asked it to exit.
    pub(super) asked: AtomicBool,
    /// How many of its next turns are not for [`super::Turn`].
    pub(super) turns_by_workers: AtomicU8,
}

impl Cell {
    pub(super) fn new(
        core: Arc<Core>,
        address: Address,
        parent: Option<Address>,
        definition: Definition,
        global_name: Option<Box<str>>,
    ) -> Self {
        Self {
            core,
            address,
            parent,
            name: definition.name,
            image: definition.image,
            build: definition.build,
            global_name,
            mailbox: Lock::new(Mailbox::new()),
            body: Lock::default(),
            family: Mutex::default(),
            pressed: Mutex::new(None),
            is_pressed: AtomicBool::new(false),
            spare: AtomicU8::new(0),
            suspension: Mutex::default(),
            is_suspended: AtomicBool::new(false),
            after: AtomicU8::new(0),
            asked: AtomicBool::new(false),
            turns_by_workers: AtomicU8::new(0),
            received: AtomicU64::new(0),
            wakeups: AtomicU32::new(0),
        }
    }

    /// Runs the constructor.
    pub(super) fn build(&self) -> Result<Box<dyn Actor>, Failure> {
        caught(|| (self.build)()).and_then(|built| built)
    }

    pub(super) fn exit_of(&self, reason: &str) -> Exit {
        Exit {
            actor: self.address,
            parent: self.parent,
            global_name: self.global_name.as_deref().map(str::to_owned),
            reason: reason.to_owned(),
        }
    }

    /// Remembers the first limit that the actor runs into during a message.
    fn press(&self, by: Pressed) {
        self.pressed.lock().get_or_insert(by);
        self.is_pressed.store(true, Relaxed);
    }

    /// The same for a target that has more than it should.
    #[cold]
    fn press_by(&self, target: &Address) {
        if !self.is_pressed.load(Relaxed)
            && !self.spends()
            && let Some(target) = self.core.find(target)
        {
            self.press(Pressed::Mailbox(target));
        }
    }

    #[cold]
    fn press_from_outside(&self, pressure: Pressure, seen: u64) {
        match pressure {
            Pressure::None => {}
            Pressure::PutAside(ticket) => self.press(Pressed::Ticket { ticket, seen }),
            Pressure::Held(ticket) if !self.spends() => self.press(Pressed::Held { ticket, seen }),
            Pressure::Held(_) => {}
            Pressure::Over(target) => self.press_by(&target),
        }
    }

    /// Lets the actor send a few messages to whoever has too much: it would wait for itself.
    pub(super) fn spare(&self) {
        self.spare.store(CIRCLE_MESSAGES, Relaxed);
    }

    /// Takes one of them, if there are any.
    fn spends(&self) -> bool {
        let left = self.spare.load(Relaxed);
        self.spare.store(left.saturating_sub(1), Relaxed);
        left > 0
    }

    /// Tells the actor itself something about a creation that came to nothing.
    fn refuse(&self, child: Address, reason: &str) {
        self.core.tell_exited(self.address, child, reason);
    }
}

impl Host for Cell {
    fn address(&self) -> Address {
        self.address
    }

    fn send(&self, to: Address, message: AnyMessage) {
        if let Some(governor) = self.core.governor.get()
            && governor.sent(self.address, self.core.timers.elapsed_ns())
        {
            self.press(Pressed::Rate);
        }
        // An actor whose address another node promised is known here to itself; all others ask the outside.
        if self.core.is_own(&to) || to == self.address {
            match self.core.post(&to, &self.address, message) {
                Posted::Kept => {}
                Posted::Over => self.press_by(&to),
                Posted::Dead(message) => self.core.dead(to, Mail { sender: self.address, message }),
            }
            return;
        }
        if to == Address::NODE && self.core.says_how_it_is(self.address, &message) {
            return;
        }
        let seen = self.core.pressure.resumes();
        let envelope = Envelope { to, sender: self.address, message };
        let pressure = self.core.outside.send(envelope);
        if pressure != Pressure::None {
            self.press_from_outside(pressure, seen);
        }
    }

    fn create(&self, request: CreateRequest) -> Address {
        if let Some(actor) = self.core.has_named(&request) {
            return actor;
        }
        let seen = self.core.outside.capabilities();
        let resolution = self.core.outside.resolve(Some(self.address), self.image.as_deref(), &request);
        self.core.create_child(self, request, resolution, &seen)
    }

    fn create_linked(&self, request: CreateRequest, linked: fn() -> Definition) -> Address {
        if let Some(actor) = self.core.has_named(&request) {
            return actor;
        }
        let seen = self.core.outside.capabilities();
        let resolution = self.core.outside.resolve_linked(Some(self.address), self.image.as_deref(), &request, linked);
        self.core.create_child(self, request, resolution, &seen)
    }

    fn wakeup_after(&self, delay: Duration, payload: Option<AnyMessage>) -> Wakeup {
        let payload = payload.and_then(|payload| match payload.encode() {
            Ok(encoded) => Some(encoded),
            Err(error) => {
                self.log(Level::Error, &format!("a wakeup will arrive without its payload: {error}"));
                None
            }
        });
        self.core.timers.wake(self, delay, payload).unwrap_or_else(|| {
            self.log(Level::Error, "a wakeup is dropped: the system has as many as it can hold");
            Wakeup::NEVER
        })
    }

    fn cancel_wakeup(&self, wakeup: Wakeup) {
        self.core.timers.cancel(&self.core, self.address, wakeup);
    }

    fn exit(&self) {
        self.note(after::EXIT);
    }

    fn defer(&self) {
        self.note(after::DEFER);
    }

    fn resume_deferred(&self) {
        self.note(after::RESUME);
    }

    fn request_status(&self, of: Address) {
        self.core.request_status(self.address, of);
    }

    fn handle_dead_letters(&self, on: bool) {
        self.core.letters.handle(self.address, on);
    }

    fn shut_down(&self) {
        match self.core.outside.may_shut_down(self.address) {
            true => self.core.begin_shutdown(),
            false => self.log(Level::Warn, "asked for a shutdown, which is not for actors here"),
        }
    }

    fn inlet(&self) -> Option<Arc<dyn Inlet>> {
        // In a simulation nothing comes from outside: it would not be the same the next time.
        let is_open = !self.core.is_simulated();
        is_open.then(|| Arc::new(Way { core: self.core.clone(), actor: self.address }) as Arc<dyn Inlet>)
    }

    fn capabilities(&self) -> Arc<CapabilityMap> {
        self.core.outside.capabilities()
    }

    fn update_capability(&self, key: String, value: Option<Value>) {
        self.core.outside.update_capability(self.address, key, value);
        if self.core.outside.changes_at_once() {
            self.core.recheck();
        }
    }

    fn watch(&self, topic: Topic, on: bool) {
        self.core.outside.watch(self.address, topic, on);
    }

    fn register_source_authority(&self) {
        self.core.outside.register_source_authority(self.address);
    }

    fn log(&self, level: Level, message: &str) {
        self.core.outside.log(self.address, &self.name, self.image.as_deref(), level, message);
    }

    fn suspend(&self) -> Option<Suspended> {
        self.core.find(&self.address).map(|cell| cell.suspended())
    }
}

impl Core {
    /// The actor here that has the global name that a request asks for.
    fn has_named(&self, request: &CreateRequest) -> Option<Address> {
        self.named(request.global_name.as_deref()?)
    }

    /// Does for a child what was resolved, by these capabilities or later ones.
    fn create_child(
        self: &Arc<Self>,
        creator: &Cell,
        request: CreateRequest,
        resolution: super::Resolution,
        seen: &Arc<CapabilityMap>,
    ) -> Address {
        use super::{Resolution, Spawn, SpawnError};
        match resolution {
            Resolution::Here(definition) => {
                let parent = Some(creator.address);
                let spawn = Spawn { definition, parent, global_name: request.global_name, address: None };
                match self.spawn_where(spawn, request.requirements) {
                    Ok(child) => {
                        self.look_again_unless(seen);
                        child
                    }
                    Err(SpawnError::NameTaken { by, .. }) => by,
                    Err(error) => {
                        let child = self.nobody();
                        creator.refuse(child, &error.to_string());
                        child
                    }
                }
            }
            Resolution::Exists(actor) => actor,
            Resolution::Elsewhere => {
                let child = self.promise();
                creator.family.lock().add(child);
                self.outside.create(child, Some(creator.address), creator.image.as_deref(), request);
                child
            }
            Resolution::Refused(reason) => {
                let child = self.nobody();
                creator.refuse(child, &reason);
                child
            }
        }
    }
}
