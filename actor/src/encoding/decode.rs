//! Decodes any serde type, as `rmp-serde` does, with as little as possible in what is there once for each type.

use super::read::{Head, Malformed, Reader};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Visitor};
use serde::forward_to_deserialize_any;
use std::fmt;

/// Lists and maps inside each other.
const DEPTH_MAX: u16 = 1024;
const NIL: u8 = 0xc0;

/// The value that the bytes begin with, when it is a `T`.
pub(crate) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    T::deserialize(&mut Reader::new(bytes, DEPTH_MAX))
}

impl de::Error for Malformed {
    /// Nobody is told more than that it is not the type: what would say so is most of the code otherwise.
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl std::error::Error for Malformed {}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its bytes are not those of its type")
    }
}

impl<'de> Reader<'de> {
    /// Hands what comes next to a visitor; bytes as a list where a list is expected.
    fn visit<V: Visitor<'de>>(&mut self, visitor: V, as_list: bool) -> Result<V::Value, Malformed> {
        match self.head()? {
            Head::Nil => visitor.visit_unit(),
            Head::Bool(v) => visitor.visit_bool(v),
            Head::Unsigned(v) => visitor.visit_u64(v),
            Head::Signed(v) => visitor.visit_i64(v),
            Head::Float(v) => visitor.visit_f64(v),
            Head::Text(v) => match std::str::from_utf8(v) {
                Ok(v) => visitor.visit_borrowed_str(v),
                Err(_) => visitor.visit_borrowed_bytes(v),
            },
            Head::Bytes(v) if !as_list => visitor.visit_borrowed_bytes(v),
            Head::Bytes(v) => {
                visitor.visit_seq(&mut Inside { reader: &mut Reader::raw(v, self.depth), left: v.len() as u32 })
            }
            Head::List(count) => self.inside(count, |elements| visitor.visit_seq(elements)),
            Head::Map(count) => self.inside(count, |entries| visitor.visit_map(entries)),
        }
    }

    /// Whoever reads a list or a map reads all of it.
    #[inline]
    fn inside<T>(
        &mut self,
        count: u32,
        read: impl FnOnce(&mut Inside<'_, 'de>) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        self.depth = self.depth.checked_sub(1).filter(|depth| *depth > 0).ok_or(Malformed)?;
        let mut inside = Inside { reader: self, left: count };
        let value = read(&mut inside)?;
        let left = inside.left;
        self.depth += 1;
        if left == 0 { Ok(value) } else { Err(Malformed) }
    }

    /// An integer of 16 bytes, which is a byte string, or a smaller one.
    fn wide(&mut self) -> Result<i128, Malformed> {
        match self.head()? {
            Head::Unsigned(v) => Ok(v.into()),
            Head::Signed(v) => Ok(v.into()),
            Head::Bytes(v) => Ok(i128::from_be_bytes(v.try_into().map_err(|_| Malformed)?)),
            _ => Err(Malformed),
        }
    }
}

impl<'de> de::Deserializer<'de> for &mut Reader<'de> {
    type Error = Malformed;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.visit(visitor, false)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        if self.peek() == Some(NIL) {
            self.head()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, v: V) -> Result<V::Value, Malformed> {
        v.visit_newtype_struct(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Malformed> {
        match self.head()? {
            Head::Nil | Head::List(0) => visitor.visit_unit(),
            _ => Err(Malformed),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        let mut ahead = *self;
        match ahead.head()? {
            // A variant with content is a map of one entry.
            Head::Map(1) | Head::List(1) => {
                *self = ahead;
                visitor.visit_enum(Variant { reader: self, has_content: true })
            }
            Head::Map(_) | Head::List(_) => Err(Malformed),
            _ => visitor.visit_enum(Variant { reader: self, has_content: false }),
        }
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_i128(self.wide()?)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_u128(self.wide()? as u128)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.visit(visitor, true)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Malformed> {
        self.visit(visitor, true)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        self.visit(visitor, true)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        self.visit(visitor, true)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit map identifier ignored_any
    }
}

/// The rest of a list or of a map.
struct Inside<'r, 'de> {
    reader: &'r mut Reader<'de>,
    left: u32,
}

impl Inside<'_, '_> {
    fn has_more(&mut self) -> bool {
        let more = self.left > 0;
        self.left -= u32::from(more);
        more
    }
}

impl<'de> de::SeqAccess<'de> for &mut Inside<'_, 'de> {
    type Error = Malformed;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Malformed> {
        if self.has_more() { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left as usize)
    }
}

impl<'de> de::MapAccess<'de> for &mut Inside<'_, 'de> {
    type Error = Malformed;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Malformed> {
        if self.has_more() { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Malformed> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left as usize)
    }
}

/// The name of a variant, and its content where it has one.
struct Variant<'r, 'de> {
    reader: &'r mut Reader<'de>,
    has_content: bool,
}

impl<'r, 'de> Variant<'r, 'de> {
    fn content(self) -> Result<&'r mut Reader<'de>, Malformed> {
        if self.has_content { Ok(self.reader) } else { Err(Malformed) }
    }
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Malformed;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Malformed> {
        Ok((seed.deserialize(&mut *self.reader)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Malformed;

    fn unit_variant(self) -> Result<(), Malformed> {
        match self.content().map(Reader::head) {
            Ok(Ok(Head::Nil)) | Err(_) => Ok(()),
            Ok(_) => Err(Malformed),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Malformed> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Malformed> {
        self.content()?.visit(visitor, true)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Malformed> {
        self.content()?.visit(visitor, true)
    }
}
