//! The frames: four bytes of length, the highest first, then MessagePack: a map of one key, which is the frame's name,
//! to a map of its fields.

use super::limits::{
    ACTORS_MAX, DEPTH_MAX, FRAME_BYTES_MAX, MESSAGE_BYTES_MAX, MESSAGE_NAME_BYTES_MAX, NAME_BYTES_MAX, REQUIRED_MAX,
    WORKERS_MAX,
};
use crate::host::{CreateRequest, Level};
use crate::{Address, CapabilityMap, Encoded, Requirements, Topic, Value};
use odeon_capabilities::limits::KEY_BYTES_MAX;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// What a node says to a process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ToChild {
    /// The first frame: the versions that the node speaks.
    #[allow(missing_docs)]
    Hello { version_min: u16, version_max: u16, image: String, node: String },
    /// Asks which actor types there are. Answered by [`FromChild::Described`].
    #[allow(missing_docs)]
    Describe { call: u64 },
    /// Asks whether a node may host an actor. Answered by [`FromChild::Checked`], after any [`FromChild::Read`].
    #[allow(missing_docs)]
    Check { call: u64, actor: String, requirements: Requirements },
    /// A capability of the node that a check is about; none where it does not have it.
    #[allow(missing_docs)]
    Capability { call: u64, value: Option<Value> },
    /// Builds an actor under a number that no actor had before. Answered by [`FromChild::Built`].
    #[allow(missing_docs)]
    Build { actor: u64, name: String },
    /// Gives an actor a message. Ended by [`FromChild::Done`].
    #[allow(missing_docs)]
    Receive {
        actor: u64,
        address: Address,
        sender: Address,
        name: String,
        #[serde(with = "crate::bytes")]
        bytes: Vec<u8>,
    },
    /// The address of the child that the actor has asked for.
    #[allow(missing_docs)]
    Created { actor: u64, child: Address },
    /// The capabilities that the actor has asked for.
    #[allow(missing_docs)]
    Capabilities { actor: u64, capabilities: CapabilityMap },
    /// The number of the wakeup that the actor has asked for, which is in its message as well.
    #[allow(missing_docs)]
    Wakeup { actor: u64, wakeup: u64 },
    /// An actor is gone.
    #[allow(missing_docs)]
    Drop { actor: u64 },
}

/// What a process says to its node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FromChild {
    /// The first frame: the version that is spoken from now on, and how many messages are worked at the same time.
    #[allow(missing_docs)]
    Hello { version: u16, workers: u16, library: String },
    /// The actor types.
    #[allow(missing_docs)]
    Described { call: u64, actors: Vec<Described> },
    /// A check reads a capability. Answered by [`ToChild::Capability`].
    #[allow(missing_docs)]
    Read { call: u64, key: String },
    /// What a check says, or why it says nothing.
    #[allow(missing_docs)]
    Checked { call: u64, accepted: bool, error: Option<String> },
    /// An actor is built, or why it is not.
    #[allow(missing_docs)]
    Built { actor: u64, error: Option<String> },
    /// An actor sends a message.
    #[allow(missing_docs)]
    Send {
        actor: u64,
        to: Address,
        name: String,
        #[serde(with = "crate::bytes")]
        bytes: Vec<u8>,
    },
    /// An actor creates a child. Answered by [`ToChild::Created`].
    #[allow(missing_docs)]
    Create { actor: u64, request: CreateRequest },
    /// An actor wants a `WakeupMessage` after so many milliseconds. Answered by [`ToChild::Wakeup`].
    #[allow(missing_docs)]
    Wakeup { actor: u64, delay_ms: u64, payload: Option<Encoded> },
    /// An actor does not want a wakeup any more.
    #[allow(missing_docs)]
    CancelWakeup { actor: u64, wakeup: u64 },
    /// An actor puts off the message that it handles, if that ends well.
    #[allow(missing_docs)]
    Defer { actor: u64 },
    /// What an actor has put off comes next.
    #[allow(missing_docs)]
    ResumeDeferred { actor: u64 },
    /// An actor exits once its message is handled.
    #[allow(missing_docs)]
    Exit { actor: u64 },
    /// An actor asks for the node's capabilities. Answered by [`ToChild::Capabilities`].
    #[allow(missing_docs)]
    Capabilities { actor: u64 },
    /// An actor changes a capability of the node, or with no value removes it.
    #[allow(missing_docs)]
    UpdateCapability { actor: u64, key: String, value: Option<Value> },
    /// An actor wants to be told of a topic, or not any more.
    #[allow(missing_docs)]
    Watch { actor: u64, topic: Topic, on: bool },
    /// An actor asks to be the Source Authority.
    #[allow(missing_docs)]
    RegisterSourceAuthority { actor: u64 },
    /// A line for the log, of an actor while it handles a message or of the image.
    #[allow(missing_docs)]
    Log { actor: Option<u64>, level: Level, text: String },
    /// A message is handled, or why it failed.
    #[allow(missing_docs)]
    Done { actor: u64, error: Option<String> },
}

