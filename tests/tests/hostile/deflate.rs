//! A deflate stream of zeros that is as small as one can be: two bits for every 258 of them.

/// Zeros in the length that one symbol stands for.
const RUN: u64 = 258;

/// What unpacks to so many zeros, at least one.
pub(crate) fn zeros(count: u64) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.push(0b1, 1); // the last block
    bits.push(0b10, 2); // with codes of its own
    bits.push(29, 5); // 257 literals and lengths, and 29 more
    bits.push(0, 5); // one distance
    bits.push(18 - 4, 4); // of the lengths of codes for lengths, in the order 16, 17, 18, 0, 8, …, 2, 14, 1
    for symbol in 0..18 {
        bits.push(
            match symbol {
                2 => 1,
                15 | 17 => 2,
                _ => 0,
            },
            3,
        );
    }
    // Two bits for a zero and for the end, one for a run and for its distance; all others have no code.
    bits.length_of_code(2);
    bits.codes_absent(138);
    bits.codes_absent(117);
    bits.length_of_code(2);
    bits.codes_absent(28);
    bits.length_of_code(1);
    bits.length_of_code(1);
    bits.push(0b01, 2); // a zero, and from then on copies of it
    for _ in 0..(count - 1) % RUN {
        bits.push(0b01, 2);
    }
    bits.skip((count - 1) / RUN * 2);
    bits.push(0b11, 2);
    bits.bytes
}

/// Bits from the lowest of each byte up.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: u64,
}

impl Bits {
    fn push(&mut self, value: u8, bits: u32) {
        for bit in 0..bits {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.len() - 1;
            self.bytes[last] |= (value >> bit & 1) << (self.count % 8);
            self.count += 1;
        }
    }

    /// Bits that are zero.
    fn skip(&mut self, bits: u64) {
        self.count += bits;
        self.bytes.resize(self.count.div_ceil(8) as usize, 0);
    }

    /// In the code for lengths of codes, 18 is 0, 1 is 10 and 2 is 11.
    fn length_of_code(&mut self, length: u8) {
        self.push(if length == 1 { 0b01 } else { 0b11 }, 2);
    }

    fn codes_absent(&mut self, count: u8) {
        self.push(0, 1);
        self.push(count - 11, 7);
    }
}
