//! The process of one image, whether it runs or not: what it is asked for, and by how many actors.

use super::Engine;
use super::accounts::{Accounts, ProcessUsage};
use super::actor::Hosted;
use super::folder::Folder;
use super::limits::{BACKOFF_MAX, BACKOFF_MIN, CALL_MAX, LIFE_MIN, ProcessLimits};
use super::program::Program;
use super::work::{Check, Checking, Work};
use super::{ProcessError, serving};
use odeon::process::Described;
use odeon::{Actor, CapabilityView, Definition, Failure, Requirements};
use odeon_sourceauth::{Grants, Image, Manifest};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The process of an image. The image's actors and definitions hold it.
pub(super) struct Process {
    pub(super) hash: Arc<str>,
    /// Name and version, for people.
    pub(super) title: String,
    pub(super) program: Program,
    /// What it asks for besides.
    pub(super) grants: Grants,
    pub(super) folder: Folder,
    pub(super) limits: ProcessLimits,
    pub(super) engine: Arc<Engine>,
    pub(super) accounts: Accounts,
    /// Tells the task that serves that there is something to do.
    pub(super) wake: Notify,
    state: Mutex<State>,
    numbers: AtomicU64,
}

#[derive(Default)]
struct State {
    /// At most one message of each actor, and what threads wait for.
    waiting: VecDeque<Work>,
    /// Actors that are gone, which the process may still have.
    gone: Vec<u64>,
    /// Actors that are there.
    actors: usize,
    /// A task serves, or is about to.
    is_served: bool,
    /// Its files are gone: no process is started any more.
    is_retired: bool,
    /// Deaths in a row.
    deaths: u32,
    /// Before that it is not started.
    not_before: Option<Instant>,
}

impl Process {
    pub(super) fn new(engine: &Arc<Engine>, hash: &str, image: &Image) -> Result<Arc<Self>, ProcessError> {
        let manifest = image.manifest();
        Ok(Arc::new(Self {
            hash: hash.into(),
            title: manifest.title(),
            program: Program::of(manifest, &engine.path)?,
            grants: manifest.grants.clone(),
            folder: engine.folders.unpack(hash, image)?,
            limits: engine.limits,
            engine: engine.clone(),
            accounts: Accounts::default(),
            wake: Notify::new(),
            state: Mutex::default(),
            numbers: AtomicU64::new(1),
        }))
    }

    /// The image's actors, as its process describes them, which has to be as its manifest does.
    pub(super) fn definitions(self: &Arc<Self>, manifest: &Manifest) -> Result<Vec<Definition>, ProcessError> {
        let (says, described) = sync_channel(1);
        self.ask(Work::Describe(says));
        let mut described = match described.recv_timeout(CALL_MAX) {
            Ok(Ok(described)) => described,
            Ok(Err(failure)) => return Err(ProcessError::Describe { reason: failure.reason().to_owned() }),
            Err(_) => return Err(ProcessError::Describe { reason: "it does not answer".to_owned() }),
        };
        let offers = |name: &str, required: &[String]| {
            let mut required = required.to_vec();
            required.sort();
            if required.is_empty() { name.to_owned() } else { format!("{name} (requires {})", required.join(", ")) }
        };
        let listed = |mut offers: Vec<String>| {
            offers.sort();
            offers.join(", ")
        };
        let found = listed(described.iter().map(|d| offers(&d.name, &d.required)).collect());
        let expected = listed(manifest.actors.iter().map(|a| offers(&a.name, &a.require)).collect());
        if found != expected {
            return Err(ProcessError::Disagrees { found, expected });
        }
        described.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(described.into_iter().map(|actor| self.definition(actor, manifest)).collect())
    }

    fn definition(self: &Arc<Self>, actor: Described, manifest: &Manifest) -> Definition {
        let name: Arc<str> = actor.name.into();
        let required = manifest.actor(&name).map(|actor| manifest.required(actor)).unwrap_or_default();
        let (builder, checker) = ((self.clone(), name.clone()), (self.clone(), name.clone()));
        Definition {
            name,
            required: required.into(),
            image: Some(self.hash.clone()),
            build: Arc::new(move || {
                let hosted = Hosted::new(&builder.0, &builder.1);
                // A worker does not wait: it is building an actor anew, which the next message finds out about.
                if !odeon::system::on_worker() {
                    hosted.build()?;
                }
                Ok(Box::new(hosted) as Box<dyn Actor>)
            }),
            check: Arc::new(move |capabilities, requirements| checker.0.check(&checker.1, capabilities, requirements)),
            waits: true,
        }
    }

