//! What two nodes tell each other before anything else, on the first stream of each: Hello, then Resume.

use super::error::Close;
use super::limits::{GREETING_BYTES_MAX, LANES, NAME_BYTES_MAX};
use odeon::{NodeId, NodeRef};
use odeon_convention::codes;
use odeon_convention::wire::PROTOCOL_VERSION;
use quinn::{RecvStream, SendStream};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const MAGIC: [u8; 5] = *b"ODEON";
const HELLO_PREFIX_BYTES: usize = MAGIC.len() + 2;

/// Who this is. The peer holds the node's id against the certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) node: NodeRef,
    pub(crate) name: String,
    /// Whether it only dials; left out where it is false, so that those who do not know of it read the same as before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) outbound_only: bool,
}

/// Where the session stands on this side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Resume {
    /// This side's number of the session; not 0.
    pub(crate) session: u64,
    /// The peer's number of it as this side knows it; 0 when it does not.
    pub(crate) peer_session: u64,
    /// The last frame of each lane that this side has taken.
    pub(crate) received: [u64; LANES],
}

fn encode<T: Serialize>(value: &T, bytes: &mut Vec<u8>) -> Result<(), Close> {
    let body = rmp_serde::to_vec_named(value).map_err(|e| Close::new(codes::INTERNAL, e.to_string()))?;
    let length = u16::try_from(body.len()).map_err(|_| Close::new(codes::INTERNAL, "a greeting is too long"))?;
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&body);
    Ok(())
}

async fn write(stream: &mut SendStream, bytes: &[u8]) -> Result<(), Close> {
    stream.write_all(bytes).await.map_err(|e| Close::new(codes::NODE_UNREACHABLE, e.to_string()))
}

async fn read_exact(stream: &mut RecvStream, bytes: &mut [u8]) -> Result<(), Close> {
    stream.read_exact(bytes).await.map_err(|e| Close::violation(format!("a greeting that was cut: {e}")))
}

async fn read<T: DeserializeOwned>(stream: &mut RecvStream) -> Result<T, Close> {
    let mut length = [0; 2];
    read_exact(stream, &mut length).await?;
    let length = usize::from(u16::from_be_bytes(length));
    if length > GREETING_BYTES_MAX {
        return Err(Close::violation(format!(
            "a greeting of {length} bytes, at most {GREETING_BYTES_MAX} are allowed"
        )));
    }
    let mut body = vec![0; length];
    read_exact(stream, &mut body).await?;
    decode(&body)
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Close> {
    rmp_serde::from_slice(body).map_err(|e| Close::violation(format!("a greeting that cannot be understood: {e}")))
}

pub(crate) async fn send_hello(stream: &mut SendStream, hello: &Hello) -> Result<(), Close> {
    let mut bytes = [&MAGIC[..], &PROTOCOL_VERSION.to_be_bytes()].concat();
    encode(hello, &mut bytes)?;
    write(stream, &bytes).await
}

/// Reads what the node at the other end says first.
pub(crate) async fn receive_hello(stream: &mut RecvStream, me: NodeId, peer: NodeId) -> Result<Hello, Close> {
    let mut prefix = [0; HELLO_PREFIX_BYTES];
    read_exact(stream, &mut prefix).await?;
    if prefix[..MAGIC.len()] != MAGIC {
        return Err(Close::violation("the first stream does not begin as a link does"));
    }
    let version = u16::from_be_bytes([prefix[MAGIC.len()], prefix[MAGIC.len() + 1]]);
    if version != PROTOCOL_VERSION {
        // It is read on both sides.
        let reason = format!("{me} speaks version {PROTOCOL_VERSION} of the protocol, {peer} version {version}");
        return Err(Close::new(codes::PROTOCOL_VERSION, reason));
    }
    let hello: Hello = read(stream).await?;
    if hello.name.len() > NAME_BYTES_MAX {
        return Err(Close::violation(format!(
            "a name of {} bytes, at most {NAME_BYTES_MAX} are allowed",
            hello.name.len()
        )));
    }
    Ok(hello)
}

pub(crate) async fn send_resume(stream: &mut SendStream, resume: &Resume) -> Result<(), Close> {
    let mut bytes = Vec::new();
    encode(resume, &mut bytes)?;
    write(stream, &bytes).await
}

pub(crate) async fn receive_resume(stream: &mut RecvStream) -> Result<Resume, Close> {
    let resume: Resume = read(stream).await?;
    if resume.session == 0 { Err(Close::violation("a session without a number")) } else { Ok(resume) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon::{Incarnation, NodeId};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_of_a_greeting_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<Hello>(&bytes);
            let _ = decode::<Resume>(&bytes);
        }

        #[test]
        fn a_damaged_greeting_does_not_make_the_reader_panic(
            name in "\\PC{0,40}",
            received: [u64; LANES],
            at: prop::sample::Index,
            with: u8,
        ) {
            let hello = Hello { node: NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(3) }, name, outbound_only: at.index(2) == 1 };
            let resume = Resume { session: 1, peer_session: 2, received };
            let (mut one, mut other) = (rmp_serde::to_vec_named(&hello).unwrap(), rmp_serde::to_vec_named(&resume).unwrap());
            prop_assert_eq!(decode::<Hello>(&one), Ok(hello));
            prop_assert_eq!(decode::<Resume>(&other), Ok(resume));
            for bytes in [&mut one, &mut other] {
                let at = at.index(bytes.len());
                bytes[at] ^= with;
            }
            let _ = (decode::<Hello>(&one), decode::<Resume>(&other));
        }
    }
}
