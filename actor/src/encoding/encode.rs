//! Encodes any serde type, in the bytes that `rmp-serde` writes with field names.

use super::write::{Kind, LIST, MAP, Writer};
use serde::Serialize;
use serde::ser::{self, Serializer};
use std::fmt;

/// The name by which `rmp-serde` knows a type that is an extension of MessagePack.
const EXTENSION: &str = "_ExtStruct";

/// The bytes of a value, or what its `Serialize` said.
pub(crate) fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    let mut writer = Writer::default();
    match value.serialize(&mut writer) {
        Ok(()) => Ok(writer.out),
        Err(Unencodable(reason)) => Err(reason.0),
    }
}

/// Why a value has no bytes. It is a pointer because each writing function returns one or none.
#[derive(Debug)]
pub(super) struct Unencodable(Box<Reason>);

#[derive(Debug)]
struct Reason(String);

impl ser::Error for Unencodable {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self(Box::new(Reason(reason.to_string())))
    }
}

impl std::error::Error for Unencodable {}

impl fmt::Display for Unencodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.0)
    }
}

type Written = Result<(), Unencodable>;

impl Writer {
    /// Begins a list or map; when nobody knows how many will be in it, the head comes last.
    fn begin(&mut self, kind: Kind, count: Option<usize>) -> Inside<'_> {
        if let Some(count) = count {
            self.head(kind, count as u32);
        }
        let unknown = count.is_none().then_some((kind, self.out.len()));
        Inside { writer: self, unknown, count: 0 }
    }

    /// Begins the content of a variant.
    fn variant(&mut self, variant: &str) {
        self.head(MAP, 1);
        self.text(variant);
    }
}

impl<'a> Serializer for &'a mut Writer {
    type Ok = ();
    type Error = Unencodable;
    type SerializeSeq = Inside<'a>;
    type SerializeTuple = Inside<'a>;
    type SerializeTupleStruct = Inside<'a>;
    type SerializeTupleVariant = Inside<'a>;
    type SerializeMap = Inside<'a>;
    type SerializeStruct = Inside<'a>;
    type SerializeStructVariant = Inside<'a>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, v: bool) -> Written {
        self.out.push(if v { 0xc3 } else { 0xc2 });
        Ok(())
    }

    fn serialize_i8(self, v: i8) -> Written {
        self.serialize_i64(v.into())
    }

    fn serialize_i16(self, v: i16) -> Written {
        self.serialize_i64(v.into())
    }

    fn serialize_i32(self, v: i32) -> Written {
        self.serialize_i64(v.into())
    }

    fn serialize_i64(self, v: i64) -> Written {
        self.signed(v);
        Ok(())
    }

    fn serialize_i128(self, v: i128) -> Written {
        self.serialize_bytes(&v.to_be_bytes())
    }

    fn serialize_u8(self, v: u8) -> Written {
        self.serialize_u64(v.into())
    }

    fn serialize_u16(self, v: u16) -> Written {
        self.serialize_u64(v.into())
    }

    fn serialize_u32(self, v: u32) -> Written {
        self.serialize_u64(v.into())
    }

    fn serialize_u64(self, v: u64) -> Written {
        self.unsigned(v);
        Ok(())
    }

    fn serialize_u128(self, v: u128) -> Written {
        self.serialize_bytes(&v.to_be_bytes())
    }

    fn serialize_f32(self, v: f32) -> Written {
        self.number(0xca, v.to_bits().into(), 4);
        Ok(())
    }

    fn serialize_f64(self, v: f64) -> Written {
        self.number(0xcb, v.to_bits(), 8);
        Ok(())
    }

    fn serialize_char(self, v: char) -> Written {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, v: &str) -> Written {
        self.text(v);
        Ok(())
    }

    fn serialize_bytes(self, v: &[u8]) -> Written {
        self.bytes(v);
        Ok(())
    }

    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Written {
        v.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.out.push(0xc0);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.head(LIST, 0);
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, v: &T) -> Written {
        if name == EXTENSION {
            return Err(ser::Error::custom("an image writes no extension types of MessagePack"));
        }
        v.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        v: &T,
    ) -> Written {
        self.variant(variant);
        v.serialize(self)
    }

    fn serialize_seq(self, count: Option<usize>) -> Result<Inside<'a>, Unencodable> {
        Ok(self.begin(LIST, count))
    }

    fn serialize_tuple(self, count: usize) -> Result<Inside<'a>, Unencodable> {
        Ok(self.begin(LIST, Some(count)))
    }

    fn serialize_tuple_struct(self, _: &'static str, count: usize) -> Result<Inside<'a>, Unencodable> {
        Ok(self.begin(LIST, Some(count)))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        count: usize,
    ) -> Result<Inside<'a>, Unencodable> {
        self.variant(variant);
        Ok(self.begin(LIST, Some(count)))
    }

    fn serialize_map(self, count: Option<usize>) -> Result<Inside<'a>, Unencodable> {
        Ok(self.begin(MAP, count))
    }

    fn serialize_struct(self, _: &'static str, count: usize) -> Result<Inside<'a>, Unencodable> {
        Ok(self.begin(MAP, Some(count)))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        count: usize,
    ) -> Result<Inside<'a>, Unencodable> {
        self.variant(variant);
        Ok(self.begin(MAP, Some(count)))
    }
}

/// A list or a map that is being written.
pub(super) struct Inside<'a> {
    writer: &'a mut Writer,
    /// Where it begins, when its head is written last.
    unknown: Option<(Kind, usize)>,
    /// Elements or entries so far.
    count: u32,
}

impl Inside<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, v: &T) -> Written {
        self.count += 1;
        v.serialize(&mut *self.writer)
    }

    fn finish(self) -> Written {
        if let Some((kind, at)) = self.unknown {
            let content = self.writer.out[at..].to_vec();
            self.writer.out.truncate(at);
            self.writer.head(kind, self.count);
            self.writer.out.extend_from_slice(&content);
        }
        Ok(())
    }
}

macro_rules! elements {
    ($($access:ident: $element:ident),*) => {$(
        impl ser::$access for Inside<'_> {
            type Ok = ();
            type Error = Unencodable;

            fn $element<T: Serialize + ?Sized>(&mut self, v: &T) -> Written {
                self.element(v)
            }

            fn end(self) -> Written {
                self.finish()
            }
        }
    )*};
}

macro_rules! fields {
    ($($access:ident),*) => {$(
        impl ser::$access for Inside<'_> {
            type Ok = ();
            type Error = Unencodable;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, v: &T) -> Written {
                self.writer.text(name);
                self.element(v)
            }

            fn end(self) -> Written {
                self.finish()
            }
        }
    )*};
}

elements!(SerializeSeq: serialize_element, SerializeTuple: serialize_element);
elements!(SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field);
fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Inside<'_> {
    type Ok = ();
    type Error = Unencodable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.element(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, v: &T) -> Written {
        v.serialize(&mut *self.writer)
    }

    fn end(self) -> Written {
        self.finish()
    }
}
