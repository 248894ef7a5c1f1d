//! What actors send each other: any serde type with a name, carried as a typed value or encoded.

use crate::{Address, encoding};
use odeon_capabilities::Value;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::any::{Any, TypeId};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// A type whose values can be sent. Use `#[derive(Message)]`; text, [`Value`], numbers and addresses have it.
pub trait Message: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name by which handlers, other nodes and other languages know the type.
    const NAME: &'static str;
}

/// The name that an untyped value travels under: what a shell or another language sends.
pub const UNTYPED: &str = "value";

/// A message of any type: shared and typed where it was sent, MessagePack once it has crossed a boundary.
///
/// Cloning shares the value. A typed message is one allocation.
#[derive(Clone)]
pub struct AnyMessage(Arc<dyn Body>);

trait Body: Send + Sync + 'static {
    fn name(&self) -> &str;
    /// The name, without a look at whether it is text.
    fn name_bytes(&self) -> &[u8] {
        self.name().as_bytes()
    }
    fn encode(&self) -> Result<Vec<u8>, EncodeError>;
    /// The same bytes after others.
    #[cfg(not(target_family = "wasm"))]
    fn encode_after(&self, head: Vec<u8>) -> Result<Vec<u8>, EncodeError>;
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// A value as it was sent.
struct Typed<M>(M);

/// A value that something comes along with until it is dropped.
#[cfg(not(target_family = "wasm"))]
struct Accompanied<M> {
    value: M,
    _companion: Box<dyn Send + Sync>,
}

/// What came over a boundary, decoded at most once per type asked for.
struct Crossed {
    name: Name,
    /// The value's, or a frame that ends with them.
    bytes: Vec<u8>,
    decoded: Decoded,
}

/// Where the name is of what came over a boundary.
enum Name {
    Apart(String),
    /// In the frame, and the value's bytes follow it. It is text.
    Before(Range<usize>),
}

/// A list of decoded forms that only grows: an untyped value may be several types to several actors.
#[derive(Default)]
struct Decoded {
    form: OnceLock<Form>,
    next: OnceLock<Box<Decoded>>,
}

type Form = Box<dyn Any + Send + Sync>;

/// A message's `Serialize` failed, panicked, or made more than the limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("message {name} cannot be encoded: {reason}")]
pub struct EncodeError {
    /// The message's type name.
    pub name: String,
    /// What its `Serialize` said.
    pub reason: String,
}

/// A message in the form that crosses boundaries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoded {
    /// The type name.
    pub name: String,
    /// MessagePack with field names.
    #[serde(with = "crate::bytes")]
    pub bytes: Vec<u8>,
}

