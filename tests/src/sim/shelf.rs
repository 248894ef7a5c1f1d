//! The images that people push. One that is revoked is so for ever, so another one takes its place.

use super::random::Random;

/// How many are in use at a time.
const PLACES: usize = 4;
/// More numbers there are not: a hash is made of one.
const NUMBER_MAX: u8 = 250;

#[derive(Debug)]
pub(super) struct Shelf {
    in_use: [u8; PLACES],
    /// In the order in which somebody asked for it, whether that was done or not.
    revoked: Vec<u8>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self { in_use: std::array::from_fn(|place| place as u8 + 1), revoked: Vec::new() }
    }
}

impl Shelf {
    /// One that is in use, or now and then one that was.
    pub(super) fn any(&self, random: &mut Random) -> u8 {
        match self.revoked.last() {
            Some(last) if random.chance(15) => *last,
            Some(_) if random.chance(15) => *random.pick(&self.revoked),
            _ => *random.pick(&self.in_use),
        }
    }

    /// Those that somebody asked to revoke.
    pub(super) fn revoked(&self) -> &[u8] {
        &self.revoked
    }

    /// Somebody asks for its revocation.
    pub(super) fn revoke(&mut self, number: u8) {
        let next = (PLACES + self.revoked.len()) as u8 + 1;
        if let Some(place) = self.in_use.iter_mut().find(|place| **place == number).filter(|_| next <= NUMBER_MAX) {
            *place = next;
            self.revoked.push(number);
        }
    }
}
