//! Who works on what: the workers of a troupe, the work that waits, and what follows from what workers say.
//!
//! A worker and its troupe hear each other in order. So when a worker answers that it does not have its work, it has done
//! or lost it, and had it done it, that would have come first.

use super::messages::{
    Probe, Probed, Tick, TroupeStatus, TroupeStatusRequest, UpdateTroupeSettings, Work, WorkDone, WorkLost, named,
};
use super::{
    TROUPE_ATTEMPTS_MAX, TROUPE_PAUSE, TROUPE_PROBE_INTERVAL, TROUPE_WAITING_MESSAGES_MAX, TROUPE_WORKERS_MAX,
};
use crate::{ActorExitRequest, Address, AnyMessage, ChildActorExited, Context, Message, PoisonMessage, WakeupMessage};
use std::collections::{BTreeMap, VecDeque};

/// A message that is to be worked on.
struct Task {
    sender: Address,
    message: AnyMessage,
    /// How many workers have exited with it.
    attempts: u32,
}

/// What a worker has.
struct Given {
    number: u64,
    task: Task,
    /// Looks of the probe that have passed since it has it.
    looks: u32,
    /// A probe is not answered yet.
    probed: bool,
}

pub(super) struct Crew {
    max: u32,
    idle_max: u32,
    create: fn(&Context) -> Address,
    workers: BTreeMap<Address, Option<Given>>,
    /// Who has been idle for the longest time comes first.
    idle: VecDeque<Address>,
    waiting: VecDeque<Task>,
    numbers: u64,
    /// The fewest that were idle since the pause began, while there is one.
    pause: Option<usize>,
    probing: bool,
    handled: u64,
    failed: u64,
}

impl Crew {
    pub(super) fn new(max: u32, idle_max: u32, create: fn(&Context) -> Address) -> Self {
        let max = max.clamp(1, TROUPE_WORKERS_MAX);
        Self {
            max,
            idle_max: idle_max.min(max),
            create,
            workers: BTreeMap::new(),
            idle: VecDeque::new(),
            waiting: VecDeque::new(),
            numbers: 0,
            pause: None,
            probing: false,
            handled: 0,
            failed: 0,
        }
    }

    /// Never fails: a troupe that is built anew would have lost what waits.
    pub(super) fn receive(&mut self, message: &AnyMessage, cx: &Context) {
        let sender = cx.sender();
        let asked = named(message, &[TroupeStatusRequest::NAME, UpdateTroupeSettings::NAME]);
        let message = asked.as_ref().unwrap_or(message);
        if let Some(done) = message.of_name::<WorkDone>() {
            self.done(sender, done.number, cx);
        } else if let Some(lost) = message.of_name::<WorkLost>() {
            self.lost(sender, lost.number, "it failed on another message", cx);
        } else if let Some(probed) = message.of_name::<Probed>() {
            self.probed(sender, probed, cx);
        } else if let Some(exited) = message.of_name::<ChildActorExited>() {
            self.exited(exited, cx);
        } else if let Some(poison) = message.of_name::<PoisonMessage>() {
            self.failed(sender, poison, cx);
        } else if let Some(wakeup) = message.of_name::<WakeupMessage>() {
            self.woken(wakeup, cx);
        } else if message.of_name::<ActorExitRequest>().is_some() {
            self.close(cx);
        } else if message.of_name::<TroupeStatusRequest>().is_some() {
            cx.reply(self.status());
        } else if message.name() == UpdateTroupeSettings::NAME {
            self.update(message, cx);
        } else {
            self.add(Task { sender, message: message.clone(), attempts: 0 }, cx);
        }
        self.rest(cx);
    }

    fn add(&mut self, task: Task, cx: &Context) {
        if self.waiting.len() >= TROUPE_WAITING_MESSAGES_MAX {
            let details = format!("{TROUPE_WAITING_MESSAGES_MAX} messages wait for the workers of this troupe already");
            return self.give_back(&task, cx.my_address(), details, cx);
        }
        self.waiting.push_back(task);
        self.hand_out(cx);
    }