impl<M: Message> Body for Typed<M> {
    fn name(&self) -> &str {
        M::NAME
    }

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        encoding::encode(&self.0).map_err(|reason| EncodeError { name: M::NAME.to_owned(), reason })
    }

    #[cfg(not(target_family = "wasm"))]
    fn encode_after(&self, head: Vec<u8>) -> Result<Vec<u8>, EncodeError> {
        encoding::encode_after(head, &self.0).map_err(|reason| EncodeError { name: M::NAME.to_owned(), reason })
    }

    fn as_any(&self) -> &dyn Any {
        &self.0
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

#[cfg(not(target_family = "wasm"))]
impl<M: Message> Body for Accompanied<M> {
    fn name(&self) -> &str {
        M::NAME
    }

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        encoding::encode(&self.value).map_err(|reason| EncodeError { name: M::NAME.to_owned(), reason })
    }

    fn encode_after(&self, head: Vec<u8>) -> Result<Vec<u8>, EncodeError> {
        encoding::encode_after(head, &self.value).map_err(|reason| EncodeError { name: M::NAME.to_owned(), reason })
    }

    fn as_any(&self) -> &dyn Any {
        &self.value
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl Body for Crossed {
    fn name(&self) -> &str {
        match &self.name {
            Name::Apart(name) => name,
            Name::Before(_) => std::str::from_utf8(self.name_bytes()).unwrap_or_default(),
        }
    }

    fn name_bytes(&self) -> &[u8] {
        match &self.name {
            Name::Apart(name) => name.as_bytes(),
            Name::Before(place) => &self.bytes[place.clone()],
        }
    }

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        Ok(self.value().to_vec())
    }

    #[cfg(not(target_family = "wasm"))]
    fn encode_after(&self, mut head: Vec<u8>) -> Result<Vec<u8>, EncodeError> {
        head.extend_from_slice(self.value());
        Ok(head)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl Crossed {
    /// The bytes of the value.
    fn value(&self) -> &[u8] {
        match &self.name {
            Name::Apart(_) => &self.bytes,
            Name::Before(place) => &self.bytes[place.end..],
        }
    }

    fn get<M: Message>(&self) -> Option<&M> {
        let name = self.name_bytes();
        if name != M::NAME.as_bytes() && name != UNTYPED.as_bytes() {
            return None;
        }
        let decode = |bytes: &[u8]| Some(Box::new(encoding::decode::<M>(bytes).ok()?) as _);
        self.form(TypeId::of::<M>(), &decode)?.downcast_ref()
    }

    /// The form of one type. Apart from `get`, since it is the same for all types.
    fn form(&self, of: TypeId, decode: &dyn Fn(&[u8]) -> Option<Form>) -> Option<&(dyn Any + Send + Sync)> {
        let (mut place, mut decoded) = (&self.decoded, None);
        loop {
            if place.form.get().is_none() {
                let form = match decoded.take() {
                    Some(form) => form,
                    None => decode(self.value())?,
                };
                // Another thread may have put its own form here; then this one comes after it.
                decoded = place.form.set(form).err();
            }
            match place.form.get() {
                Some(form) if (**form).type_id() == of => return Some(&**form),
                _ => place = place.next.get_or_init(Box::default),
            }
        }
    }
}

impl AnyMessage {
    /// Wraps a typed value.
    pub fn new<M: Message>(value: M) -> Self {
        Self(Arc::new(Typed(value)))
    }

    /// Wraps what came over a boundary. Nothing is decoded yet.
    pub fn from_encoded(encoded: Encoded) -> Self {
        let name = Name::Apart(encoded.name);
        Self(Arc::new(Crossed { name, bytes: encoded.bytes, decoded: Decoded::default() }))
    }

    /// The same where the name and then the value's bytes are the end of a frame, of which nothing is copied.
    ///
    /// # Errors
    /// The frame, where it has no text at that place.
    pub fn from_frame(frame: Vec<u8>, name: Range<usize>) -> Result<Self, Vec<u8>> {
        match frame.get(name.clone()).map(std::str::from_utf8) {
            Some(Ok(_)) => {
                Ok(Self(Arc::new(Crossed { name: Name::Before(name), bytes: frame, decoded: Decoded::default() })))
            }
            _ => Err(frame),
        }
    }

    /// The same where they are not in one piece.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn from_parts(name: &str, value: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(name.len() + value.len());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(value);
        Self(Arc::new(Crossed { name: Name::Before(0..name.len()), bytes, decoded: Decoded::default() }))
    }

    /// Wraps a typed value that something comes along with until the last copy is dropped.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn accompanied<M: Message>(value: M, companion: impl Send + Sync + 'static) -> Self {
        Self(Arc::new(Accompanied { value, _companion: Box::new(companion) }))
    }

    /// The value of [`AnyMessage::accompanied`] that nobody else has a copy of.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn into_accompanied<M: Message>(self) -> Option<M> {
        let accompanied = self.0.into_any().downcast::<Accompanied<M>>().ok()?;
        Arc::try_unwrap(accompanied).ok().map(|accompanied| accompanied.value)
    }

    /// The value as `M`, when that is the message's name: no untyped value is taken for one that it happens to look like.
    pub(crate) fn of_name<M: Message>(&self) -> Option<&M> {
        if self.is_named(M::NAME) { self.get() } else { None }
    }

    /// Whether that is the type's name.
    #[inline]
    pub fn is_named(&self, name: &str) -> bool {
        self.0.name_bytes() == name.as_bytes()
    }

    /// The type's name.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The value as `M`, when it is one. An untyped value is an `M` when it decodes as one.
    pub fn get<M: Message>(&self) -> Option<&M> {
        let any = self.0.as_any();
        any.downcast_ref::<M>().or_else(|| any.downcast_ref::<Crossed>()?.get())
    }

    /// The value itself, when it is an `M`. One that others share is copied by way of its encoding.
    pub fn take<M: Message>(self) -> Result<M, AnyMessage> {
        if !self.is::<M>() {
            return Err(self);
        }
        match self.0.clone().into_any().downcast::<Typed<M>>() {
            Ok(typed) => {
                drop(self);
                Arc::try_unwrap(typed).map(|Typed(value)| value).or_else(|shared| AnyMessage(shared).decoded())
            }
            Err(_) => self.decoded(),
        }
    }

    /// A copy made from the encoding.
    fn decoded<M: Message>(self) -> Result<M, AnyMessage> {
        let copy = self.encode().ok().and_then(|encoded| encoding::decode(&encoded.bytes).ok());
        copy.ok_or(self)
    }

    /// Whether the value is an `M`.
    pub fn is<M: Message>(&self) -> bool {
        self.get::<M>().is_some()
    }

    /// The form that crosses boundaries. A panic in the message's `Serialize` is an error.
    pub fn encode(&self) -> Result<Encoded, EncodeError> {
        Ok(Encoded { bytes: self.0.encode()?, name: self.name().to_owned() })
    }

    /// Its bytes alone after others, such as a head that says what they are.
    ///
    /// # Errors
    /// As [`AnyMessage::encode`].
    #[cfg(not(target_family = "wasm"))]
    pub fn encode_after(&self, head: Vec<u8>) -> Result<Vec<u8>, EncodeError> {
        self.0.encode_after(head)
    }

    /// The value without its Rust type, for shells and logs.
    pub fn to_value(&self) -> Result<Value, EncodeError> {
        let encoded = self.encode()?;
        encoding::decode(&encoded.bytes).map_err(|e| EncodeError { name: encoded.name.clone(), reason: e.to_string() })
    }
}

