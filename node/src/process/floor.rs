//! A process and what it works: what it is given, what it says, and when it has had its time.

use super::calls::Calls;
use super::child::Child;
use super::flight::{Flight, InTheAir, Key};
use super::image::Served;
use super::limits::{FRAMES_OUT_MAX, ProcessLimits};
use super::output::Printed;
use super::work::{Build, Letter, Work};
use odeon::process::ToChild;
use odeon::process::limits::REASON_BYTES_MAX;
use odeon::{Ending, Failure};
use std::collections::{HashMap, HashSet};
use std::sync::mpsc::TryRecvError;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Why a process is not served any more.
pub(super) enum End {
    /// Nobody needs it.
    Idle,
    /// It has closed its socket.
    Closed,
    /// It broke a bound or a rule.
    Broke(String),
    /// What it works under this key took too long.
    Late(Key, String),
}

/// A process and what it works.
pub(super) struct Floor<'a> {
    pub(super) served: &'a Served,
    limits: ProcessLimits,
    pub(super) child: Child,
    printed: Printed,
    pub(super) air: HashMap<Key, InTheAir>,
    /// Actors that this process has.
    pub(super) built: HashSet<u64>,
    calls: u64,
    pub(super) answers: (mpsc::Sender<ToChild>, mpsc::Receiver<ToChild>),
    /// Since when nobody needs it.
    idle_since: Option<Instant>,
}

impl<'a> Floor<'a> {
    pub(super) fn new(served: &'a Served, child: Child, printed: Printed) -> Self {
        let limits = served.0.limits;
        let answers = mpsc::channel(FRAMES_OUT_MAX);
        let (air, built) = (HashMap::new(), HashSet::new());
        Self { served, limits, child, printed, air, built, calls: 0, answers, idle_since: None }
    }

    /// Serves the process until there is a reason to end it.
    pub(super) async fn run(&mut self) -> End {
        loop {
            if let Err(why) = self.hand_over() {
                return End::Broke(why);
            }
            let now = Instant::now();
            if let Some(late) = self.overdue(now) {
                return late;
            }
            let Some(wake_at) = self.wake_at(now) else { return End::Idle };
            let happened = tokio::select! {
                said = self.child.said.recv() => match said {
                    None => return End::Closed,
                    Some(said) => self.heard(said),
                },
                answer = self.answers.1.recv() => answer.map_or(Ok(()), |answer| self.answer(&answer)),
                () = self.served.0.wake.notified() => self.pass_values(),
                () = tokio::time::sleep_until(wake_at.into()) => Ok(()),
            };
            if let Err(why) = happened {
                return End::Broke(why);
            }
        }
    }

    /// Ends the process, and everything that is in the air with it. Says why, unless it was meant to.
    pub(super) async fn close(self, end: End) -> Option<String> {
        let late = if let End::Late(key, _) = &end { Some(*key) } else { None };
        let why = match end {
            End::Idle => {
                self.child.stop().await;
                None
            }
            End::Closed => Some(self.child.ended().await),
            End::Broke(why) | End::Late(_, why) => {
                self.child.stop().await;
                Some(why)
            }
        };
        let failure = match &why {
            Some(why) => format!("its process has ended: {}", cut(why)),
            None => "its process was not needed any more".to_owned(),
        };
        for (key, in_the_air) in self.air {
            // What took too long will do so again; the others may be better off the next time.
            let is_late = late == Some(key);
            if let Flight::Message { .. } = in_the_air.flight {
                self.served.0.accounts.failed();
            }
            let failure = if is_late { Failure::late(&failure) } else { Failure::passing(&failure) };
            in_the_air.flight.fail(&failure);
        }
        why
    }