    /// Gives waiting work to idle workers, and to new ones where there may be more.
    fn hand_out(&mut self, cx: &Context) {
        while !self.waiting.is_empty() {
            let worker = match self.idle.pop_front() {
                Some(worker) => worker,
                None if self.workers.len() < self.max as usize => (self.create)(cx),
                None => return,
            };
            self.pause = self.pause.map(|fewest| fewest.min(self.idle.len()));
            let Some(task) = self.waiting.pop_front() else { return };
            self.numbers += 1;
            let number = self.numbers;
            cx.send(worker, Work { number, sender: task.sender, message: task.message.clone() });
            self.workers.insert(worker, Some(Given { number, task, looks: 0, probed: false }));
            if !self.probing {
                self.probing = true;
                cx.wakeup_after_with(TROUPE_PROBE_INTERVAL, Tick::Probe);
            }
        }
    }

    /// Takes away what a worker has, when that is of this number.
    fn take(&mut self, worker: Address, number: u64) -> Option<Task> {
        let given = self.workers.get_mut(&worker)?;
        given.take_if(|given| given.number == number).map(|given| given.task)
    }

    fn done(&mut self, worker: Address, number: u64, cx: &Context) {
        if self.take(worker, number).is_some() {
            self.handled += 1;
            self.idle_again(worker, cx);
        } else if !self.workers.contains_key(&worker) {
            // One of a troupe that was built anew after the failure of what it shares an instance with.
            dismiss(worker, cx);
        }
    }

    fn idle_again(&mut self, worker: Address, cx: &Context) {
        if self.workers.len() > self.max as usize {
            self.workers.remove(&worker);
            dismiss(worker, cx);
        } else {
            self.idle.push_back(worker);
        }
        self.hand_out(cx);
    }

    fn lost(&mut self, worker: Address, number: u64, reason: &str, cx: &Context) {
        if let Some(task) = self.take(worker, number) {
            self.again(task, worker, reason, cx);
            self.idle_again(worker, cx);
        }
    }

    /// Has another worker do the work, unless too many have tried.
    fn again(&mut self, mut task: Task, worker: Address, reason: &str, cx: &Context) {
        task.attempts += 1;
        if task.attempts < TROUPE_ATTEMPTS_MAX {
            self.waiting.push_front(task);
        } else {
            let details = format!("{} workers of this troupe were lost with it; the last: {reason}", task.attempts);
            self.give_back(&task, worker, details, cx);
        }
    }

    fn give_back(&mut self, task: &Task, by: Address, details: String, cx: &Context) {
        self.failed += 1;
        cx.send(task.sender, PoisonMessage::new(by, &task.message, details));
    }

    fn exited(&mut self, exited: &ChildActorExited, cx: &Context) {
        let Some(given) = self.workers.remove(&exited.child) else { return };
        self.idle.retain(|worker| *worker != exited.child);
        if let Some(given) = given {
            self.again(given.task, exited.child, &exited.reason, cx);
        }
        self.hand_out(cx);
    }

    /// A worker has failed twice on its work.
    fn failed(&mut self, worker: Address, poison: &PoisonMessage, cx: &Context) {
        if poison.message.name != Work::NAME {
            return;
        }
        let Some(Some(number)) = self.workers.get(&worker).map(|given| given.as_ref().map(|given| given.number)) else {
            return;
        };
        if let Some(task) = self.take(worker, number) {
            self.give_back(&task, worker, poison.details.clone(), cx);
            self.idle_again(worker, cx);
        }
    }

    fn woken(&mut self, wakeup: &WakeupMessage, cx: &Context) {
        let payload = wakeup.payload.clone().map(AnyMessage::from_encoded);
        match payload.as_ref().and_then(AnyMessage::of_name::<Tick>) {
            Some(Tick::Pause) => self.dismiss_extras(cx),
            Some(Tick::Probe) => self.probe(cx),
            None => {}
        }
    }

