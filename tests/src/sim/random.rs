//! Every choice of a run comes from here.

/// SplitMix64.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: u64,
    mishaps: bool,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed ^ 0x0de0_5eed, mishaps: true }
    }

    /// Nothing goes wrong by chance.
    pub(super) fn lucky(seed: u64) -> Self {
        Self { mishaps: false, ..Self::new(seed) }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// True in `percent` of a hundred.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    /// Whether something goes wrong that does in `percent` of a hundred.
    pub(super) fn mishap(&mut self, percent: u64) -> bool {
        self.chance(percent) && self.mishaps
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
