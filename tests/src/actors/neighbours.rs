//! What neighbours on one node do to each other: who measures it, and who has one of them misbehave.

use odeon::{Address, Context, Message, WakeupMessage, actor};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

/// Makes a [`Prober`] create actors, and answer with their number once all of them have answered.
#[derive(Debug, Serialize, Deserialize, Message)]
pub struct Populate {
    /// The images that they come from.
    pub images: Vec<String>,
    /// Their type.
    pub actor: String,
    /// How many of each image.
    pub each: usize,
}

/// Makes a [`Prober`] ask its actors, one after the other, and answer with [`Latencies`].
#[derive(Debug, Clone, Serialize, Deserialize, Message)]
pub struct Probe {
    /// Questions in all.
    pub questions: usize,
    /// Questions every millisecond.
    pub each_ms: usize,
}

/// How long answers took.
#[derive(Debug, Serialize, Deserialize, Message)]
pub struct Latencies {
    /// Microseconds that half of them took at most.
    pub median_us: u64,
    /// Microseconds that 99 in 100 took at most.
    pub p99_us: u64,
    /// Microseconds of the longest.
    pub longest_us: u64,
}

/// Between two questions to one actor lie all the others.
const EVERY: Duration = Duration::from_millis(1);

/// Asks many actors at a steady pace, however long their answers take.
#[derive(Default)]
pub struct Prober {
    neighbours: Vec<Address>,
    asked: HashMap<Address, Instant>,
    took: Vec<Duration>,
    probe: Option<(Probe, Address)>,
    began: Option<Instant>,
    sent: usize,
}

#[actor]
impl Prober {
    #[handler]
    fn populate(&mut self, populate: &Populate, cx: &mut Context) {
        for _ in 0..populate.each {
            for image in &populate.images {
                self.neighbours.push(cx.create_named(&populate.actor).image(image).start());
            }
        }
        self.begin(Probe { questions: self.neighbours.len(), each_ms: self.neighbours.len() }, cx);
    }

    #[handler]
    fn probe(&mut self, probe: &Probe, cx: &mut Context) {
        self.begin(probe.clone(), cx);
    }

    #[handler]
    fn tick(&mut self, _wakeup: &WakeupMessage, cx: &mut Context) {
        let (Some((probe, _)), Some(began)) = (&self.probe, self.began) else { return };
        // Late ticks do not make it ask less.
        let due = (began.elapsed().as_millis() as usize + 1) * probe.each_ms;
        while self.sent < due.min(probe.questions) {
            let whom = self.neighbours[self.sent % self.neighbours.len()];
            self.sent += 1;
            // Who has not answered the last question yet is waited for, and not asked again.
            if let Entry::Vacant(free) = self.asked.entry(whom) {
                free.insert(Instant::now());
                cx.send(whom, "are you there?".to_owned());
            }
        }
        if self.sent < probe.questions {
            cx.wakeup_after(EVERY);
        }
        self.end_if_done(cx);
    }

    #[handler]
    fn answer(&mut self, _answer: &String, cx: &mut Context) {
        if let Some(asked) = self.asked.remove(&cx.sender()) {
            self.took.push(asked.elapsed());
        }
        self.end_if_done(cx);
    }
}

impl Prober {
    fn begin(&mut self, probe: Probe, cx: &mut Context) {
        (self.took, self.sent, self.began) = (Vec::new(), 0, Some(Instant::now()));
        self.probe = Some((probe, cx.sender()));
        cx.wakeup_after(Duration::ZERO);
    }

    fn end_if_done(&mut self, cx: &mut Context) {
        let Some((_, asker)) = self.probe.take_if(|(probe, _)| self.sent >= probe.questions && self.asked.is_empty())
        else {
            return;
        };
        self.took.sort_unstable();
        let at = |share: f64| self.took[((self.took.len() - 1) as f64 * share) as usize].as_micros() as u64;
        cx.send(asker, Latencies { median_us: at(0.5), p99_us: at(0.99), longest_us: at(1.0) });
    }
}

/// Makes a [`Pest`] keep an actor busy with something, until it is told something else.
#[derive(Debug, Clone, Serialize, Deserialize, Message)]
pub struct Pester {
    /// Whom.
    pub whom: Option<Address>,
    /// What it is told, again and again.
    pub what: String,
    /// How often, in milliseconds.
    pub every_ms: u64,
    /// Whether it is told to answer so many times in place of that.
    pub flood: Option<u32>,
}

/// Asks for so many answers of so many bytes; the tests' image knows it by this name.
#[derive(Debug, Serialize, Deserialize, Message)]
struct Many {
    count: u32,
    bytes: usize,
}

/// Tells an actor the same thing again and again, and counts what comes back.
#[derive(Default)]
pub struct Pest {
    pester: Option<Pester>,
    ticking: bool,
    heard: i64,
}

#[actor]
impl Pest {
    #[handler]
    fn pester(&mut self, pester: &Pester, cx: &mut Context) {
        self.pester = pester.whom.is_some().then(|| pester.clone());
        if !std::mem::replace(&mut self.ticking, true) {
            cx.wakeup_after(Duration::ZERO);
        }
        cx.reply(self.heard);
    }

    #[handler]
    fn tick(&mut self, _wakeup: &WakeupMessage, cx: &mut Context) {
        self.ticking = false;
        let Some(Pester { whom: Some(whom), what, every_ms, flood }) = &self.pester else { return };
        match flood {
            Some(count) => cx.send(*whom, Many { count: *count, bytes: 64 }),
            None => cx.send(*whom, what.clone()),
        }
        cx.wakeup_after(Duration::from_millis(*every_ms));
        self.ticking = true;
    }

    #[handler]
    fn heard(&mut self, _what: &String, _cx: &mut Context) {
        self.heard += 1;
    }
}
