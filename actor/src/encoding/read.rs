//! Reads MessagePack head by head, whatever is to become of it.

/// The bytes are no MessagePack, or not that of the type they are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// What a value begins with: all of it, or how many values are in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Head<'a> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    /// Text, not yet known to be UTF-8.
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    List(u32),
    Map(u32),
}

/// Reads from a slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// Each byte is a number: the inside of a byte string that is read as a list.
    raw: bool,
    /// Lists and maps that may still be entered.
    pub(super) depth: u16,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], depth: u16) -> Self {
        Self { rest: bytes, raw: false, depth }
    }

    /// Reads each byte as a number.
    pub(super) fn raw(bytes: &'a [u8], depth: u16) -> Self {
        Self { rest: bytes, raw: true, depth }
    }

    /// The first byte of what comes next.
    pub(super) fn peek(&self) -> Option<u8> {
        if self.raw { None } else { self.rest.first().copied() }
    }

    #[inline(never)]
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A number of 1, 2, 4 or 8 bytes: 1 shifted left by `log`.
    #[inline(never)]
    fn number(&mut self, log: u8) -> Result<u64, Malformed> {
        Ok(self.take(1 << log)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    #[inline(never)]
    pub(super) fn head(&mut self) -> Result<Head<'a>, Malformed> {
        let first = self.number(0)? as u8;
        if self.raw {
            return Ok(Head::Unsigned(first.into()));
        }
        let small = u32::from(first);
        Ok(match first {
            0x00..=0x7f => Head::Unsigned(first.into()),
            0x80..=0x8f => Head::Map(small & 15),
            0x90..=0x9f => Head::List(small & 15),
            0xa0..=0xbf => Head::Text(self.take(usize::from(first & 31))?),
            0xc0 => Head::Nil,
            0xc2 | 0xc3 => Head::Bool(first == 0xc3),
            0xc4..=0xc6 => {
                let bytes = self.number(first - 0xc4)?;
                Head::Bytes(self.take(bytes as usize)?)
            }
            0xca => Head::Float(f32::from_bits(self.number(2)? as u32).into()),
            0xcb => Head::Float(f64::from_bits(self.number(3)?)),
            0xcc..=0xcf => Head::Unsigned(self.number(first - 0xcc)?),
            0xd0..=0xd3 => {
                let log = first - 0xd0;
                let unused = 64 - (8 << log);
                Head::Signed((self.number(log)? << unused) as i64 >> unused)
            }
            0xd9..=0xdb => {
                let bytes = self.number(first - 0xd9)?;
                Head::Text(self.take(bytes as usize)?)
            }
            0xdc | 0xdd => Head::List(self.number(first - 0xdb)? as u32),
            0xde | 0xdf => Head::Map(self.number(first - 0xdd)? as u32),
            0xe0..=0xff => Head::Signed((first as i8).into()),
            // Extensions, and what is never used.
            0xc1 | 0xc7..=0xc9 | 0xd4..=0xd8 => return Err(Malformed),
        })
    }
}

/// The key and the bytes of the value of a map that has one entry and a text for its key.
pub(crate) fn only_entry(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let mut reader = Reader::new(bytes, 0);
    let Ok(Head::Map(1)) = reader.head() else { return None };
    let Ok(Head::Text(key)) = reader.head() else { return None };
    Some((std::str::from_utf8(key).ok()?, reader.rest))
}
