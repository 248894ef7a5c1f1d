//! Long frames of which parts have come.

use crate::link::frame::PART_HEAD_BYTES;
use crate::link::limits::{FRAME_BYTES_MAX, LONG_BYTES_MAX};
use hashbrown::HashMap;

struct Partial {
    bytes: Vec<u8>,
    /// How many it has when it is whole.
    total: usize,
}

/// By their numbers.
#[derive(Default)]
pub(crate) struct LongFrames {
    partial: HashMap<u64, Partial>,
    /// Of all of them, as if they were whole.
    bytes: usize,
}

impl LongFrames {
    /// Takes the next part of one. Says whether it is whole now.
    ///
    /// # Errors
    /// A peer that breaks the rules, in words.
    pub(crate) fn add(&mut self, part: &[u8]) -> Result<bool, String> {
        let short = || format!("a part of {} bytes", part.len());
        let (head, bytes) = part.split_first_chunk::<PART_HEAD_BYTES>().ok_or_else(short)?;
        let [n0, n1, n2, n3, n4, n5, n6, n7, total @ ..] = *head;
        let number = u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]);
        let total = u32::from_be_bytes(total) as usize;
        let partial = match self.partial.entry(number) {
            hashbrown::hash_map::Entry::Occupied(known) => known.into_mut(),
            hashbrown::hash_map::Entry::Vacant(new) => {
                if total > FRAME_BYTES_MAX {
                    return Err(format!("a frame of {total} bytes, at most {FRAME_BYTES_MAX} are allowed"));
                }
                if self.bytes + total > LONG_BYTES_MAX {
                    return Err(format!("more than {LONG_BYTES_MAX} bytes of long frames at once"));
                }
                self.bytes += total;
                new.insert(Partial { bytes: Vec::new(), total })
            }
        };
        if bytes.is_empty() || partial.total != total || partial.bytes.len() + bytes.len() > total {
            let (has, more) = (partial.bytes.len(), bytes.len());
            return Err(format!("{more} bytes of {total} for a long frame that has {has} of {}", partial.total));
        }
        partial.bytes.extend_from_slice(bytes);
        Ok(partial.bytes.len() == total)
    }

    /// Gives one that is whole.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn take(&mut self, number: u64) -> Result<Vec<u8>, String> {
        match self.partial.remove(&number) {
            Some(Partial { bytes, total }) if bytes.len() == total => {
                self.bytes -= total;
                Ok(bytes)
            }
            Some(Partial { bytes, total }) => Err(format!("long frame {number} has {} of {total} bytes", bytes.len())),
            None => Err(format!("long frame {number} is not known")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: u64, total: usize, bytes: &[u8]) -> Vec<u8> {
        [&number.to_be_bytes()[..], &(total as u32).to_be_bytes(), bytes].concat()
    }

    #[test]
    fn parts_of_several_become_what_they_were() {
        let mut long = LongFrames::default();
        assert_eq!(long.add(&part(1, 5, b"ab")), Ok(false));
        assert_eq!(long.add(&part(2, 2, b"xy")), Ok(true));
        assert_eq!(long.add(&part(1, 5, b"cde")), Ok(true));
        assert_eq!((long.take(2), long.take(1)), (Ok(b"xy".to_vec()), Ok(b"abcde".to_vec())));
        assert_eq!(long.bytes, 0);
    }

    #[test]
    fn whoever_breaks_the_rules_is_told_which() {
        let refused = |parts: &[Vec<u8>]| {
            let mut long = LongFrames::default();
            parts.iter().find_map(|part| long.add(part).err()).expect("one of them is refused")
        };
        assert!(refused(&[vec![0; 11]]).contains("11 bytes"));
        assert!(refused(&[part(1, 5, b"")]).contains("0 bytes"));
        assert!(refused(&[part(1, 5, b"ab"), part(1, 6, b"c")]).contains("has 2 of 5"));
        assert!(refused(&[part(1, 2, b"abc")]).contains("3 bytes of 2"));
        assert!(refused(&[part(1, FRAME_BYTES_MAX + 1, b"a")]).contains("at most"));
        let many: Vec<_> = (0..5).map(|n| part(n, FRAME_BYTES_MAX, b"a")).collect();
        assert!(refused(&many).contains("at once"));
        let mut long = LongFrames::default();
        assert_eq!(long.add(&part(1, 5, b"ab")), Ok(false));
        assert!(long.take(1).is_err_and(|e| e.contains("2 of 5")));
        assert!(long.take(9).is_err());
    }
}
