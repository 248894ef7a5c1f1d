//! What images write and read is what `rmp-serde` writes and reads in programs.

use super::decode::from_slice;
use super::encode::to_vec;
use super::only_entry;
use crate::{Address, Encoded, Value};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Debug;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    numbers: (i8, i16, i32, i64, u8, u16, u32, u64),
    wide: (i128, u128),
    floats: (f32, f64),
    text: String,
    letter: char,
    yes: bool,
    nothing: (),
    unit: Unit,
    new: New,
    pair: Pair,
    maybe: Option<Option<Box<Variants>>>,
    #[serde(with = "crate::bytes")]
    bytes: Vec<u8>,
    list: Vec<Variants>,
    by_number: BTreeMap<i16, String>,
    #[serde(flatten)]
    flat: BTreeMap<String, u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct New(u16);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pair(String, Option<bool>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Variants {
    Plain,
    New(i64),
    Tuple(u8, String),
    Fields { left: Option<u8>, right: Vec<u16> },
    Tagged(Tagged),
    Untagged(Untagged),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Tagged {
    First { number: u32 },
    Second,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    List(Vec<bool>),
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z]{0,40}", "[a-z]{200,300}"]
}

fn variants() -> impl Strategy<Value = Variants> {
    prop_oneof![
        Just(Variants::Plain),
        any::<i64>().prop_map(Variants::New),
        (any::<u8>(), text()).prop_map(|(n, text)| Variants::Tuple(n, text)),
        (any::<Option<u8>>(), vec(any::<u16>(), 0..40)).prop_map(|(left, right)| Variants::Fields { left, right }),
        any::<u32>().prop_map(|number| Variants::Tagged(Tagged::First { number })),
        Just(Variants::Tagged(Tagged::Second)),
        (-200_i64..200).prop_map(|n| Variants::Untagged(Untagged::Number(n))),
        text().prop_map(|text| Variants::Untagged(Untagged::Text(text))),
        vec(any::<bool>(), 0..20).prop_map(|list| Variants::Untagged(Untagged::List(list))),
    ]
}

prop_compose! {
    fn everything()(
        numbers: (i8, i16, i32, i64, u8, u16, u32, u64),
        wide: (i128, u128),
        floats in (-1e30_f32..1e30, any::<f64>().prop_filter("it equals itself", |v| !v.is_nan())),
        (text, letter, yes, new, pair) in (text(), any::<char>(), any::<bool>(), any::<u16>(), (text(), any::<Option<bool>>())),
        // A None in a Some is none: the bytes are the same.
        maybe in proptest::option::of(variants()),
        bytes in vec(any::<u8>(), 0..300),
        list in vec(variants(), 0..40),
        by_number in btree_map(any::<i16>(), text(), 0..20),
        flat in btree_map("[A-Z]{1,4}", any::<u32>(), 0..20),
    ) -> Everything {
        let (new, pair, maybe) = (New(new), Pair(pair.0, pair.1), maybe.map(|v| Some(Box::new(v))));
        Everything {
            numbers, wide, floats, text, letter, yes, nothing: (), unit: Unit, new, pair, maybe, bytes, list, by_number, flat,
        }
    }
}

fn alike<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> Result<(), TestCaseError> {
    let bytes = rmp_serde::to_vec_named(value).unwrap();
    prop_assert_eq!(&to_vec(value).unwrap(), &bytes);
    prop_assert_eq!(&from_slice::<T>(&bytes).unwrap(), value);
    // Without names, as other languages may write it.
    prop_assert_eq!(rmp_serde::to_vec(value).is_ok_and(|short| from_slice::<T>(&short).is_err()), false);
    Ok(())
}

/// What `rmp-serde` reads is read alike.
fn read_alike<T: DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(value) = rmp_serde::from_slice::<T>(bytes) {
        prop_assert_eq!(from_slice::<T>(bytes), Ok(value));
    }
    Ok(())
}

