//! Which chunk to serve: the one that was served least often, so that a seed hands different ones to different fetchers
//! and what is rare becomes frequent, without anybody counting copies.

use super::Chunks;
use crate::limits::IMAGE_CHUNKS_MAX;
use crate::random::Random;

/// How often one node has served each chunk of an image.
#[derive(Debug, Clone)]
pub struct Served {
    times: Box<[u32; IMAGE_CHUNKS_MAX]>,
    random: Random,
}

impl Served {
    /// None was served.
    pub fn new(seed: u64) -> Self {
        Self { times: Box::new([0; IMAGE_CHUNKS_MAX]), random: Random::new(seed) }
    }

    /// The chunk to offer to one that lacks these, of those that are here; ties at random. It counts as served.
    pub fn offer(&mut self, here: &Chunks, lacks: &Chunks) -> Option<u16> {
        let absent = lacks.without(here);
        let (mut chosen, mut least, mut ties) = (None, u32::MAX, 0);
        for number in lacks.without(&absent).iter() {
            let times = self.times[usize::from(number)];
            ties = if times < least { 1 } else { ties + usize::from(times == least) };
            if times < least || (times == least && self.random.below(ties) == 0) {
                (chosen, least) = (Some(number), times);
            }
        }
        if let Some(number) = chosen {
            self.times[usize::from(number)] += 1;
        }
        chosen
    }

    /// What was offered was not taken.
    pub fn declined(&mut self, number: u16) {
        if let Some(times) = self.times.get_mut(usize::from(number)) {
            *times = times.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_hands_out_every_chunk_once_before_any_twice() {
        let (all, mut served) = (Chunks::first(200), Served::new(1));
        let first: Vec<u16> = (0..200).filter_map(|_| served.offer(&all, &all)).collect();
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..200).collect::<Vec<_>>());
        assert_ne!(sorted, first, "in no order that all would share");
    }

    #[test]
    fn only_what_is_here_and_lacked_is_offered_and_what_is_declined_is_offered_again() {
        let mut served = Served::new(1);
        let lacks = Chunks::first(3).without(&Chunks::first(1));
        assert_eq!(served.offer(&Chunks::first(2), &lacks), Some(1));
        assert_eq!(served.offer(&Chunks::first(1), &lacks), None);
        assert_eq!(served.offer(&Chunks::first(3), &lacks), Some(2));
        served.declined(2);
        assert_eq!(served.offer(&Chunks::first(3), &lacks), Some(2));
    }
}