    /// Begins a pause when more are idle than are to stay.
    fn rest(&mut self, cx: &Context) {
        if self.pause.is_none() && self.idle.len() > self.idle_max as usize {
            self.pause = Some(self.idle.len());
            cx.wakeup_after_with(TROUPE_PAUSE, Tick::Pause);
        }
    }

    /// Dismisses those that were too many for all of a pause.
    fn dismiss_extras(&mut self, cx: &Context) {
        let fewest = self.pause.take().unwrap_or(0).min(self.idle.len());
        self.dismiss_idle(fewest.saturating_sub(self.idle_max as usize), cx);
    }

    fn dismiss_idle(&mut self, count: usize, cx: &Context) {
        for worker in self.idle.drain(..count.min(self.idle.len())) {
            self.workers.remove(&worker);
            dismiss(worker, cx);
        }
    }

    /// Asks those that have had work for a whole interval whether they still have it.
    fn probe(&mut self, cx: &Context) {
        let mut busy = false;
        for (worker, given) in &mut self.workers {
            let Some(given) = given else { continue };
            busy = true;
            given.looks += 1;
            if given.looks > 1 && !given.probed {
                given.probed = true;
                cx.send(*worker, Probe { number: given.number });
            }
        }
        self.probing = busy;
        if busy {
            cx.wakeup_after_with(TROUPE_PROBE_INTERVAL, Tick::Probe);
        }
    }

    fn probed(&mut self, worker: Address, probed: &Probed, cx: &Context) {
        if !probed.has_it {
            self.lost(worker, probed.number, "it was built anew and had lost it", cx);
        } else if let Some(Some(given)) = self.workers.get_mut(&worker)
            && given.number == probed.number
        {
            given.probed = false;
        }
    }

    fn status(&self) -> TroupeStatus {
        let (workers, idle) = (self.workers.len() as u64, self.idle.len() as u64);
        TroupeStatus {
            max: self.max,
            idle: self.idle_max,
            workers,
            busy: workers - idle,
            waiting: self.waiting.len() as u64,
            handled: self.handled,
            failed: self.failed,
        }
    }

    fn update(&mut self, message: &AnyMessage, cx: &Context) {
        match message.get::<UpdateTroupeSettings>().ok_or_else(settings_expected).and_then(|new| self.checked(new)) {
            Ok((max, idle_max)) => {
                (self.max, self.idle_max) = (max, idle_max);
                self.dismiss_idle(self.workers.len().saturating_sub(max as usize), cx);
                self.hand_out(cx);
            }
            Err(details) => cx.reply(PoisonMessage::new(cx.my_address(), message, details)),
        }
    }

    fn checked(&self, new: &UpdateTroupeSettings) -> Result<(u32, u32), String> {
        let max = new.max.unwrap_or(self.max);
        if !(1..=TROUPE_WORKERS_MAX).contains(&max) {
            return Err(format!("max is {max}, expected 1 to {TROUPE_WORKERS_MAX}"));
        }
        match new.idle {
            Some(idle) if idle > max => Err(format!("idle is {idle}, expected {max} at most, which is max")),
            Some(idle) => Ok((max, idle)),
            None => Ok((max, self.idle_max.min(max))),
        }
    }

    /// Gives back what waits. What workers have they still finish, or not.
    fn close(&mut self, cx: &Context) {
        for task in std::mem::take(&mut self.waiting) {
            self.give_back(&task, cx.my_address(), "the troupe exits".to_owned(), cx);
        }
    }
}

fn settings_expected() -> String {
    "these are no settings of a troupe, expected a map with numbers `max` and `idle`".to_owned()
}

fn dismiss(worker: Address, cx: &Context) {
    cx.send(worker, ActorExitRequest::default());
}
