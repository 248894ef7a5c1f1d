//! The heart that all handles of one system share: the tables of actors, and the way of a message to its mailbox.

use super::caught::{caught, dropped};
use super::cell::Cell;
use super::deferral::Deferred;
use super::governor::Governor;
use super::inline::Inline;
use super::letters::Letters;
use super::mailbox::{ActorState, Mail, Mailbox, Pushed};
use super::nonce::nonce;
use super::outside::{Envelope, Outside};
use super::pool::Pool;
use super::pressure::Waits;
use super::recheck::Required;
use super::simulated::Random;
use super::slots::{Entry, Line, NOBODY, Slots};
use super::timers::{Clock, Timers};
use super::{Spawn, SpawnError};
use crate::{Address, AnyMessage, NodeRef};
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex, RwLock};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

const SHARDS: usize = 16;

/// Who runs the actors.
pub(super) enum Scheduler {
    Pool(Pool),
    Inline(Arc<Inline>),
}

/// What became of a message.
pub(super) enum Posted<M> {
    Kept,
    /// Kept, but the actor there has more than it should.
    Over,
    /// Nobody lives there.
    Dead(M),
}

pub(super) struct Core {
    pub(super) node: NodeRef,
    pub(super) scheduler: Scheduler,
    pub(super) outside: Arc<dyn Outside>,
    pub(super) slots: Slots,
    pub(super) timers: Timers,
    /// What makes addresses in a simulation, where they are no secrets; else nobody can guess them.
    numbers: Option<Arc<Mutex<Random>>>,
    pub(super) pressure: Waits,
    /// None where actors may send as much as they can.
    pub(super) governor: OnceLock<Governor>,
    /// Actors hosted here under addresses that were promised, by this node or another.
    adopted: [RwLock<HashMap<Address, Arc<Cell>>>; SHARDS],
    names: Mutex<HashMap<Box<str>, Address>>,
    /// Promised addresses have numbers of their own: they take no slot here.
    promises: AtomicU32,
    /// Actors that are not gone yet.
    pub(super) count: AtomicUsize,
    /// Messages that actors were given who are gone.
    pub(super) received_before: AtomicU64,
    /// Told when there is no actor any more.
    pub(super) quiet: Condvar,
    closing: AtomicBool,
    pub(super) deferred: Deferred,
    pub(super) letters: Letters,
    /// What creators asked of the system, for actors of whom anything was asked.
    pub(super) required: Required,
    /// What a shutdown waits for beside actors.
    pub(super) holds: AtomicUsize,
}

impl Core {
    pub(super) fn new(node: NodeRef, scheduler: Scheduler, outside: Arc<dyn Outside>) -> Arc<Self> {
        Self::with(node, scheduler, outside, Clock::Real, None)
    }