impl fmt::Debug for AnyMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(..)", self.name())
    }
}

macro_rules! named {
    ($($t:ty => $name:literal),* $(,)?) => {$(
        impl Message for $t {
            const NAME: &'static str = $name;
        }
    )*};
}

named! {
    Value => "value",
    String => "string",
    bool => "bool",
    i64 => "integer",
    f64 => "float",
    () => "null",
    Address => "address",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_untyped_value_is_every_type_that_it_decodes_as() {
        let encoded = Encoded { name: UNTYPED.into(), bytes: rmp_serde::to_vec_named(&5i64).unwrap() };
        let message = AnyMessage::from_encoded(encoded);
        assert_eq!(message.get::<f64>(), Some(&5.0));
        assert_eq!(message.get::<i64>(), Some(&5));
        assert_eq!(message.get::<f64>(), Some(&5.0));
        assert_eq!(message.get::<String>(), None);
        assert_eq!(message.take::<i64>().unwrap(), 5);
    }

    #[test]
    fn a_message_keeps_the_frame_that_it_came_in() {
        let mut frame = b"to him: integer".to_vec();
        let (name, text) = (8..frame.len(), 0..frame.len());
        frame.extend(AnyMessage::new(5_i64).encode().unwrap().bytes);
        let message = AnyMessage::from_frame(frame.clone(), name).unwrap();
        assert_eq!((message.name(), message.get::<i64>(), message.get::<String>()), ("integer", Some(&5), None));
        assert!(message.is_named("integer") && !message.is_named("value"));
        assert_eq!(message.encode(), AnyMessage::new(5_i64).encode());
        assert_eq!(message.encode_after(b"head".to_vec()).unwrap(), b"head\x05");
        assert_eq!(message.take::<i64>().unwrap(), 5);
        let (end, frame) = (frame.len(), AnyMessage::from_frame(frame, 0..99).unwrap_err());
        assert!(AnyMessage::from_frame(frame, text).unwrap().get::<i64>().is_none());
        assert!(AnyMessage::from_frame(vec![0xff; end], 1..2).is_err(), "no text");
    }

    #[test]
    fn a_message_is_taken_whether_or_not_it_is_shared() {
        let message = AnyMessage::new(String::from("text"));
        let shared = message.clone();
        assert_eq!(message.take::<String>().unwrap(), "text");
        assert_eq!(shared.take::<i64>().unwrap_err().take::<String>().unwrap(), "text");
    }
}