    /// Gives the process what its workers can take.
    fn hand_over(&mut self) -> Result<(), String> {
        loop {
            let messages = self.air.values().filter(|one| matches!(one.flight, Flight::Message { .. })).count();
            let (calls, workers) = (self.air.len() - messages, self.child.workers);
            let built = &self.built;
            let Some(work) = self.served.0.take(|work| match work {
                Work::Message(letter) if built.contains(&letter.actor) => messages < workers,
                // One at a time, beside the messages: one of these may wait for it.
                _ => calls == 0,
            }) else {
                break;
            };
            self.begin(work)?;
        }
        while self.child.has_room() {
            let Some(actor) = self.served.0.take_gone() else { break };
            if self.built.remove(&actor) {
                self.child.say(&ToChild::Drop { actor })?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, work: Work) -> Result<(), String> {
        let ProcessLimits { message_ms, check_ms, .. } = self.limits;
        match work {
            Work::Describe(says) => {
                let call = self.call();
                self.take_off(Key::Call(call), Flight::Describe(says), check_ms);
                self.child.say(&ToChild::Describe { call })
            }
            Work::Check(check) => {
                let (call, actor) = (self.call(), check.actor.to_string());
                let requirements = check.requirements.clone();
                self.take_off(Key::Call(call), Flight::Check(check), check_ms);
                self.child.say(&ToChild::Check { call, actor, requirements })
            }
            Work::Build(Build { actor, name, says }) => {
                self.take_off(Key::Actor(actor), Flight::Build(says), message_ms);
                self.child.say(&ToChild::Build { actor, name: name.to_string() })
            }
            Work::Message(letter) if self.built.contains(&letter.actor) => self.deliver(letter),
            Work::Message(letter) => {
                let (actor, name) = (letter.actor, letter.name.to_string());
                self.take_off(Key::Actor(actor), Flight::Before(letter), message_ms);
                self.child.say(&ToChild::Build { actor, name })
            }
        }
    }

    fn deliver(&mut self, letter: Letter) -> Result<(), String> {
        let Letter { actor, host, sender, message, end, .. } = letter;
        let encoded = match message.encode() {
            Ok(encoded) => encoded,
            Err(error) => {
                end.end(Ending::Failed(Failure::new(error.to_string())));
                return Ok(());
            }
        };
        let frame =
            ToChild::Receive { actor, address: host.address(), sender, name: encoded.name, bytes: encoded.bytes };
        let Ok(bytes) = odeon::process::encode(&frame) else {
            end.end(Ending::Failed(Failure::new("the message is larger than a process can be given")));
            return Ok(());
        };
        let alone = !self.air.values().any(|other| matches!(other.flight, Flight::Message { .. }));
        *self.printed.actor.lock() = alone.then(|| host.clone());
        self.served.0.accounts.given();
        let flight = Flight::Message { end, calls: Calls::new(host, self.limits) };
        self.take_off(Key::Actor(actor), flight, self.limits.message_ms);
        self.child.say_bytes(bytes)
    }

    fn call(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    fn take_off(&mut self, key: Key, flight: Flight, limit_ms: u64) {
        let until = Instant::now() + Duration::from_millis(limit_ms);
        self.air.insert(key, InTheAir { flight, limit_ms, until, asks: false });
    }

    /// What takes longer than it may.
    fn overdue(&self, now: Instant) -> Option<End> {
        let (key, late) = self.air.iter().find(|(_, in_the_air)| !in_the_air.asks && in_the_air.until <= now)?;
        Some(End::Late(*key, format!("it took longer than {} ms", late.limit_ms)))
    }

    /// When to look again whatever happens; none where nobody needs the process any more.
    fn wake_at(&mut self, now: Instant) -> Option<Instant> {
        if self.air.is_empty() && self.served.0.is_idle() == (true, true) {
            let since = *self.idle_since.get_or_insert(now);
            let until = since + Duration::from_millis(self.limits.linger_ms);
            return (now < until).then_some(until);
        }
        self.idle_since = None;
        let next = self.air.values().filter(|in_the_air| !in_the_air.asks).map(|in_the_air| in_the_air.until).min();
        Some(next.unwrap_or(now + Duration::from_secs(3600)))
    }

    /// Hands what checks have asked for to the process.
    fn pass_values(&mut self) -> Result<(), String> {
        for (key, in_the_air) in &mut self.air {
            let (Key::Call(call), Flight::Check(check)) = (key, &in_the_air.flight) else { continue };
            match check.values.try_recv() {
                Ok(value) => {
                    in_the_air.asks = false;
                    self.child.say(&ToChild::Capability { call: *call, value })?;
                }
                Err(TryRecvError::Empty) => {}
                // Whoever has asked has given up, and nobody reads for it.
                Err(TryRecvError::Disconnected) if in_the_air.asks => {
                    in_the_air.asks = false;
                    self.child.say(&ToChild::Capability { call: *call, value: None })?;
                }
                Err(TryRecvError::Disconnected) => {}
            }
        }
        Ok(())
    }

    /// Tells an actor what it has asked for. The time that this took is not its own.
    fn answer(&mut self, answer: &ToChild) -> Result<(), String> {
        if let ToChild::Created { actor, .. } | ToChild::Capabilities { actor, .. } = answer
            && let Some(in_the_air) = self.air.get_mut(&Key::Actor(*actor))
            && in_the_air.asks
        {
            in_the_air.asks = false;
            in_the_air.until = Instant::now() + Duration::from_millis(in_the_air.limit_ms);
        }
        self.child.say(answer)
    }
}

/// A reason of a bounded length.
pub(super) fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(REASON_BYTES_MAX)].to_owned()
}