    /// The same with a clock of its own, and a source of the numbers in its addresses.
    pub(super) fn with(
        node: NodeRef,
        scheduler: Scheduler,
        outside: Arc<dyn Outside>,
        clock: Clock,
        numbers: Option<Arc<Mutex<Random>>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            node,
            scheduler,
            outside,
            slots: Slots::new(),
            timers: Timers::new(clock),
            numbers,
            pressure: Waits::default(),
            governor: OnceLock::new(),
            adopted: std::array::from_fn(|_| RwLock::default()),
            names: Mutex::default(),
            promises: AtomicU32::new(0),
            count: AtomicUsize::new(0),
            received_before: AtomicU64::new(0),
            quiet: Condvar::new(),
            closing: AtomicBool::new(false),
            deferred: Deferred::default(),
            letters: Letters::default(),
            required: Required::default(),
            holds: AtomicUsize::new(0),
        })
    }

    pub(super) fn is_simulated(&self) -> bool {
        self.numbers.is_some()
    }

    pub(super) fn pool(&self) -> Option<&Pool> {
        match &self.scheduler {
            Scheduler::Pool(pool) => Some(pool),
            Scheduler::Inline(_) => None,
        }
    }

    pub(super) fn schedule(&self, cell: Arc<Cell>) {
        match &self.scheduler {
            Scheduler::Pool(pool) => pool.schedule(cell),
            Scheduler::Inline(inline) => inline.schedule(cell),
        }
    }

    /// The same for an actor that may go on because the one in whose turn this is has caught up.
    pub(super) fn schedule_after_this(&self, cell: Arc<Cell>) {
        match &self.scheduler {
            Scheduler::Pool(pool) => pool.schedule_after_this(cell),
            Scheduler::Inline(inline) => inline.schedule(cell),
        }
    }

    /// Whether this system decides alone what lives at an address.
    #[inline]
    pub(super) fn is_own(&self, address: &Address) -> bool {
        !address.is_promised() && address.node() == self.node
    }

    fn shard(&self, address: &Address) -> &RwLock<HashMap<Address, Arc<Cell>>> {
        &self.adopted[address.nonce() as usize % SHARDS]
    }

    /// The actor at an address.
    pub(super) fn find(&self, address: &Address) -> Option<Arc<Cell>> {
        if !self.is_own(address) {
            return self.shard(address).read().get(address).cloned();
        }
        match &*self.slots.entry(address)? {
            Entry::Actor(cell) => Some(cell.clone()),
            _ => None,
        }
    }

    /// Puts a message into the mailbox at an address.
    pub(super) fn post(&self, to: &Address, sender: &Address, message: AnyMessage) -> Posted<AnyMessage> {
        let put = if self.is_own(to) {
            let Some(entry) = self.slots.entry(to) else { return Posted::Dead(message) };
            match &*entry {
                Entry::Actor(cell) => put(cell, |mailbox| mailbox.push(sender, message)),
                Entry::Line(line) => {
                    let line = line.clone();
                    drop(entry);
                    self.call(&line, Envelope { to: *to, sender: *sender, message });
                    return Posted::Kept;
                }
                Entry::Free => return Posted::Dead(message),
            }
        } else {
            match self.shard(to).read().get(to) {
                Some(cell) => put(cell, |mailbox| mailbox.push(sender, message)),
                None => return Posted::Dead(message),
            }
        };
        self.posted(put)
    }

    pub(super) fn posted<M>(&self, put: Put<M>) -> Posted<M> {
        match put {
            Put::Kept => Posted::Kept,
            Put::Wake(cell) => {
                self.schedule(cell);
                Posted::Kept
            }
            Put::Over => Posted::Over,
            Put::Closed(message) => Posted::Dead(message),
        }
    }

    /// Hands a message to what receives without being an actor.
    fn call(&self, line: &Line, envelope: Envelope) {
        let _ = caught(|| (line.on_message)(envelope));
        if let Scheduler::Inline(inline) = &self.scheduler {
            inline.poke();
        }
    }

    /// Delivers to an actor here, or to the dead letters. Never waits. Says whether the actor has more than it should.
    pub(super) fn deliver(&self, to: Address, mail: Mail) -> bool {
        let Mail { sender, message } = mail;
        match self.post(&to, &sender, message) {
            Posted::Kept => false,
            Posted::Over => true,
            Posted::Dead(message) => {
                self.dead(to, Mail { sender, message });
                false
            }
        }
    }

    pub(super) fn dead(&self, to: Address, mail: Mail) {
        let envelope = Envelope { to, sender: mail.sender, message: mail.message };
        // Counted before anybody can answer it.
        let _ = caught(|| self.outside.dead_letter(envelope.clone()));
        self.hand_dead_letter(&envelope);
    }

    /// A number that tells an address from others of its slot.
    fn number(&self) -> u64 {
        match &self.numbers {
            Some(numbers) => numbers.lock().next(),
            None => nonce(),
        }
    }

    /// The address of an actor that never was.
    pub(super) fn nobody(&self) -> Address {
        Address::mint(self.node, NOBODY, self.number())
    }

    /// An address for an actor that may come to live anywhere.
    pub(super) fn promise(&self) -> Address {
        let number = self.promises.fetch_add(1, Relaxed) & (u32::MAX >> 1);
        Address::mint_promised(self.node, number, self.number())
    }

    pub(super) fn spawn(self: &Arc<Self>, spawn: Spawn) -> Result<Address, SpawnError> {
        if self.is_closing() {
            return Err(SpawnError::Closed);
        }
        let Spawn { definition, parent, global_name, address } = spawn;
        let name = definition.name.clone();
        let (address, slot) = match address {
            Some(address) => (address, None),
            None => {
                let slot = self.slots.reserve().ok_or(SpawnError::Full)?;
                (Address::mint(self.node, slot, self.number()), Some(slot))
            }
        };
        if let Some(global) = &global_name
            && let Err(by) = self.claim_name(global, address)
        {
            slot.into_iter().for_each(|slot| self.slots.release(slot));
            return Err(SpawnError::NameTaken { name: global.clone(), by });
        }
        let cell =
            Arc::new(Cell::new(self.clone(), address, parent, definition, global_name.map(String::into_boxed_str)));
        if !self.place(&cell, slot) {
            cell.global_name.iter().for_each(|name| self.release_name(name, address));
            return Err(SpawnError::AddressTaken(address));
        }
        self.count.fetch_add(1, SeqCst);
        match cell.build() {
            Ok(actor) => {
                cell.body.lock().actor = Some(actor);
                if let Some(parent) = parent.and_then(|parent| self.find(&parent)) {
                    parent.family.lock().add(address);
                }
                self.open(cell);
                Ok(address)
            }
            Err(failure) => {
                self.abort(&cell);
                Err(SpawnError::Constructor { actor: name.to_string(), reason: failure.reason().to_owned() })
            }
        }
    }

    /// Makes an address lead to its actor. What is sent there waits for the constructor.
    fn place(&self, cell: &Arc<Cell>, slot: Option<u32>) -> bool {
        match slot {
            Some(slot) => {
                self.slots.fill(slot, Entry::Actor(cell.clone()));
                true
            }
            None => self.shard(&cell.address).write().try_insert(cell.address, cell.clone()).is_ok(),
        }
    }

    /// Lets a built actor have its turns.
    fn open(&self, cell: Arc<Cell>) {
        let mut mailbox = cell.mailbox.lock();
        let mail = mailbox.len() > 0;
        mailbox.state = if mail { ActorState::Queued } else { ActorState::Idle };
        drop(mailbox);
        if mail {
            self.schedule(cell);
        }
    }

    /// Undoes the spawn of an actor whose constructor failed.
    fn abort(&self, cell: &Arc<Cell>) {
        cell.global_name.iter().for_each(|name| self.release_name(name, cell.address));
        let (mail, released) = cell.mailbox.lock().close();
        self.forget(cell);
        cell.let_go(released, Cell::go_on);
        mail.into_mails().for_each(|mail| self.dead(cell.address, mail));
        if self.count.fetch_sub(1, SeqCst) == 1 {
            self.quiet.notify_all();
        }
    }

    /// Frees the address of an actor that is gone.
    pub(super) fn forget(&self, cell: &Cell) {
        self.required.forget(&cell.address);
        self.received_before.fetch_add(cell.received.load(Relaxed), Relaxed);
        if self.is_own(&cell.address) {
            self.slots.release(cell.address.slot());
        } else {
            self.shard(&cell.address).write().remove(&cell.address);
        }
    }

    fn claim_name(&self, name: &str, address: Address) -> Result<(), Address> {
        let mut names = self.names.lock();
        match names.get(name) {
            Some(by) => Err(*by),
            None => {
                names.insert(name.into(), address);
                Ok(())
            }
        }
    }

    pub(super) fn release_name(&self, name: &str, address: Address) {
        let mut names = self.names.lock();
        if names.get(name) == Some(&address) {
            names.remove(name);
        }
    }

    /// Who has a global name in this system.
    pub(super) fn named(&self, name: &str) -> Option<Address> {
        self.names.lock().get(name).copied()
    }

    /// Gives something that is not an actor an address.
    pub(super) fn open_line(&self, on_message: Box<dyn Fn(Envelope) + Send + Sync>) -> Result<Address, SpawnError> {
        let slot = self.slots.reserve().ok_or(SpawnError::Full)?;
        let nonce = self.number();
        self.slots.fill(slot, Entry::Line(Arc::new(Line { nonce, on_message })));
        Ok(Address::mint(self.node, slot, nonce))
    }

    /// Every actor that is not gone, those that were promised in the order of their addresses.
    pub(super) fn cells(&self) -> Vec<Arc<Cell>> {
        let mut cells = self.slots.actors();
        let own = cells.len();
        for shard in &self.adopted {
            cells.extend(shard.read().values().cloned());
        }
        cells[own..].sort_unstable_by_key(|cell| cell.address);
        cells
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(SeqCst)
    }

    /// No actor is created or put aside from now on.
    pub(super) fn close(&self) {
        self.closing.store(true, SeqCst);
        self.pressure.resume_all();
        for cell in self.cells() {
            cell.go_on();
        }
    }

    /// Destroys what is left once nothing runs any more.
    pub(super) fn clear(&self) {
        for (actor, mails) in self.deferred.drain() {
            mails.into_iter().for_each(|mail| self.dead(actor, mail));
        }
        for cell in self.cells() {
            let (mail, _) = cell.mailbox.lock().close();
            self.forget(&cell);
            mail.into_mails().for_each(|mail| self.dead(cell.address, mail));
            // An actor that is still in its handler, on a thread that never came back, keeps its state.
            if let Some(mut body) = cell.body.try_lock() {
                dropped(std::mem::take(&mut *body));
            }
        }
    }
}

/// What a mailbox has made of a message, and whom to schedule.
pub(super) enum Put<M> {
    Kept,
    Wake(Arc<Cell>),
    Over,
    Closed(M),
}

#[inline]
pub(super) fn put<M>(cell: &Arc<Cell>, push: impl FnOnce(&mut Mailbox) -> Pushed<M>) -> Put<M> {
    match push(&mut cell.mailbox.lock()) {
        Pushed::Kept => Put::Kept,
        Pushed::Wake => Put::Wake(cell.clone()),
        Pushed::Over => Put::Over,
        Pushed::Closed(message) => Put::Closed(message),
    }
}