    /// Runs an actor's check in the process. The capabilities are only borrowed: this thread reads them for it.
    fn check(
        self: &Arc<Self>,
        actor: &Arc<str>,
        capabilities: &dyn CapabilityView,
        requirements: &Requirements,
    ) -> Result<bool, Failure> {
        // Also where the capabilities panic: the process waits for one.
        let _wakes = Wakes(self);
        let ((says, said), (answers, values)) = (sync_channel(1), sync_channel(1));
        self.ask(Work::Check(Check { actor: actor.clone(), requirements: requirements.clone(), says, values }));
        loop {
            match said.recv_timeout(CALL_MAX) {
                // Whoever is gone asks no more.
                Ok(Checking::Reads(key)) => drop(answers.send(capabilities.value(&key))),
                Ok(Checking::Says(says)) => return says,
                Err(RecvTimeoutError::Timeout) => return Err(Failure::passing("its process is busy for too long")),
                Err(RecvTimeoutError::Disconnected) => return Err(Failure::passing("its process is gone")),
            }
            self.wake.notify_one();
        }
    }

    /// What it has done, and uses now.
    pub(super) fn usage(&self) -> ProcessUsage {
        let actors = self.state.lock().actors;
        self.accounts.usage(&self.hash, &self.title, actors)
    }

    /// A number for an actor that this process never had.
    pub(super) fn number(&self) -> u64 {
        self.state.lock().actors += 1;
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// An actor is gone.
    pub(super) fn forget(&self, actor: u64) {
        let mut state = self.state.lock();
        state.actors -= 1;
        if state.is_served {
            state.gone.push(actor);
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Has the process do something, starting it if it does not run.
    pub(super) fn ask(self: &Arc<Self>, work: Work) {
        let mut state = self.state.lock();
        // Threads wait for a call; there are few.
        match work.is_call() {
            true => state.waiting.push_front(work),
            false => state.waiting.push_back(work),
        }
        if state.is_served {
            drop(state);
            return self.wake.notify_one();
        }
        state.is_served = true;
        state.gone.clear();
        drop(state);
        self.engine.spawn(serving::serve(Served(self.clone())));
    }

    /// The first thing to do that can be done now.
    pub(super) fn take(&self, can_be_done: impl FnMut(&Work) -> bool) -> Option<Work> {
        let mut state = self.state.lock();
        let at = state.waiting.iter().position(can_be_done)?;
        state.waiting.remove(at)
    }

    /// Takes something back that could not be done yet.
    pub(super) fn put_back(&self, work: Work) {
        self.state.lock().waiting.push_front(work);
    }

    /// The next actor that is gone.
    pub(super) fn take_gone(&self) -> Option<u64> {
        self.state.lock().gone.pop()
    }

    /// Whether nothing is to be done, and whether no actor is there that could want anything.
    pub(super) fn is_idle(&self) -> (bool, bool) {
        let state = self.state.lock();
        (state.waiting.is_empty(), state.actors == 0)
    }

    /// Fails everything that waits.
    pub(super) fn fail(&self, why: &Failure) {
        let waiting = std::mem::take(&mut self.state.lock().waiting);
        waiting.into_iter().for_each(|work| work.fail(why));
    }

    /// The process has died, or could not be started.
    pub(super) fn died(&self, lived: Duration) {
        self.accounts.died();
        let mut state = self.state.lock();
        state.deaths = if lived >= LIFE_MIN { 1 } else { state.deaths.saturating_add(1) };
        let doubled = BACKOFF_MIN.saturating_mul(1 << (state.deaths - 1).min(16));
        state.not_before = Some(Instant::now() + doubled.min(BACKOFF_MAX));
    }

    /// When it may be started.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.state.lock().not_before
    }

    /// Why it must not be started, if so.
    pub(super) fn retired(&self) -> Option<Failure> {
        self.state.lock().is_retired.then(|| Failure::new("its image was revoked, and no process is started for it"))
    }

    /// Removes its files. A process that runs goes on.
    pub(super) fn retire(&self) -> std::io::Result<()> {
        self.state.lock().is_retired = true;
        self.folder.remove()
    }
}

/// Has whoever serves the process look again, at the end.
struct Wakes<'a>(&'a Process);

impl Drop for Wakes<'_> {
    fn drop(&mut self) {
        self.0.wake.notify_one();
    }
}

/// That a task serves a process. At its end, however it comes about, nobody waits for it in vain.
pub(super) struct Served(pub(super) Arc<Process>);

impl Served {
    /// Lets go of the process, unless there is something to do.
    pub(super) fn rest(&self) -> bool {
        let mut state = self.0.state.lock();
        let rests = state.waiting.is_empty();
        state.is_served = !rests;
        rests
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if state.is_served {
            state.is_served = false;
            drop(state);
            self.0.fail(&Failure::passing("the node stops"));
        }
    }
}
