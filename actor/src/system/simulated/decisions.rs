//! Where a simulation has its decisions from: a seed, or what another run decided.
//!
//! Each kind of decision has a track of its own, so that one more delay moves no crash. Zero is the plain choice: whoever
//! came first, no delay, no fault. A run that is told what to decide takes zero for all that it is not told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Losses happen in the first two to the power of so many steps, cuts at the first so many messages that cross their link.
const MOMENTS: u32 = 12;
/// A link is cut for less than two to the power of so many milliseconds: about a minute.
const CUT_MS: u32 = 16;

/// Random numbers that are the same for the same seed: SplitMix64, by Sebastiano Vigna, which is in the public domain.
#[derive(Clone)]
pub(in crate::system) struct Random(u64);

impl Random {
    pub(in crate::system) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(in crate::system) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not zero.
    fn below(&mut self, bound: u32) -> u32 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u32
    }

    /// Whether something happens that has this probability.
    fn happens(&mut self, probability: f64) -> bool {
        // 53 bits are what a float holds.
        ((self.next() >> 11) as f64) < probability * (1u64 << 53) as f64
    }

    /// A number that has so many binary digits and one more.
    fn of_size(&mut self, power: u32) -> u32 {
        (1 << power) + self.below(1 << power)
    }

    /// When something happens, some early and some late; zero for never.
    fn moment(&mut self) -> u32 {
        match self.below(MOMENTS + 4) {
            power @ 0..MOMENTS => self.of_size(power),
            _ => 0,
        }
    }

    /// How long something takes, some short and some long.
    fn time(&mut self) -> u32 {
        let power = self.below(CUT_MS);
        self.of_size(power)
    }
}

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Which of the actors that have mail is next.
    Order,
    /// How long a message is under way.
    Delay,
    /// On which of the nodes that accept an actor it is created.
    Place,
    /// Whether a handler fails.
    Crash,
    /// Whether a node is lost.
    Loss,
    /// Whether a link is cut, and for how many milliseconds: asked for each message that is about to cross it.
    Cut,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 6] = [Kind::Order, Kind::Delay, Kind::Place, Kind::Crash, Kind::Loss, Kind::Cut];

    fn word(self) -> &'static str {
        match self {
            Kind::Order => "order",
            Kind::Delay => "delay",
            Kind::Place => "place",
            Kind::Crash => "crash",
            Kind::Loss => "loss",
            Kind::Cut => "cut",
        }
    }
}

/// What a run decided otherwise than by the plain choice: for each kind the number of the decision, and what it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions([BTreeMap<u32, u32>; Kind::ALL.len()]);

impl Decisions {
    /// Those of one kind.
    pub fn of(&self, kind: Kind) -> &BTreeMap<u32, u32> {
        &self.0[kind as usize]
    }

    /// Those of one kind, to be changed.
    pub fn of_mut(&mut self, kind: Kind) -> &mut BTreeMap<u32, u32> {
        &mut self.0[kind as usize]
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.iter().map(BTreeMap::len).sum()
    }

    /// How far they are from plain choices: fewer decisions first, then earlier and smaller ones.
    pub(crate) fn weight(&self) -> (usize, u64, u64) {
        let sum = |numbers: &mut dyn Iterator<Item = &u32>| numbers.map(|number| u64::from(*number)).sum();
        let earlier = sum(&mut self.0.iter().flat_map(BTreeMap::keys));
        (self.count(), earlier, sum(&mut self.0.iter().flat_map(BTreeMap::values)))
    }
}

/// For people: `2 delays, 1 crash`.
impl fmt::Display for Decisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count() == 0 {
            return f.write_str("none");
        }
        let mut comma = "";
        for kind in Kind::ALL {
            let count = self.of(kind).len();
            if count > 0 {
                write!(f, "{comma}{count} of {}", kind.word())?;
                comma = ", ";
            }
        }
        Ok(())
    }
}

/// One kind of decisions of the run that goes on.
struct Track {
    random: Random,
    asked: u32,
}

/// The number of the decision on a link before a crossing. What happens on other links does not change it.
fn number_of_cut(crossing: u32, link: u32, links: u32) -> u32 {
    crossing.saturating_mul(links).saturating_add(link)
}

/// Decides, and keeps what it decided.
pub(super) struct Decider {
    script: Option<Decisions>,
    numbers: Random,
    tracks: [Track; Kind::ALL.len()],
    taken: Decisions,
    /// Which of the decisions on links are to cut one.
    cuts: BTreeSet<u32>,
}

impl Decider {
    /// Decides by a seed.
    pub(super) fn seeded(seed: u64) -> Self {
        let mut seeds = Random::new(seed);
        let mut next = || Random::new(seeds.next());
        let [order, delay, place, crash, loss, numbers, cut] = std::array::from_fn(|_| next());
        // What comes later is last, so that old seeds stay what they are.
        let tracks = [order, delay, place, crash, loss, cut].map(|random| Track { random, asked: 0 });
        Self { script: None, numbers, tracks, taken: Decisions::default(), cuts: BTreeSet::new() }
    }

    /// Decides as it is told. What is no decision comes from the seed as before.
    pub(super) fn scripted(seed: u64, script: Decisions) -> Self {
        Self { script: Some(script), ..Self::seeded(seed) }
    }

    /// The numbers in addresses.
    pub(super) fn numbers(&self) -> Random {
        self.numbers.clone()
    }

    /// One of `choices`, all alike.
    pub(super) fn choose(&mut self, kind: Kind, choices: usize) -> usize {
        let choices = u32::try_from(choices).unwrap_or(u32::MAX);
        if choices < 2 {
            return 0;
        }
        self.decide(kind, choices - 1, |random| random.below(choices)) as usize
    }

