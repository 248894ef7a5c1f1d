//! Writes MessagePack head by head, whatever it is made from.

/// What has been written.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) out: Vec<u8>,
}

/// How heads of one kind are written: for counts up to `small` in the head's byte itself, which begins with `first`;
/// else in 2 or 4 bytes behind the byte `long`, or the one after it, and where `short` is not 0 in 1 byte behind it.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    first: u8,
    small: u8,
    short: u8,
    long: u8,
}

pub(super) const LIST: Kind = Kind { first: 0x90, small: 15, short: 0, long: 0xdc };
pub(super) const MAP: Kind = Kind { first: 0x80, small: 15, short: 0, long: 0xde };
const TEXT: Kind = Kind { first: 0xa0, small: 31, short: 0xd9, long: 0xda };

impl Writer {
    /// A byte, then the last `bytes` bytes of a number.
    #[inline(never)]
    pub(super) fn number(&mut self, first: u8, number: u64, bytes: usize) {
        self.out.push(first);
        self.out.extend_from_slice(&number.to_be_bytes()[8 - bytes..]);
    }

    #[inline(never)]
    pub(super) fn head(&mut self, kind: Kind, count: u32) {
        match count {
            _ if count <= kind.small.into() => self.out.push(kind.first | count as u8),
            0..=0xff if kind.short != 0 => self.number(kind.short, count.into(), 1),
            0..=0xffff => self.number(kind.long, count.into(), 2),
            _ => self.number(kind.long + 1, count.into(), 4),
        }
    }

    #[inline(never)]
    pub(super) fn unsigned(&mut self, v: u64) {
        match v {
            0..=0x7f => self.out.push(v as u8),
            0x80..=0xff => self.number(0xcc, v, 1),
            0x100..=0xffff => self.number(0xcd, v, 2),
            0x1_0000..=0xffff_ffff => self.number(0xce, v, 4),
            _ => self.number(0xcf, v, 8),
        }
    }

    #[inline(never)]
    pub(super) fn signed(&mut self, v: i64) {
        match v {
            0.. => self.unsigned(v as u64),
            -32..0 => self.out.push(v as u8),
            -128..-32 => self.number(0xd0, v as u64, 1),
            -32_768..-128 => self.number(0xd1, v as u64, 2),
            -2_147_483_648..-32_768 => self.number(0xd2, v as u64, 4),
            _ => self.number(0xd3, v as u64, 8),
        }
    }

    #[inline(never)]
    pub(super) fn text(&mut self, v: &str) {
        self.head(TEXT, v.len() as u32);
        self.out.extend_from_slice(v.as_bytes());
    }

    #[inline(never)]
    pub(super) fn bytes(&mut self, v: &[u8]) {
        match v.len() {
            0..=0xff => self.number(0xc4, v.len() as u64, 1),
            0x100..=0xffff => self.number(0xc5, v.len() as u64, 2),
            _ => self.number(0xc6, v.len() as u64, 4),
        }
        self.out.extend_from_slice(v);
    }
}
