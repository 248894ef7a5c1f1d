//! What nodes say to each other about actors: one frame a message, in the order of its pair.
//!
//! The form is fixed: a kind, two addresses, then what the kind needs. Nothing in a frame is trusted: lengths are
//! checked against what is there, and a frame that does not parse is counted and dropped by its receiver.

use crate::link::limits::FRAME_BYTES_MAX;
use odeon::system::{Envelope, Run};
use odeon::{ADDRESS_BYTES, Address, AnyMessage, EncodeError, NodeRef};
use odeon::{Incarnation, NodeId};
use std::borrow::Cow;

/// Bytes of a message's type name at most.
pub(crate) const NAME_BYTES_MAX: usize = 256;
/// Bytes of a reason at most; longer ones are cut.
const REASON_BYTES_MAX: usize = 1024;
/// Bytes of an encoded message at most: what fits one frame of a link.
pub(crate) const MESSAGE_BYTES_MAX: usize = FRAME_BYTES_MAX - 1024;

/// What is set aside for a message before it is encoded.
const LIKELY_BYTES: usize = 128;

/// One frame.
#[derive(Debug)]
pub(crate) enum Frame {
    /// A message for an actor.
    Message(Envelope),
    /// A child of `to` is gone.
    ChildExited { parent: Address, child: Address, reason: String },
    /// A message of `sender` could not be delivered.
    Undeliverable { sender: Address },
    /// Where does the actor of this promised address live? Asked of the node that promised it.
    WhereIs { promised: Address },
    /// It lives there, under that address; or nowhere.
    Settled { promised: Address, at: Option<(NodeRef, Address)> },
    /// This actor of the sender has more than it should.
    Hold { actor: Address },
    /// It has drained, or is gone.
    GoOn { actor: Address },
    /// Does this actor wait for `origin`? Handed on to so many nodes.
    Follow { actor: Address, origin: Address, hops: u8 },
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("frame of {found} bytes ends where {expected} more were expected")]
    Short { found: usize, expected: usize },
    #[error("frame kind {0} is not known")]
    Kind(u8),
    #[error("message type name of {0} bytes is longer than {NAME_BYTES_MAX} bytes or not text")]
    Name(usize),
}

const MESSAGE: u8 = 0;
const CHILD_EXITED: u8 = 1;
const UNDELIVERABLE: u8 = 2;
const WHERE_IS: u8 = 3;
const SETTLED: u8 = 4;
const HOLD: u8 = 5;
const GO_ON: u8 = 6;
const FOLLOW: u8 = 7;

