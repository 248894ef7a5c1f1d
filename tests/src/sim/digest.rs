//! A digest of what was seen: two runs with the same one were the same.

use super::watch::Seen;
use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};

#[derive(Debug, Default)]
pub(super) struct Digest(DefaultHasher);

impl Digest {
    /// What was seen at this time, as its text: no text is made, there may be tens of millions.
    pub(super) fn add(&mut self, now: u64, seen: &Seen) {
        write!(self, "{now} {seen:?}").expect("a hasher takes everything");
        self.0.write_u8(0xff);
    }

    pub(super) fn sum(&self) -> u64 {
        self.0.finish()
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
