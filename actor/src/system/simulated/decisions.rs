//! Where a simulation has its decisions from: a seed, or what another run decided.
//!
//! Each kind of decision has a track of its own, so that one more delay moves no crash. Zero is the plain choice: whoever
//! came first, no delay, no fault. A run that is told what to decide takes zero for all that it is not told.

use std::collections::BTreeMap;
use std::fmt;

/// Losses happen in the first two to the power of so many steps.
const MOMENTS: u32 = 12;

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
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [Kind::Order, Kind::Delay, Kind::Place, Kind::Crash, Kind::Loss];

    fn word(self) -> &'static str {
        match self {
            Kind::Order => "order",
            Kind::Delay => "delay",
            Kind::Place => "place",
            Kind::Crash => "crash",
            Kind::Loss => "loss",
        }
    }
}

/// What a run decided otherwise than by the plain choice: for each kind the number of the decision, and what it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions([BTreeMap<u32, u32>; 5]);

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

    /// How far they are from plain choices: fewer decisions first, then smaller ones.
    pub(crate) fn weight(&self) -> (usize, u64) {
        (self.count(), self.0.iter().flat_map(BTreeMap::values).map(|value| u64::from(*value)).sum())
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

/// Decides, and keeps what it decided.
pub(super) struct Decider {
    script: Option<Decisions>,
    numbers: Random,
    tracks: [Track; 5],
    taken: Decisions,
}

impl Decider {
    /// Decides by a seed.
    pub(super) fn seeded(seed: u64) -> Self {
        let mut seeds = Random::new(seed);
        let tracks = std::array::from_fn(|_| Track { random: Random::new(seeds.next()), asked: 0 });
        Self { script: None, numbers: Random::new(seeds.next()), tracks, taken: Decisions::default() }
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
        let draw = |random: &mut Random| match random.below(MOMENTS + 4) {
            power @ 0..MOMENTS => (1 << power) + random.below(1 << power),
            _ => 0,
        };
        u64::from(self.decide(Kind::Loss, u32::MAX, draw))
    }

    fn decide(&mut self, kind: Kind, most: u32, draw: impl FnOnce(&mut Random) -> u32) -> u32 {
        let track = &mut self.tracks[kind as usize];
        let number = track.asked;
        track.asked = track.asked.saturating_add(1);
        let value = match &self.script {
            Some(script) => script.of(kind).get(&number).map_or(0, |value| (*value).min(most)),
            None => draw(&mut track.random),
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
        let mut choose = |n: usize| (decider.choose(Kind::Order, n % 7), decider.happens(Kind::Crash, 0.2, 2));
        (0..200).map(|n| choose(n)).collect()
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
    fn probabilities_are_what_they_say() {
        let mut decider = Decider::seeded(1);
        let crashes = (0..100_000).filter(|_| decider.happens(Kind::Crash, 0.01, 2).is_some()).count();
        assert!((800..1_200).contains(&crashes), "{crashes} of 100,000 at one in a hundred");
        assert!((0..1_000).all(|_| decider.happens(Kind::Loss, 1.0, 3).is_some()));
        assert!((0..1_000).all(|_| decider.happens(Kind::Loss, 0.0, 3).is_none()));
        assert_eq!(Decider::scripted(1, Decisions::default()).happens(Kind::Loss, 1.0, 3), None);
    }
}
