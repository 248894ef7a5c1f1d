//! A sign of life on the wire: a datagram beside QUIC, on its socket, that proves by a key of the connection who sent it.

use ring::hmac;

/// Bytes that a sign may carry for the driver.
pub(crate) const BODY_BYTES_MAX: usize = 64;
/// Their first byte tells a sign and its answer from QUIC, of which no datagram begins with less than 64 (RFC 9443).
const WORD: u8 = 0x0c;
const SIGN: u8 = 0x0d;
const ANSWER: u8 = 0x0e;
/// A sign of a connection that the other side does not know, followed by the id of the sign. Nothing proves it, and it
/// does no more than have QUIC ask.
const UNKNOWN: u8 = 0x0f;
const UNKNOWN_BYTES: usize = 1 + 8;
const HEADER_BYTES: usize = 1 + 8 + 8;
const TAG_BYTES: usize = 32;
const BYTES_MAX: usize = HEADER_BYTES + BODY_BYTES_MAX + TAG_BYTES;
/// What both sides take from the handshake: the id and the key of the dialler's signs, then those of the other side's.
const SECRET_BYTES: usize = 2 * (8 + TAG_BYTES);
const SECRET_LABEL: &[u8] = b"EXPORTER-odeon-signs";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A sign that wants no answer.
    Word,
    /// One that wants an answer.
    Sign,
    /// It has the number of the sign that it answers.
    Answer,
}

/// A datagram that looks like one of these; whether it is one, its key tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sign<'a> {
    pub(crate) kind: Kind,
    /// Which connection and direction.
    pub(crate) id: u64,
    pub(crate) number: u64,
    pub(crate) body: &'a [u8],
    tag: &'a [u8],
    tagged: &'a [u8],
}

/// What one side of a connection sends signs with, or knows them by.
#[derive(Debug)]
pub(crate) struct Seal {
    pub(crate) id: u64,
    key: hmac::Key,
}

/// Whether a datagram is not one of QUIC.
pub(crate) fn is_beside_quic(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(&(WORD | SIGN | ANSWER | UNKNOWN)))
}

/// What is said of a sign with this id where no connection has it.
pub(crate) fn unknown(id: u64) -> [u8; UNKNOWN_BYTES] {
    let mut datagram = [UNKNOWN; UNKNOWN_BYTES];
    datagram[1..].copy_from_slice(&id.to_be_bytes());
    datagram
}

/// The id of a sign that the other side says it does not know.
pub(crate) fn parse_unknown(datagram: &[u8]) -> Option<u64> {
    let [UNKNOWN, id @ ..] = datagram else { return None };
    Some(u64::from_be_bytes(id.try_into().ok()?))
}

impl<'a> Sign<'a> {
    pub(crate) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let kind = match *datagram.first()? {
            WORD => Kind::Word,
            SIGN => Kind::Sign,
            ANSWER => Kind::Answer,
            _ => return None,
        };
        if !(HEADER_BYTES + TAG_BYTES..=BYTES_MAX).contains(&datagram.len()) {
            return None;
        }
        let (tagged, tag) = datagram.split_at(datagram.len() - TAG_BYTES);
        let (header, body) = tagged.split_at(HEADER_BYTES);
        let number = |at: usize| header[at..at + 8].iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
        Some(Self { kind, id: number(1), number: number(9), body, tag, tagged })
    }
}

impl Seal {
    /// The seals of both directions, the dialler's first, or none where TLS gives no secret.
    pub(crate) fn both(connection: &quinn::Connection) -> Option<[Self; 2]> {
        let mut secret = [0; SECRET_BYTES];
        connection.export_keying_material(&mut secret, SECRET_LABEL, &[]).ok()?;
        let (dialler, other) = secret.split_at(SECRET_BYTES / 2);
        Some([Self::of(dialler), Self::of(other)])
    }

    /// One that nobody else has; none where there are no random numbers.
    pub(crate) fn of_its_own() -> Option<Self> {
        let mut secret = [0; SECRET_BYTES / 2];
        getrandom::fill(&mut secret).ok()?;
        Some(Self::of(&secret))
    }

    fn of(secret: &[u8]) -> Self {
        let (id, key) = secret.split_at(8);
        let id = id.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
        Self { id, key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// The datagram; a body that is too long is not sent.
    pub(crate) fn write(&self, kind: Kind, number: u64, body: &[u8]) -> Option<Vec<u8>> {
        if body.len() > BODY_BYTES_MAX {
            return None;
        }
        let mut datagram = Vec::with_capacity(HEADER_BYTES + body.len() + TAG_BYTES);
        datagram.push(match kind {
            Kind::Word => WORD,
            Kind::Sign => SIGN,
            Kind::Answer => ANSWER,
        });
        datagram.extend_from_slice(&self.id.to_be_bytes());
        datagram.extend_from_slice(&number.to_be_bytes());
        datagram.extend_from_slice(body);
        let tag = hmac::sign(&self.key, &datagram);
        datagram.extend_from_slice(tag.as_ref());
        Some(datagram)
    }

    /// Whether the sign was made with this seal.
    pub(crate) fn is_on(&self, sign: &Sign<'_>) -> bool {
        sign.id == self.id && hmac::verify(&self.key, sign.tagged, sign.tag).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seal(of: u8) -> Seal {
        Seal::of(&[of; 40])
    }

    proptest! {
        #[test]
        fn a_sign_is_read_as_it_was_written_and_no_changed_byte_passes(
            body in prop::collection::vec(any::<u8>(), 0..=BODY_BYTES_MAX),
            number: u64,
            kind in prop::sample::select(vec![Kind::Word, Kind::Sign, Kind::Answer]),
            at: prop::sample::Index,
            with in 1..=255_u8,
        ) {
            let mut datagram = seal(1).write(kind, number, &body).expect("a body that fits");
            let sign = Sign::parse(&datagram).expect("a sign");
            prop_assert_eq!((sign.kind, sign.id, sign.number, sign.body), (kind, seal(1).id, number, &body[..]));
            prop_assert!(seal(1).is_on(&sign) && !seal(2).is_on(&sign));
            let at = at.index(datagram.len());
            datagram[at] ^= with;
            prop_assert!(Sign::parse(&datagram).is_none_or(|changed| !seal(1).is_on(&changed)));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Sign::parse(&bytes).is_none_or(|sign| !seal(1).is_on(&sign)));
        }
    }

    #[test]
    fn what_is_said_of_an_unknown_sign_is_read_as_it_was_written() {
        assert!(is_beside_quic(&unknown(7)) && Sign::parse(&unknown(7)).is_none());
        assert_eq!(parse_unknown(&unknown(7)), Some(7));
        assert_eq!(parse_unknown(&unknown(7)[..8]), None);
        assert_eq!(parse_unknown(&[UNKNOWN; 10]), None);
    }

    #[test]
    fn what_is_too_long_is_not_written() {
        assert_eq!(seal(1).write(Kind::Sign, 1, &[0; BODY_BYTES_MAX + 1]), None);
    }
}
