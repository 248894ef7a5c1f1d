use crate::limits::VALUE_DEPTH_MAX;
use crate::samples::any_value;
use crate::{Value, ValueKind};
use proptest::prelude::*;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// JSON has no word for these.
fn is_finite(value: &Value) -> bool {
    match value {
        Value::Float(v) => v.is_finite(),
        Value::List(list) => list.iter().all(is_finite),
        Value::Map(map) => map.values().all(is_finite),
        _ => true,
    }
}

/// `Value`'s equality calls both zeros and all NaNs equal, which is meant; kinds must survive none the less.
fn kinds(value: &Value) -> Vec<ValueKind> {
    let inside: Vec<&Value> = match value {
        Value::List(list) => list.iter().collect(),
        Value::Map(map) => map.values().collect(),
        _ => vec![],
    };
    std::iter::once(value.kind()).chain(inside.into_iter().flat_map(kinds)).collect()
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Integer(1), |inside, n| match n % 2 {
        0 => Value::List(vec![inside]),
        _ => Value::Map(BTreeMap::from([("k".to_owned(), inside)])),
    })
}

proptest! {
    #[test]
    fn the_order_is_total(a in any_value(), b in any_value(), c in any_value()) {
        prop_assert_eq!(a.cmp(&a), Ordering::Equal);
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b) == Ordering::Equal);
        let mut sorted = [&a, &b, &c];
        sorted.sort();
        prop_assert!(sorted[0] <= sorted[1] && sorted[1] <= sorted[2] && sorted[0] <= sorted[2]);
    }

    #[test]
    fn equal_values_hash_alike(a in any_value(), b in any_value()) {
        if a == b {
            prop_assert_eq!(hash(&a), hash(&b));
        }
        prop_assert_eq!(hash(&a), hash(&a.clone()));
    }

    #[test]
    fn a_value_survives_messagepack(value in any_value()) {
        let bytes = rmp_serde::to_vec(&value).unwrap();
        let back: Value = rmp_serde::from_slice(&bytes).unwrap();
        prop_assert_eq!(kinds(&back), kinds(&value));
        prop_assert_eq!(back, value);
    }

    #[test]
    fn a_finite_value_survives_json(value in any_value().prop_filter("finite", is_finite)) {
        let text = serde_json::to_string(&value).unwrap();
        let back: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(kinds(&back), kinds(&value), "{}", text);
        prop_assert_eq!(back, value);
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(value) = rmp_serde::from_slice::<Value>(&bytes) {
            let again = rmp_serde::to_vec(&value).unwrap();
            prop_assert_eq!(rmp_serde::from_slice::<Value>(&again).unwrap(), value);
        }
    }
}

#[test]
fn zeros_and_nans_are_equal_and_hash_alike() {
    for (a, b) in [(0.0, -0.0), (f64::NAN, -f64::NAN), (f64::NAN, f64::from_bits(0x7ff8_0000_0000_0001))] {
        let (a, b) = (Value::Float(a), Value::Float(b));
        assert_eq!(a, b);
        assert_eq!(hash(&a), hash(&b));
    }
    assert!(Value::Float(f64::NAN) > Value::Float(f64::INFINITY), "NaN sorts last");
}

#[test]
fn a_whole_float_stays_a_float() {
    assert_eq!(serde_json::to_string(&Value::Float(2.0)).unwrap(), "2.0");
    assert_ne!(Value::Float(2.0), Value::Integer(2));
    let back: Value = rmp_serde::from_slice(&rmp_serde::to_vec(&Value::Float(2.0)).unwrap()).unwrap();
    assert_eq!(back.kind(), ValueKind::Float);
}

#[test]
fn false_and_null_are_not_true_and_all_else_is() {
    assert!(!Value::Bool(false).is_true() && !Value::Null.is_true());
    for value in [Value::from(0), Value::from(""), Value::from(true), Value::List(vec![])] {
        assert!(value.is_true(), "{value:?}");
    }
}

#[test]
fn nesting_is_read_up_to_its_limit() {
    let deepest = nested(VALUE_DEPTH_MAX);
    assert_eq!(rmp_serde::from_slice::<Value>(&rmp_serde::to_vec(&deepest).unwrap()).unwrap(), deepest);
    assert_eq!(serde_json::from_str::<Value>(&serde_json::to_string(&deepest).unwrap()).unwrap(), deepest);
    let deeper = nested(VALUE_DEPTH_MAX + 1);
    let error = rmp_serde::from_slice::<Value>(&rmp_serde::to_vec(&deeper).unwrap()).unwrap_err();
    assert!(error.to_string().contains("value nests deeper than 64 levels"), "{error}");
    let error = serde_json::from_str::<Value>(&serde_json::to_string(&deeper).unwrap()).unwrap_err();
    assert!(error.to_string().contains("value nests deeper than 64 levels"), "{error}");
}

#[test]
fn hostile_nesting_is_an_error_and_not_a_stack_overflow() {
    // A list of one list of one list..., a map of one map..., and JSON's brackets, a million deep on a small stack.
    let depth = 1_000_000;
    let lists = vec![0x91u8; depth];
    let maps = [0x81u8, 0xa1, b'k'].repeat(depth);
    let brackets = "[".repeat(depth);
    let done = std::thread::Builder::new().stack_size(256 * 1024).spawn(move || {
        assert!(rmp_serde::from_slice::<Value>(&lists).is_err());
        assert!(rmp_serde::from_slice::<Value>(&maps).is_err());
        assert!(serde_json::from_str::<Value>(&brackets).is_err());
    });
    done.unwrap().join().unwrap();
}

#[test]
fn a_list_that_claims_four_billion_items_takes_no_memory_for_them() {
    let error = rmp_serde::from_slice::<Value>(&[0xdd, 0xff, 0xff, 0xff, 0xff]).unwrap_err();
    assert!(error.to_string().contains("failed to fill") || error.to_string().contains("IO error"), "{error}");
}

#[test]
fn an_integer_that_does_not_fit_is_refused_with_its_value() {
    let error = serde_json::from_str::<Value>("18446744073709551615").unwrap_err().to_string();
    assert!(error.contains("18446744073709551615 does not fit 64 bits"), "{error}");
    assert_eq!(serde_json::from_str::<Value>("-9223372036854775808").unwrap(), Value::Integer(i64::MIN));
}

#[test]
fn a_map_with_keys_that_are_no_text_is_refused() {
    let bytes = rmp_serde::to_vec(&BTreeMap::from([(1, 2)])).unwrap();
    assert!(rmp_serde::from_slice::<Value>(&bytes).is_err());
}