proptest! {
    #[test]
    fn all_that_serde_knows_is_written_and_read_as_by_rmp_serde(value in everything()) {
        alike(&value)?;
        alike(&value.numbers)?;
        alike(&value.list)?;
        alike(&Encoded { name: value.text, bytes: value.bytes })?;
    }

    #[test]
    fn numbers_at_the_edges_are_written_as_by_rmp_serde(bits in 0_u32..64, off in -2_i64..3) {
        let edge = 1_i64.wrapping_shl(bits).wrapping_add(off);
        alike(&(edge, edge.wrapping_neg(), edge as u64, edge as i8, edge as u16))?;
    }

    #[test]
    fn any_bytes_are_read_as_by_rmp_serde_or_refused(bytes in vec(any::<u8>(), 0..60)) {
        prop_assert_eq!(from_slice::<Value>(&bytes).ok(), rmp_serde::from_slice::<Value>(&bytes).ok());
        read_alike::<Vec<Variants>>(&bytes)?;
        read_alike::<(i8, f32, Option<String>)>(&bytes)?;
        read_alike::<(u64, Unit, Pair)>(&bytes)?;
    }

    #[test]
    fn a_message_that_was_damaged_is_read_as_by_rmp_serde_or_refused(
        value in everything(), at: prop::sample::Index, byte: u8,
    ) {
        let mut bytes = to_vec(&value).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        read_alike::<Everything>(&bytes)?;
        read_alike::<Everything>(&bytes[..at])?;
        prop_assert_eq!(from_slice::<Value>(&bytes).ok(), rmp_serde::from_slice::<Value>(&bytes).ok());
    }
}

#[test]
fn long_lists_texts_and_bytes_have_long_heads() {
    for length in [15, 16, 31, 32, 255, 256, 65_535, 65_536] {
        let length: usize = length;
        alike(&vec![true; length]).unwrap();
        alike(&"x".repeat(length)).unwrap();
        alike(&Encoded { name: String::new(), bytes: vec![7; length] }).unwrap();
        alike(&(0..length as u32).map(|n| (n, ())).collect::<BTreeMap<_, _>>()).unwrap();
    }
}

#[test]
fn byte_strings_are_read_as_lists_where_those_are_expected() {
    let bytes = [0xc4, 3, 1, 2, 0xc0];
    assert_eq!(from_slice::<Vec<u8>>(&bytes), Ok(vec![1, 2, 0xc0]));
    assert_eq!(from_slice::<(u8, i64, u16)>(&bytes), Ok((1, 2, 0xc0)));
    assert_eq!(from_slice::<Value>(&bytes), rmp_serde::from_slice(&bytes).map_err(|_| unreachable!()));
}

#[test]
fn nesting_has_an_end() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Nested(Vec<Nested>);
    let nested = |depth| [vec![0x91; depth], vec![0x90]].concat();
    assert!(from_slice::<Nested>(&nested(1_000)).is_ok());
    assert!(from_slice::<Nested>(&nested(1_023)).is_err());
    assert!(rmp_serde::from_slice::<Nested>(&nested(1_023)).is_err());
}

#[test]
fn extensions_are_refused_by_name_and_lengths_that_lie_take_no_memory() {
    #[derive(Serialize)]
    #[serde(rename = "_ExtStruct")]
    struct Extension((i8, u8));
    assert_eq!(to_vec(&Extension((1, 2))), Err("an image writes no extension types of MessagePack".to_owned()));
    assert!(from_slice::<Value>(&[0xd4, 1, 2]).is_err());
    for head in [0xc6, 0xdb, 0xdd, 0xdf] {
        assert!(from_slice::<Value>(&[head, 0xff, 0xff, 0xff, 0xff, 1]).is_err());
    }
}

#[test]
fn what_a_serialize_says_is_the_reason() {
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not to be told"))
        }
    }
    assert_eq!(to_vec(&[Refuses]), Err("not to be told".to_owned()));
    assert_eq!(super::encode(&[Refuses]), Err("not to be told".to_owned()));
}

#[test]
fn a_map_of_one_entry_is_a_name_and_what_it_is_for() {
    let of = |value: &Value| rmp_serde::to_vec_named(value).unwrap();
    let content = Value::List(vec![Value::from("Ada"), Value::Null]);
    let one = of(&Value::Map([("Greet".to_owned(), content.clone())].into()));
    assert_eq!(only_entry(&one), Some(("Greet", &of(&content)[..])));
    let two = of(&Value::Map([("Greet".to_owned(), Value::Null), ("Other".to_owned(), Value::Null)].into()));
    for other in [&two[..], &of(&Value::from("Greet")), &[0x81, 1, 2], &[0x81], &[]] {
        assert_eq!(only_entry(other), None);
    }
}

#[test]
fn an_address_is_the_same_in_all_its_forms() {
    let bytes = std::array::from_fn(|i| i as u8 * 7 + 1);
    let address = Address::from_bytes(bytes);
    let words = address.to_words();
    assert_eq!(words.map(u64::to_be_bytes).as_flattened(), bytes);
    assert_eq!(Address::from_words(words), address);
    assert_eq!(address.to_string().parse(), Ok(address));
    alike(&address).unwrap();
}
