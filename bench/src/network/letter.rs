//! The 64 bytes that travel, of which the first eight are a number.

/// Bytes of a letter.
pub(super) const LETTER_BYTES: usize = 64;

/// The letter with this number.
pub(super) fn letter(number: u64) -> [u8; LETTER_BYTES] {
    let mut letter = [0x5a; LETTER_BYTES];
    letter[..8].copy_from_slice(&number.to_be_bytes());
    letter
}

/// The number of a letter; none of what is no letter.
pub(super) fn number(letter: &[u8]) -> Option<u64> {
    let (number, rest) = letter.split_first_chunk()?;
    (rest.len() == LETTER_BYTES - 8).then(|| u64::from_be_bytes(*number))
}
