//! What two processes exchange, whatever carries it: letters of 64 bytes that have numbers, large messages, and how often.

use crate::spread::quantile;

/// Bytes of a letter.
pub const LETTER_BYTES: usize = 64;
/// Part of the rounds that come before those that count.
pub const WARM_UP: u64 = 10;
/// How often a large message goes there and back for one sample, after once to warm up.
pub const LARGE_ROUNDS: u64 = 3;

/// The letter with this number, which is its first eight bytes.
pub fn letter(number: u64) -> [u8; LETTER_BYTES] {
    let mut letter = [0x5a; LETTER_BYTES];
    letter[..8].copy_from_slice(&number.to_be_bytes());
    letter
}

/// The number of a letter; none of what is no letter.
pub fn number(letter: &[u8]) -> Option<u64> {
    let (number, rest) = letter.split_first_chunk()?;
    (rest.len() == LETTER_BYTES - 8).then(|| u64::from_be_bytes(*number))
}

/// Median and 99th percentile of nanoseconds, which a sample of round trips says.
pub fn round_trips(mut took: Vec<u64>) -> Vec<f64> {
    vec![quantile(&mut took, 0.5), quantile(&mut took, 0.99)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_has_its_number_and_nothing_else_has_one() {
        assert_eq!(number(&letter(1 << 40)), Some(1 << 40));
        assert_eq!(number(&letter(7)[1..]), None);
        assert_eq!(number(&[]), None);
    }
}
