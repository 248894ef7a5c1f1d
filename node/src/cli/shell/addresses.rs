//! The addresses that a shell has met, each with a number that is shorter to type.

use odeon::Address;

/// Numbered from 0, in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Addresses(Vec<Address>);

/// More are not kept: whoever needs one of them types it.
const ADDRESSES_MAX: usize = 10_000;

impl Addresses {
    /// Its number, and whether it was met just now; none where no more are kept.
    pub(super) fn meet(&mut self, address: Address) -> Option<(usize, bool)> {
        if let Some(number) = self.0.iter().position(|known| *known == address) {
            return Some((number, false));
        }
        (self.0.len() < ADDRESSES_MAX).then(|| {
            self.0.push(address);
            (self.0.len() - 1, true)
        })
    }

    /// The one with a number.
    pub(super) fn get(&self, number: usize) -> Option<Address> {
        self.0.get(number).copied()
    }

    /// All of them, each with its number.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, Address)> + '_ {
        self.0.iter().copied().enumerate()
    }
}

/// The addresses in a text, whatever stands around them.
pub(super) fn addresses_in(text: &str) -> impl Iterator<Item = Address> + '_ {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_:".contains(c);
    text.split(move |c| !is_part(c)).filter_map(|word| word.parse().ok())
}
