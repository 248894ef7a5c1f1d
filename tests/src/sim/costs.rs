//! What events cost a leader, in a convention in which nothing goes wrong: words, records, and the time of its machine.

use super::Options;
use super::meter::{Took, Words};
use super::random::Random;
use super::truth;
use super::watch::Seen;
use super::world::{Broke, World};
use odeon_capabilities::{Delta, Requirements, Value};
use odeon_convention::member::Input;
use odeon_convention::types::{CreateSpec, Placement};
use std::collections::BTreeMap;
use std::time::Duration;

const SEED: u64 = 1;
/// Everybody is in by then, and those that came together do not renew together any more.
const JOINED_MS: u64 = 30_000;
const DEATHS: usize = 11;
/// A death is known by then, and told.
const DEATH_MS: u64 = 10_000;
/// Changes, and creations as well.
const SEVERAL: usize = 25;
const CHANGE_MS: u64 = 100;
const CREATE_MS: u64 = 500;

/// What was counted and timed.
#[derive(Debug, Clone, Default)]
pub struct Costs {
    /// How many members.
    pub members: u32,
    /// For a leader to begin and all of them to join at once.
    pub joins: Words,
    /// For a minute in which nothing happens.
    pub minute: Words,
    /// For each of several hosts that lose power, one after another.
    pub deaths: Vec<Words>,
    /// For each of several changes of a capability that nobody watches.
    pub changes: Vec<Words>,
    /// For each of several creations, without a name, of a type that is linked into nodes.
    pub creates: Vec<Words>,
    /// The median time that the leader's machine took to handle each kind of input.
    pub took: BTreeMap<&'static str, Duration>,
}

/// Runs a convention of this size. The error is an invariant that does not hold.
pub fn costs(members: u32) -> Result<Costs, String> {
    let options = Options { members, faults_ms: 0, ..Options::default() };
    let measured = World::new(Random::lucky(SEED), options).costs();
    measured.map_err(|(at_ms, checker, what)| format!("{checker} does not hold at {at_ms} ms: {what}"))
}

impl World {
    fn costs(mut self) -> Result<Costs, Broke> {
        let mut costs = Costs { members: self.options.members, ..Costs::default() };
        let (joins, took) = self.counted(JOINED_MS, Self::start_leader)?;
        costs.joins = joins;
        costs.keep(&took, &["Admit", "Connected", "Register", "Committed"]);
        let (minute, took) = self.counted(60_000, |_| {})?;
        costs.minute = minute;
        costs.keep(&took, &["Renew", "Timer"]);
        let mut took = Took::default();
        for node in 0..DEATHS {
            let (death, one) = self.counted(DEATH_MS, |world| world.lose_power(node))?;
            costs.deaths.push(death);
            took.entry("a death").or_default().push(of_death(&one));
        }
        for node in DEATHS..DEATHS + SEVERAL {
            let (change, one) = self.counted(CHANGE_MS, |world| world.change(node))?;
            costs.changes.push(change);
            gather(&mut took, one);
        }
        for node in DEATHS..DEATHS + SEVERAL {
            let (create, one) = self.counted(CREATE_MS, |world| world.create(node))?;
            costs.creates.push(create);
            gather(&mut took, one);
        }
        costs.keep(&took, &["a death", "CapabilitiesChanged", "Create", "Placed"]);
        Ok(costs)
    }

    /// Something happens, and so much time passes: the words of that, and how long inputs took.
    fn counted(&mut self, ms: u64, happens: impl FnOnce(&mut Self)) -> Result<(Words, Took), Broke> {
        let before = self.meter.words;
        self.meter.took = Some(Took::default());
        happens(self);
        self.pass(ms)?;
        Ok((self.meter.words - before, self.meter.took.take().unwrap_or_default()))
    }

    /// The node is gone without a word, and the leader's end of its link does not notice.
    fn lose_power(&mut self, node: usize) {
        let process = self.nodes[node].running.take().expect("everybody is in");
        self.links[node].at_member = None;
        self.saw(&Seen::NodeEnded { node: process.me });
    }

    fn change(&mut self, node: usize) {
        let process = self.nodes[node].running.as_ref().expect("everybody is in");
        let is_one = process.capabilities.value("gpu") == Some(&Value::Integer(1));
        let mut delta = Delta::default();
        delta.0.insert("gpu".to_owned(), Some(i64::from(!is_one).into()));
        self.tell_member(node, process.me, Input::ChangeCapabilities { delta });
    }

    /// A quarter of all nodes fit.
    fn create(&mut self, node: usize) {
        let me = self.nodes[node].running.as_ref().expect("everybody is in").me;
        let spec = CreateSpec {
            actor: truth::ANY.to_owned(),
            image: None,
            requirements: Requirements::none().require("db"),
            global_name: None,
            placement: Placement::Spread,
            on: None,
            parent: None,
            promised: None,
            distinct: None,
        };
        self.ask_create(node, me, spec);
    }
}

impl Costs {
    fn keep(&mut self, took: &Took, kinds: &[&'static str]) {
        for kind in kinds {
            self.took.extend(took.get(kind).map(|times| (*kind, median(times))));
        }
    }
}

/// The look at the time that finds it, and the commit of its record, which lets all words go.
fn of_death(took: &Took) -> Duration {
    let longest = |kind| took.get(kind).and_then(|times| times.iter().max()).copied().unwrap_or_default();
    longest("Timer").max(longest("Heard")) + longest("Committed")
}

fn gather(all: &mut Took, one: Took) {
    for (kind, times) in one {
        all.entry(kind).or_default().extend(times);
    }
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 2]
}