impl Frame {
    /// The bytes of a message's frame.
    pub(crate) fn message(envelope: &Envelope) -> Result<Vec<u8>, EncodeError> {
        let name = envelope.message.name();
        let fail = |reason: String| EncodeError { name: name.to_owned(), reason };
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(fail(format!("its type name has {} bytes, not 1 to {NAME_BYTES_MAX}", name.len())));
        }
        let head_bytes = 2 + 2 * ADDRESS_BYTES + name.len();
        let mut out = Vec::with_capacity(head_bytes + LIKELY_BYTES);
        out.push(MESSAGE);
        out.extend_from_slice(&envelope.to.to_bytes());
        out.extend_from_slice(&envelope.sender.to_bytes());
        out.push((name.len() - 1) as u8);
        out.extend_from_slice(name.as_bytes());
        let out = envelope.message.encode_after(out)?;
        match out.len() - head_bytes {
            bytes if bytes > MESSAGE_BYTES_MAX => Err(fail(format!("{bytes} bytes are more than {MESSAGE_BYTES_MAX}"))),
            _ => Ok(out),
        }
    }

    /// The bytes of every other frame.
    pub(crate) fn child_exited(parent: Address, child: Address, reason: &str) -> Vec<u8> {
        let mut out = start(CHILD_EXITED, parent, child);
        let mut end = reason.len().min(REASON_BYTES_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        out.extend_from_slice(&reason.as_bytes()[..end]);
        out
    }

    pub(crate) fn undeliverable(to: Address, sender: Address) -> Vec<u8> {
        start(UNDELIVERABLE, to, sender)
    }

    pub(crate) fn where_is(promised: Address) -> Vec<u8> {
        start(WHERE_IS, promised, promised)
    }

    pub(crate) fn settled(promised: Address, at: Option<(NodeRef, Address)>) -> Vec<u8> {
        let mut out = start(SETTLED, promised, at.map_or(promised, |(_, address)| address));
        if let Some((node, _)) = at {
            out.extend_from_slice(&node.id.0);
            out.extend_from_slice(&node.incarnation.0.to_be_bytes());
        }
        out
    }

    pub(crate) fn hold(actor: Address) -> Vec<u8> {
        start(HOLD, actor, actor)
    }

    pub(crate) fn go_on(actor: Address) -> Vec<u8> {
        start(GO_ON, actor, actor)
    }

    pub(crate) fn follow(actor: Address, origin: Address, hops: u8) -> Vec<u8> {
        let mut out = start(FOLLOW, actor, origin);
        out.push(hops);
        out
    }

    /// What a message's frame has before the value; it is the same for all of one type between the same two.
    pub(crate) fn head(frame: &[u8]) -> Option<&[u8]> {
        let (kind, length) = (*frame.first()?, *frame.get(2 * ADDRESS_BYTES + 1)?);
        if kind == MESSAGE { frame.get(..2 * ADDRESS_BYTES + 3 + usize::from(length)) } else { None }
    }

    /// Messages that have this head, none yet.
    pub(crate) fn run(head: &[u8]) -> Result<Run, FrameError> {
        let mut rest = Rest(head);
        rest.take::<1>()?;
        let (to, sender) = (Address::from_bytes(rest.take()?), Address::from_bytes(rest.take()?));
        rest.take::<1>()?;
        let name = std::str::from_utf8(rest.0).map_err(|_| FrameError::Name(rest.0.len()))?;
        Ok(Run::new(to, sender, name))
    }

    /// Reads a frame. A message keeps the end of it, or all of one that is given away.
    pub(crate) fn parse(frame: Cow<'_, [u8]>) -> Result<Frame, FrameError> {
        let mut rest = Rest(&frame);
        let kind = rest.take::<1>()?[0];
        let first = Address::from_bytes(rest.take()?);
        let second = Address::from_bytes(rest.take()?);
        match kind {
            MESSAGE => {
                let length = usize::from(rest.take::<1>()?[0]) + 1;
                rest.slice(length)?;
                let name_end = frame.len() - rest.0.len();
                let name = name_end - length..name_end;
                let message = match frame {
                    Cow::Owned(frame) => AnyMessage::from_frame(frame, name),
                    Cow::Borrowed(frame) => AnyMessage::from_frame(frame[name.start..].to_vec(), 0..length),
                };
                let message = message.map_err(|_| FrameError::Name(length))?;
                Ok(Frame::Message(Envelope { to: first, sender: second, message }))
            }
            CHILD_EXITED => Ok(Frame::ChildExited {
                parent: first,
                child: second,
                reason: String::from_utf8_lossy(&rest.0[..rest.0.len().min(REASON_BYTES_MAX)]).into_owned(),
            }),
            UNDELIVERABLE => Ok(Frame::Undeliverable { sender: second }),
            WHERE_IS => Ok(Frame::WhereIs { promised: first }),
            SETTLED if rest.0.is_empty() => Ok(Frame::Settled { promised: first, at: None }),
            SETTLED => {
                let id = NodeId(rest.take()?);
                let incarnation = Incarnation(u32::from_be_bytes(rest.take()?));
                Ok(Frame::Settled { promised: first, at: Some((NodeRef { id, incarnation }, second)) })
            }
            HOLD => Ok(Frame::Hold { actor: first }),
            GO_ON => Ok(Frame::GoOn { actor: first }),
            FOLLOW => Ok(Frame::Follow { actor: first, origin: second, hops: rest.take::<1>()?[0] }),
            other => Err(FrameError::Kind(other)),
        }
    }
}

fn start(kind: u8, first: Address, second: Address) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + 2 * ADDRESS_BYTES + 32);
    out.push(kind);
    out.extend_from_slice(&first.to_bytes());
    out.extend_from_slice(&second.to_bytes());
    out
}

