//! What a session has taken from its peer: each frame of a lane once, in order, whatever connections it came over.

mod long;

use super::frame::Frames;
use super::limits::LANES;
pub(crate) use long::LongFrames;
use parking_lot::{Mutex, MutexGuard};

/// The receiving side of one lane. Its lock is held while the driver takes the frames, which keeps them in order
/// even while a connection replaces another.
#[derive(Default)]
pub(crate) struct Lane {
    /// The number of the last frame that the driver was given.
    received: u64,
    over: bool,
}

impl Lane {
    /// Of frames that begin with number `first`, drops those that were taken before.
    ///
    /// # Errors
    /// The number that was expected, when frames are missing before `first`.
    pub(crate) fn fresh(&self, first: u64, frames: &mut Frames) -> Result<(), u64> {
        let expected = self.received + 1;
        if self.over {
            frames.skip(frames.len());
            return Ok(());
        }
        let known = expected.checked_sub(first).ok_or(expected)?;
        frames.skip(usize::try_from(known).unwrap_or(usize::MAX));
        Ok(())
    }

    /// Whether the driver is given nothing more.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// The driver has taken so many more.
    pub(crate) fn took(&mut self, count: usize) -> u64 {
        self.received += count as u64;
        self.received
    }
}

#[derive(Default)]
pub(crate) struct Incoming {
    lanes: [Mutex<Lane>; LANES],
    /// Made with the first part: most sessions never have one.
    long: Mutex<Option<Box<LongFrames>>>,
}

impl Incoming {
    pub(crate) fn lane(&self, lane: usize) -> MutexGuard<'_, Lane> {
        self.lanes[lane].lock()
    }

    /// Takes a part of a long frame. Says whether that has all its bytes now.
    pub(crate) fn add_part(&self, part: &[u8]) -> Result<bool, String> {
        self.long.lock().get_or_insert_default().add(part)
    }

    /// Gives a long frame whose place has come.
    pub(crate) fn long_frame(&self, number: u64) -> Result<Vec<u8>, String> {
        self.long.lock().get_or_insert_default().take(number)
    }

    pub(crate) fn received(&self) -> [u64; LANES] {
        std::array::from_fn(|lane| self.lane(lane).received)
    }

    /// Nothing more is given to the driver once this returns.
    pub(crate) fn end(&self) {
        for lane in &self.lanes {
            lane.lock().over = true;
        }
        self.long.lock().take();
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Decoder, header};
    use super::*;

    #[test]
    fn frames_that_came_before_are_dropped_and_a_gap_is_refused() {
        let mut lane = Lane::default();
        let frames = |numbers: &[u8]| {
            let (mut decoder, mut frames) = (Decoder::of_lane(1), Frames::default());
            for number in numbers {
                decoder.push(&[&header(0, 1)[..], &[*number]].concat(), &mut frames).unwrap();
            }
            frames
        };
        let mut first = frames(&[1, 2, 3]);
        assert_eq!(lane.fresh(1, &mut first), Ok(()));
        assert_eq!(lane.took(first.len()), 3);
        let mut again = frames(&[2, 3, 4]);
        assert_eq!(lane.fresh(2, &mut again), Ok(()));
        assert_eq!(again.take().collect::<Vec<_>>(), [&[4_u8][..]]);
        assert_eq!(lane.fresh(5, &mut frames(&[5])), Err(4));
    }
}
