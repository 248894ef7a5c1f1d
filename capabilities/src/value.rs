//! One dynamically typed value: the form of a capability, and of a message that has no Rust type.

mod serial;

use std::collections::BTreeMap;
use std::fmt;

/// A JSON-like value. Integers and floats are different kinds, as in CEL and MessagePack.
///
/// `Null` occurs in messages only: a [`crate::CapabilityMap`] refuses it.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// No value; only in messages.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number that fits 64 bits with a sign.
    Integer(i64),
    /// A floating point number; NaN equals NaN and sorts last, so that values have a total order.
    Float(f64),
    /// Text.
    String(String),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name, sorted by name.
    Map(BTreeMap<String, Value>),
}

/// The kind of a [`Value`], named in errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum ValueKind {
    Null,
    Bool,
    Integer,
    Float,
    String,
    List,
    Map,
}

impl Value {
    /// The kind of this value.
    pub fn kind(&self) -> ValueKind {
        match self {
            Value::Null => ValueKind::Null,
            Value::Bool(_) => ValueKind::Bool,
            Value::Integer(_) => ValueKind::Integer,
            Value::Float(_) => ValueKind::Float,
            Value::String(_) => ValueKind::String,
            Value::List(_) => ValueKind::List,
            Value::Map(_) => ValueKind::Map,
        }
    }

    /// Whether a capability of this value counts as present: everything but `false` and null.
    pub fn is_true(&self) -> bool {
        !matches!(self, Value::Bool(false) | Value::Null)
    }

    /// Bytes of all keys and strings in it, plus 8 for every other value.
    pub fn weight_bytes(&self) -> usize {
        match self {
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => 8,
            Value::String(text) => text.len(),
            Value::List(list) => list.iter().fold(8, |sum, v| sum + v.weight_bytes()),
            Value::Map(map) => map.iter().fold(8, |sum, (k, v)| sum + k.len() + v.weight_bytes()),
        }
    }

    /// The text, when this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(s) => Some(s),
            _ => None,
        }
    }
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueKind::Null => "null",
            ValueKind::Bool => "bool",
            ValueKind::Integer => "integer",
            ValueKind::Float => "float",
            ValueKind::String => "string",
            ValueKind::List => "list",
            ValueKind::Map => "map",
        })
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
            (Value::Float(a), Value::Float(b)) => canonical(*a).total_cmp(&canonical(*b)),
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (Value::List(a), Value::List(b)) => a.cmp(b),
            (Value::Map(a), Value::Map(b)) => a.cmp(b),
            _ => self.kind().cmp(&other.kind()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Value {}

impl std::hash::Hash for Value {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.kind().hash(state);
        match self {
            Value::Null => {}
            Value::Bool(v) => v.hash(state),
            Value::Integer(v) => v.hash(state),
            Value::Float(v) => canonical(*v).to_bits().hash(state),
            Value::String(v) => v.hash(state),
            Value::List(v) => v.hash(state),
            Value::Map(v) => v.hash(state),
        }
    }
}

/// One bit pattern for every NaN and for both zeros, so that equal values hash alike.
fn canonical(v: f64) -> f64 {
    if v.is_nan() {
        f64::NAN
    } else if v == 0.0 {
        0.0
    } else {
        v
    }
}

macro_rules! from {
    ($($t:ty => |$v:ident| $e:expr),* $(,)?) => {$(
        impl From<$t> for Value {
            fn from($v: $t) -> Self {
                $e
            }
        }
    )*};
}

from! {
    bool => |v| Value::Bool(v),
    i64 => |v| Value::Integer(v),
    i32 => |v| Value::Integer(v.into()),
    u32 => |v| Value::Integer(v.into()),
    f64 => |v| Value::Float(v),
    &str => |v| Value::String(v.to_owned()),
    String => |v| Value::String(v),
    Vec<Value> => |v| Value::List(v),
    BTreeMap<String, Value> => |v| Value::Map(v),
}

#[cfg(test)]
mod tests;