/// An actor type of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Capabilities that must be true wherever one is to live.
    pub required: Vec<String>,
}

/// Why bytes are no frame, or a value makes none.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum FrameError {
    #[error("a frame of {bytes} bytes is longer than {FRAME_BYTES_MAX} bytes")]
    TooLong { bytes: usize },
    #[error("a frame of {bytes} bytes does not decode: {reason}")]
    Malformed { bytes: usize, reason: String },
    #[error("{trailing} bytes follow a frame of {bytes} bytes")]
    Trailing { bytes: usize, trailing: usize },
    #[error("a frame has {what} of {found}, at most {max}")]
    Beyond { what: &'static str, found: usize, max: usize },
    #[error("a frame cannot be encoded: {reason}")]
    Unencodable { reason: String },
    #[error("the socket failed: {0}")]
    Socket(#[from] io::Error),
}

/// A frame with its length in front.
pub fn encode(frame: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0; 4];
    rmp_serde::encode::write_named(&mut bytes, frame)
        .map_err(|error| FrameError::Unencodable { reason: error.to_string() })?;
    let length = bytes.len() - 4;
    if length > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong { bytes: length });
    }
    bytes[..4].copy_from_slice(&(length as u32).to_be_bytes());
    Ok(bytes)
}

/// A frame from its bytes, without their length.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    if bytes.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong { bytes: bytes.len() });
    }
    let mut rest = bytes;
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
    deserializer.set_max_depth(DEPTH_MAX);
    let frame = T::deserialize(&mut deserializer)
        .map_err(|error| FrameError::Malformed { bytes: bytes.len(), reason: error.to_string() })?;
    if rest.is_empty() { Ok(frame) } else { Err(FrameError::Trailing { bytes: bytes.len(), trailing: rest.len() }) }
}

/// The next frame of a stream; none at its end.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> Result<Option<T>, FrameError> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong { bytes: length });
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    decode(&bytes).map(Some)
}

/// Writes a frame to a stream.
pub fn write(to: &mut impl Write, frame: &impl Serialize) -> Result<(), FrameError> {
    to.write_all(&encode(frame)?)?;
    Ok(to.flush()?)
}

impl FromChild {
    /// Whether every count and length in it is within its limit.
    pub fn check(&self) -> Result<(), FrameError> {
        match self {
            Self::Hello { workers, library, .. } => {
                within("workers", usize::from(*workers), usize::from(WORKERS_MAX))?;
                within("a library's name", library.len(), NAME_BYTES_MAX)
            }
            Self::Described { actors, .. } => {
                within("actor types", actors.len(), ACTORS_MAX)?;
                actors.iter().try_for_each(|actor| {
                    within("an actor type's name", actor.name.len(), NAME_BYTES_MAX)?;
                    within("required capabilities", actor.required.len(), REQUIRED_MAX)?;
                    actor.required.iter().try_for_each(|key| within("a capability's key", key.len(), KEY_BYTES_MAX))
                })
            }
            Self::Read { key, .. } | Self::UpdateCapability { key, .. } => {
                within("a capability's key", key.len(), KEY_BYTES_MAX)
            }
            Self::Send { name, bytes, .. } | Self::Wakeup { payload: Some(Encoded { name, bytes }), .. } => {
                within("a message's name", name.len(), MESSAGE_NAME_BYTES_MAX)?;
                within("a message", bytes.len(), MESSAGE_BYTES_MAX)
            }
            _ => Ok(()),
        }
    }
}