    /// None with what is left of the probability, else one of `choices`.
    pub(super) fn happens(&mut self, kind: Kind, probability: f64, choices: usize) -> Option<usize> {
        let choices = u32::try_from(choices).unwrap_or(u32::MAX);
        if choices == 0 || probability <= 0.0 {
            return None;
        }
        let draw = |random: &mut Random| if random.happens(probability) { 1 + random.below(choices) } else { 0 };
        (self.decide(kind, choices, draw) as usize).checked_sub(1)
    }

    /// A step at which something is lost, some early and some late; zero for never.
    pub(super) fn moment(&mut self) -> u64 {
        u64::from(self.decide(Kind::Loss, u32::MAX, Random::moment))
    }

    /// Has links, of which there are so many, cut so many times at most, where the seed decides.
    pub(super) fn plan_cuts(&mut self, most: usize, links: u32) {
        let random = &mut self.tracks[Kind::Cut as usize].random;
        let mut plan = || Some((random.moment().checked_sub(1)?, random.below(links)));
        let planned = (0..if links > 0 { most } else { 0 }).filter_map(|_| plan());
        self.cuts = planned.map(|(crossing, link)| number_of_cut(crossing, link, links)).collect();
    }

    /// For how many milliseconds one of so many links is cut just before something crosses it, after so much has; zero if
    /// it is not.
    pub(super) fn cut_ms(&mut self, crossing: u32, link: u32, links: u32) -> u64 {
        let number = number_of_cut(crossing, link, links);
        let is_planned = self.cuts.contains(&number);
        let draw = |random: &mut Random| if is_planned { random.time() } else { 0 };
        u64::from(self.decide_at(Kind::Cut, number, (1 << CUT_MS) - 1, draw))
    }

    fn decide(&mut self, kind: Kind, most: u32, draw: impl FnOnce(&mut Random) -> u32) -> u32 {
        let track = &mut self.tracks[kind as usize];
        let number = track.asked;
        track.asked = track.asked.saturating_add(1);
        self.decide_at(kind, number, most, draw)
    }

    fn decide_at(&mut self, kind: Kind, number: u32, most: u32, draw: impl FnOnce(&mut Random) -> u32) -> u32 {
        let value = match &self.script {
            Some(script) => script.of(kind).get(&number).map_or(0, |value| (*value).min(most)),
            None => draw(&mut self.tracks[kind as usize].random),
        };
        if value > 0 {
            self.taken.of_mut(kind).insert(number, value);
        }
        value
    }

    /// What was decided so far.
    pub(super) fn taken(&self) -> &Decisions {
        &self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(decider: &mut Decider) -> Vec<(usize, Option<usize>)> {
        let decide = |n: usize| (decider.choose(Kind::Order, n % 7), decider.happens(Kind::Crash, 0.2, 2));
        (0..200).map(decide).collect()
    }

    #[test]
    fn what_was_taken_decides_the_same_again_and_what_is_missing_is_the_plain_choice() {
        for seed in 0..50 {
            let mut first = Decider::seeded(seed);
            let decided = run(&mut first);
            let mut again = Decider::scripted(1, first.taken().clone());
            assert_eq!(run(&mut again), decided);
            assert_eq!(again.taken(), first.taken());
            let mut without = first.taken().clone();
            without.of_mut(Kind::Crash).clear();
            let mut without = Decider::scripted(1, without);
            let plain: Vec<_> = decided.iter().map(|(order, _)| (*order, None)).collect();
            assert_eq!(run(&mut without), plain);
        }
    }

    #[test]
    fn a_kind_of_decision_that_came_later_changes_no_seed() {
        let mut decider = Decider::seeded(17);
        decider.plan_cuts(0, 3);
        let first = decider.tracks.each_mut().map(|track| track.random.next());
        let from_the_beginning = [
            0x5d71_3761_adfd_2070,
            0x9aac_efe6_f43f_32b4,
            0x6209_a718_e7bf_e05e,
            0x8f87_25c1_c51c_9b76,
            0xba92_0ad0_7ad2_6d07,
        ];
        assert_eq!(first[..5], from_the_beginning);
        assert_eq!(decider.numbers().next(), 0x002d_d5a2_45d2_de0a);
    }

    #[test]
    fn links_are_cut_as_often_as_planned_and_for_65_seconds_at_most() {
        let (mut cuts, mut longest) = (0, 0);
        for seed in 0..1_000 {
            let mut decider = Decider::seeded(seed);
            decider.plan_cuts(2, 3);
            let cut: Vec<_> = (0..5_000 * 3).map(|n| decider.cut_ms(n / 3, n % 3, 3)).filter(|ms| *ms > 0).collect();
            assert!(cut.len() <= 2 && decider.taken().count() == cut.len());
            cuts += cut.len();
            longest = cut.into_iter().fold(longest, u64::max);
        }
        assert!((1_300..1_700).contains(&cuts), "{cuts} cuts of 2,000 that might have been, at three of four");
        assert!((60_000..65_536).contains(&longest), "{longest} ms");
    }

    #[test]
    fn probabilities_are_what_they_say() {
        let mut decider = Decider::seeded(1);
        let crashes = (0..100_000).filter(|_| decider.happens(Kind::Crash, 0.01, 2).is_some()).count();
        assert!((800..1_200).contains(&crashes), "{crashes} of 100,000 at one in a hundred");
        assert!((0..1_000).all(|_| decider.happens(Kind::Loss, 1.0, 3).is_some()));
        assert!((0..1_000).all(|_| decider.happens(Kind::Loss, 0.0, 3).is_none()));
        assert_eq!(Decider::scripted(1, Decisions::default()).happens(Kind::Loss, 1.0, 3), None);
    }
}
