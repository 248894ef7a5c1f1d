//! What actors send each other: any serde type with a name, carried as a typed value or encoded.

use crate::Address;
use odeon_capabilities::Value;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::fmt;
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
/// Cloning shares the value.
#[derive(Clone)]
pub struct AnyMessage(Arc<Inner>);

struct Inner {
    name: Box<str>,
    form: Form,
}

enum Form {
    Typed {
        value: Box<dyn Any + Send + Sync>,
        encode: fn(&dyn Any) -> Result<Vec<u8>, EncodeError>,
    },
    /// Decoded at most once per type asked for; the first type that fits is remembered.
    Encoded {
        bytes: Vec<u8>,
        decoded: OnceLock<Box<dyn Any + Send + Sync>>,
    },
}

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

impl AnyMessage {
    /// Wraps a typed value.
    pub fn new<M: Message>(value: M) -> Self {
        Self(Arc::new(Inner {
            name: M::NAME.into(),
            form: Form::Typed { value: Box::new(value), encode: encode::<M> },
        }))
    }

    /// Wraps what came over a boundary. Nothing is decoded yet.
    pub fn from_encoded(encoded: Encoded) -> Self {
        Self(Arc::new(Inner {
            name: encoded.name.into(),
            form: Form::Encoded { bytes: encoded.bytes, decoded: OnceLock::new() },
        }))
    }

    /// The type's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The value as `M`, when it is one. An untyped value is an `M` when it decodes as one.
    pub fn get<M: Message>(&self) -> Option<&M> {
        match &self.0.form {
            Form::Typed { value, .. } => value.downcast_ref(),
            Form::Encoded { bytes, decoded } => {
                if let Some(value) = decoded.get() {
                    return value.downcast_ref();
                }
                if self.name() != M::NAME && self.name() != UNTYPED {
                    return None;
                }
                let value: M = rmp_serde::from_slice(bytes).ok()?;
                decoded.get_or_init(|| Box::new(value)).downcast_ref()
            }
        }
    }

    /// The value itself, when it is an `M`. One that others share is copied by way of its encoding.
    pub fn take<M: Message>(self) -> Result<M, AnyMessage> {
        if !self.is::<M>() {
            return Err(self);
        }
        let inner = match Arc::try_unwrap(self.0) {
            Err(shared) => {
                let shared = AnyMessage(shared);
                let copy = shared.encode().ok().and_then(|e| rmp_serde::from_slice(&e.bytes).ok());
                return copy.ok_or(shared);
            }
            Ok(inner) => inner,
        };
        let (name, value) = match inner.form {
            Form::Typed { value, encode } => match value.downcast() {
                Ok(value) => return Ok(*value),
                Err(value) => {
                    return Err(Self(Arc::new(Inner { name: inner.name, form: Form::Typed { value, encode } })));
                }
            },
            Form::Encoded { bytes, decoded } => match decoded.into_inner().map(|value| value.downcast()) {
                Some(Ok(value)) => return Ok(*value),
                _ => (inner.name, bytes),
            },
        };
        Err(Self::from_encoded(Encoded { name: name.into(), bytes: value }))
    }

    /// Whether the value is an `M`.
    pub fn is<M: Message>(&self) -> bool {
        self.get::<M>().is_some()
    }

    /// The form that crosses boundaries. A panic in the message's `Serialize` is an error.
    pub fn encode(&self) -> Result<Encoded, EncodeError> {
        let bytes = match &self.0.form {
            Form::Encoded { bytes, .. } => bytes.clone(),
            Form::Typed { value, encode } => encode(value.as_ref())?,
        };
        Ok(Encoded { name: self.name().to_owned(), bytes })
    }

    /// The value without its Rust type, for shells and logs.
    pub fn to_value(&self) -> Result<Value, EncodeError> {
        let encoded = self.encode()?;
        rmp_serde::from_slice(&encoded.bytes)
            .map_err(|e| EncodeError { name: encoded.name.clone(), reason: e.to_string() })
    }
}

fn encode<M: Message>(value: &dyn Any) -> Result<Vec<u8>, EncodeError> {
    let fail = |reason: String| EncodeError { name: M::NAME.to_owned(), reason };
    let Some(value) = value.downcast_ref::<M>() else { unreachable!("a typed message holds its own type") };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| rmp_serde::to_vec_named(value)))
        .map_err(|panic| fail(format!("its Serialize panicked: {}", crate::failure::panic_text(&*panic))))?
        .map_err(|e| fail(e.to_string()))
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
