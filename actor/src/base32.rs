//! Bytes as text that people can copy: RFC 4648's base 32 in lower case, without padding.
//!
//! Written here because it is in every image; a crate for all such encodings takes several times as much of one.

const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Writes the digits behind `text`.
pub(crate) fn push(text: &mut String, bytes: &[u8]) {
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(DIGITS[(held >> bits) as usize & 31]));
        }
    }
    if bits > 0 {
        text.push(char::from(DIGITS[(held << (5 - bits)) as usize & 31]));
    }
}

/// Reads so many bytes, from digits in lower or upper case. No two texts are the same bytes, but for the case.
pub(crate) fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != (N * 8).div_ceil(5) {
        return None;
    }
    let mut bytes = [0; N];
    let mut places = bytes.iter_mut();
    let (mut held, mut bits) = (0_u32, 0);
    for digit in text.bytes() {
        let value = match digit {
            b'a'..=b'z' => digit - b'a',
            b'A'..=b'Z' => digit - b'A',
            b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        held = held << 5 | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            *places.next()? = (held >> bits) as u8;
        }
    }
    // What is left of the last digit is no part of a byte.
    (held & ((1 << bits) - 1) == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::BASE32_NOPAD;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_base_32_of_the_standard(bytes: [u8; 32], short: [u8; 16], text in "[a-zA-Z1-8]{26}") {
            for bytes in [&bytes[..], &short] {
                let mut text = String::new();
                push(&mut text, bytes);
                prop_assert_eq!(text.to_ascii_uppercase(), BASE32_NOPAD.encode(bytes));
                if bytes.len() == 16 {
                    prop_assert_eq!(read::<16>(&text).map(Vec::from), Some(bytes.to_vec()));
                }
            }
            let expected = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok();
            prop_assert_eq!(read::<16>(&text).map(Vec::from), expected);
        }
    }

    #[test]
    fn a_text_of_another_length_is_refused() {
        assert_eq!(read::<16>(&"a".repeat(25)), None);
        assert_eq!(read::<16>(&"a".repeat(27)), None);
        assert_eq!(read::<16>(&"a".repeat(26)), Some([0; 16]));
    }
}
