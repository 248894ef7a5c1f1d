use crate::samples::{any_value, delta, map};
use crate::{CapabilityMap, Delta, MapError, Reads, RecordingView, Value, ValueKind, limits};
use proptest::prelude::*;
use std::collections::BTreeMap;

proptest! {
    #[test]
    fn a_delta_makes_one_map_into_the_other(a in map(), b in map()) {
        let delta = a.delta_to(&b);
        let mut changed = a.clone();
        prop_assert_eq!(changed.apply(&delta).unwrap(), a != b);
        prop_assert_eq!(&changed, &b);
        prop_assert!(!changed.apply(&delta).unwrap(), "a second time it changes nothing");
        prop_assert_eq!(a.delta_to(&a), Delta::default());
    }

    #[test]
    fn maps_and_deltas_survive_json_and_messagepack(map in map(), delta in delta()) {
        let json: CapabilityMap = serde_json::from_str(&serde_json::to_string(&map).unwrap()).unwrap();
        prop_assert_eq!(&json, &map);
        let packed: CapabilityMap = rmp_serde::from_slice(&rmp_serde::to_vec(&map).unwrap()).unwrap();
        prop_assert_eq!(&packed, &map);
        let packed: Delta = rmp_serde::from_slice(&rmp_serde::to_vec(&delta).unwrap()).unwrap();
        prop_assert_eq!(packed, delta);
    }

    #[test]
    fn a_map_takes_a_value_or_stays_as_it_was(start in map(), key in "\\PC{0,3}", value in any_value()) {
        let mut changed = start.clone();
        match changed.set(key.clone(), value.clone()) {
            Ok(()) => prop_assert_eq!(changed.value(&key), Some(&value)),
            Err(_) => prop_assert_eq!(changed, start),
        }
    }

    #[test]
    fn reads_agree_with_a_map_exactly_where_what_was_read_is_the_same(a in map(), b in map(), keys in
        proptest::collection::vec(proptest::sample::select(crate::samples::KEYS.to_vec()), 0..5)) {
        let view = RecordingView::new(&a);
        let seen: Vec<Option<Value>> = keys.iter().map(|key| view.value(key)).collect();
        let reads: Reads = view.into_reads();
        prop_assert!(reads.agree(&a));
        let same = keys.iter().zip(&seen).all(|(key, value)| b.value(key) == value.as_ref());
        prop_assert_eq!(reads.agree(&b), same);
    }
}

/// A refused change, with the map's state before and after compared.
fn refused(map: &mut CapabilityMap, key: &str, value: Value) -> MapError {
    let before = map.clone();
    let mut delta = Delta::default();
    delta.0.insert("also".to_owned(), Some(Value::from(1)));
    delta.0.insert(key.to_owned(), Some(value));
    let error = map.apply(&delta).unwrap_err();
    assert_eq!(*map, before, "a refused change leaves no trace");
    error
}

fn lists(depth: usize) -> Value {
    (1..depth).fold(Value::List(vec![]), |inside, _| Value::List(vec![inside]))
}

#[test]
fn every_limit_holds_and_a_refused_change_leaves_the_map_unchanged() {
    let mut map = CapabilityMap::new();
    map.set("zone", "eu-1").unwrap();
    assert_eq!(refused(&mut map, "", 1.into()), MapError::KeyEmpty);
    let long = "k".repeat(limits::KEY_BYTES_MAX + 1);
    assert_eq!(refused(&mut map, &long, 1.into()), MapError::KeyTooLong { bytes: 257 });
    let null = Value::List(vec![Value::Null]);
    assert_eq!(refused(&mut map, "k", null), MapError::Kind { key: "k".into(), found: ValueKind::Null });
    assert_eq!(refused(&mut map, "k", lists(limits::DEPTH_MAX + 1)), MapError::TooDeep { key: "k".into() });
    let large = Value::from("x".repeat(limits::MAP_BYTES_MAX));
    assert!(matches!(refused(&mut map, "k", large), MapError::TooLarge { bytes } if bytes > limits::MAP_BYTES_MAX));

    map.set("k".repeat(limits::KEY_BYTES_MAX), lists(limits::DEPTH_MAX)).unwrap();
}

#[test]
fn there_are_at_most_so_many_keys() {
    let mut map: BTreeMap<String, Value> = (0..limits::KEYS_MAX).map(|n| (n.to_string(), Value::from(true))).collect();
    let full = CapabilityMap::try_from(map.clone()).unwrap();
    map.insert("one more".to_owned(), Value::from(true));
    assert_eq!(CapabilityMap::try_from(map.clone()), Err(MapError::TooManyKeys { keys: limits::KEYS_MAX + 1 }));
    // The same bounds hold for what is read from bytes.
    let error = rmp_serde::from_slice::<CapabilityMap>(&rmp_serde::to_vec(&map).unwrap()).unwrap_err();
    assert!(error.to_string().contains("1025 capabilities are more than 1024"), "{error}");
    // A change may replace every key, so it holds at most twice as many.
    let mut replaced = full.clone();
    let other = CapabilityMap::try_from(
        (0..limits::KEYS_MAX).map(|n| (format!("n{n}"), Value::from(true))).collect::<BTreeMap<_, _>>(),
    )
    .unwrap();
    assert!(replaced.apply(&full.delta_to(&other)).unwrap());
    assert_eq!(replaced, other);
    let endless = Delta((0..3 * limits::KEYS_MAX).map(|n| (n.to_string(), None)).collect());
    assert_eq!(replaced.apply(&endless), Err(MapError::TooManyKeys { keys: 3 * limits::KEYS_MAX }));
    assert_eq!(replaced, other);
}

#[test]
fn a_view_remembers_nothing_under_keys_that_no_map_can_hold() {
    let map = CapabilityMap::new();
    let view = RecordingView::new(&map);
    assert_eq!(view.value(""), None);
    assert_eq!(view.value(&"k".repeat(limits::KEY_BYTES_MAX + 1)), None);
    assert_eq!(view.into_reads(), Reads::default());
}