/// What is left of a frame.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn slice(&mut self, length: usize) -> Result<&'a [u8], FrameError> {
        let Some((head, tail)) = self.0.split_at_checked(length) else {
            return Err(FrameError::Short { found: self.0.len(), expected: length });
        };
        self.0 = tail;
        Ok(head)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let mut out = [0; N];
        out.copy_from_slice(self.slice(N)?);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(tag: u8) -> Address {
        Address::from_bytes([tag; ADDRESS_BYTES])
    }

    #[test]
    fn a_message_survives_the_way() {
        let envelope = Envelope { to: address(1), sender: address(2), message: AnyMessage::new("hello".to_owned()) };
        let Ok(Frame::Message(back)) = Frame::parse(Frame::message(&envelope).unwrap().into()) else {
            panic!("not a message")
        };
        assert_eq!((back.to, back.sender), (envelope.to, envelope.sender));
        assert_eq!(back.message.get::<String>().unwrap(), "hello");
        let frame = Frame::message(&envelope).unwrap();
        let Ok(Frame::Message(shown)) = Frame::parse(Cow::Borrowed(&frame)) else { panic!("not a message") };
        assert_eq!((shown.message.name(), shown.message.encode()), ("string", back.message.encode()));
    }

    #[test]
    fn messages_of_one_type_between_the_same_two_have_one_head() {
        let frame =
            |from, message| Frame::message(&Envelope { to: address(1), sender: address(from), message }).unwrap();
        let [hello, you] = ["hello", "you"].map(|text| frame(2, AnyMessage::new(text.to_owned())));
        let head = Frame::head(&hello).unwrap();
        assert!(you.starts_with(head));
        assert!(!frame(3, AnyMessage::new("hello".to_owned())).starts_with(head));
        assert!(!frame(2, AnyMessage::new(5_i64)).starts_with(head));
        assert!(Frame::head(&Frame::hold(address(1))).is_none());
        let mut run = Frame::run(head).unwrap();
        assert_eq!((run.to(), run.sender(), run.name(), run.len()), (address(1), address(2), "string", 0));
        [&hello, &you].into_iter().for_each(|frame| run.push(&frame[head.len()..]));
        assert_eq!(run.filter_map(|message| message.take::<String>().ok()).collect::<Vec<_>>(), ["hello", "you"]);
    }

    #[test]
    fn a_message_whose_encoding_panics_is_not_sent() {
        #[derive(serde::Deserialize, odeon::Message)]
        struct Unspeakable;
        impl serde::Serialize for Unspeakable {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                panic!("cannot be said")
            }
        }
        let envelope = Envelope { to: address(1), sender: address(2), message: AnyMessage::new(Unspeakable) };
        let error = Frame::message(&envelope).unwrap_err().to_string();
        assert!(error.contains("Unspeakable") && error.contains("cannot be said"), "{error}");
    }

    #[test]
    fn the_other_frames_survive_the_way() {
        let node = NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(3) };
        let parsed = Frame::parse(Frame::child_exited(address(1), address(2), "gone").into()).unwrap();
        assert!(matches!(parsed, Frame::ChildExited { reason, .. } if reason == "gone"));
        let parsed = Frame::parse(Frame::settled(address(1), Some((node, address(2)))).into()).unwrap();
        assert!(matches!(parsed, Frame::Settled { at: Some((n, a)), .. } if n == node && a == address(2)));
        let parsed = Frame::parse(Frame::settled(address(1), None).into()).unwrap();
        assert!(matches!(parsed, Frame::Settled { at: None, .. }));
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let parsed = Frame::parse(Frame::child_exited(address(1), address(2), &"ä".repeat(2000)).into()).unwrap();
        assert!(matches!(parsed, Frame::ChildExited { reason, .. } if reason == "ä".repeat(REASON_BYTES_MAX / 2)));
    }

    fn some_frame() -> impl Strategy<Value = Vec<u8>> {
        let node = |n: u8| NodeRef { id: NodeId([n; 16]), incarnation: Incarnation(u32::from(n)) };
        prop_oneof![
            "\\PC{0,40}".prop_map(|text| {
                let message = AnyMessage::new(text);
                Frame::message(&Envelope { to: address(1), sender: address(2), message }).unwrap()
            }),
            "\\PC{0,40}".prop_map(|reason| Frame::child_exited(address(1), address(2), &reason)),
            any::<u8>().prop_map(|n| Frame::undeliverable(address(n), address(2))),
            any::<u8>().prop_map(|n| Frame::where_is(address(n))),
            any::<Option<u8>>().prop_map(move |n| Frame::settled(address(1), n.map(|n| (node(n), address(n))))),
        ]
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(kind in 0_u8..7, rest in proptest::collection::vec(any::<u8>(), 0..200)) {
            let frame = [&[kind][..], &rest].concat();
            let _ = Frame::head(&frame).map(Frame::run);
            let _ = Frame::parse(frame.into());
        }

        #[test]
        fn a_frame_that_was_cut_or_damaged_is_a_frame_or_an_error(
            frame in some_frame(),
            at: proptest::sample::Index,
            with: u8,
            cut: proptest::sample::Index,
        ) {
            prop_assert!(Frame::parse(frame.as_slice().into()).is_ok());
            let mut bytes = frame.clone();
            let at = at.index(bytes.len());
            bytes[at] ^= with;
            bytes.truncate(cut.index(bytes.len()) + 1);
            let head = Frame::head(&bytes).map(|head| (head.len(), Frame::run(head)));
            let parsed = Frame::parse(bytes.as_slice().into());
            if let Some((head, run)) = head {
                prop_assert_eq!(run.is_ok(), parsed.is_ok());
                if let (Ok(mut run), Ok(Frame::Message(envelope))) = (run, &parsed) {
                    run.push(&bytes[head..]);
                    prop_assert_eq!((run.to(), run.sender(), run.name()), (envelope.to, envelope.sender, envelope.message.name()));
                    prop_assert_eq!(run.next().map(|message| message.encode()), Some(envelope.message.encode()));
                }
            }
            if let Ok(Frame::Message(envelope)) = parsed {
                // What an actor of another type makes of it is no worse than not its message.
                let _ = (envelope.message.is::<i64>(), envelope.message.is::<String>(), envelope.message.to_value());
            }
        }
    }
}