fn within(what: &'static str, found: usize, max: usize) -> Result<(), FrameError> {
    if found > max { Err(FrameError::Beyond { what, found, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Incarnation, NodeId, NodeRef};

    fn actor() -> Address {
        Address::mint(NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(1) }, 3, 4)
    }

    #[test]
    fn a_frame_comes_back_as_it_was_and_behind_it_the_next() {
        let frames = [
            FromChild::Hello { version: 1, workers: 4, library: "test".into() },
            FromChild::Send { actor: 1, to: actor(), name: "string".into(), bytes: vec![0xa1, b'x'] },
            FromChild::UpdateCapability { actor: 1, key: "gpu".into(), value: None },
            FromChild::Done { actor: 1, error: Some("no".into()) },
        ];
        let mut stream = Vec::new();
        frames.iter().for_each(|frame| write(&mut stream, frame).unwrap());
        let mut stream = stream.as_slice();
        for frame in &frames {
            assert_eq!(read::<FromChild>(&mut stream).unwrap().as_ref(), Some(frame));
        }
        assert_eq!(read::<FromChild>(&mut stream).unwrap(), None);
    }

    #[test]
    fn a_frame_is_a_map_of_its_name_to_a_map_of_its_fields() {
        let bytes = encode(&ToChild::Drop { actor: 5 }).unwrap();
        assert_eq!(bytes, [&[0, 0, 0, 14, 0x81, 0xa4][..], b"drop", &[0x81, 0xa5], b"actor", &[5]].concat());
        let bytes = encode(&FromChild::Send { actor: 5, to: actor(), name: "x".into(), bytes: vec![1] }).unwrap();
        assert!(bytes.ends_with(&[0xa5, b'b', b'y', b't', b'e', b's', 0xc4, 1, 1]), "bytes are no list of numbers");
    }

    #[test]
    fn what_is_too_long_cut_or_followed_by_more_is_no_frame() {
        let long = (FRAME_BYTES_MAX as u32 + 1).to_be_bytes();
        assert!(matches!(read::<FromChild>(&mut &long[..]), Err(FrameError::TooLong { .. })));
        let bytes = encode(&FromChild::Exit { actor: 1 }).unwrap();
        assert!(read::<FromChild>(&mut &bytes[..bytes.len() - 1]).is_err());
        let more = [&bytes[4..], &[0]].concat();
        assert!(matches!(decode::<FromChild>(&more), Err(FrameError::Trailing { trailing: 1, .. })));
        assert!(matches!(decode::<FromChild>(b"no frame"), Err(FrameError::Malformed { .. })));
        let deep = [[0x91; DEPTH_MAX + 10].as_slice(), &[0xc0]].concat();
        assert!(decode::<FromChild>(&deep).is_err());
    }

    #[test]
    fn counts_and_lengths_have_their_limits() {
        let described = |name: usize, required: usize, count: usize| FromChild::Described {
            call: 1,
            actors: vec![Described { name: "a".repeat(name), required: vec!["k".into(); required] }; count],
        };
        described(NAME_BYTES_MAX, REQUIRED_MAX, ACTORS_MAX).check().unwrap();
        for beyond in [
            described(NAME_BYTES_MAX + 1, 0, 1),
            described(1, REQUIRED_MAX + 1, 1),
            described(1, 0, ACTORS_MAX + 1),
            FromChild::Hello { version: 1, workers: WORKERS_MAX + 1, library: String::new() },
            FromChild::Read { call: 1, key: "k".repeat(KEY_BYTES_MAX + 1) },
            FromChild::Send { actor: 1, to: actor(), name: "n".repeat(MESSAGE_NAME_BYTES_MAX + 1), bytes: vec![] },
        ] {
            assert!(matches!(beyond.check(), Err(FrameError::Beyond { .. })), "{beyond:?}");
        }
    }
}
