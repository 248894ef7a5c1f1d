//! Random values, maps and requirements for the property tests. Few keys and few values, so that they meet often.

#[cfg(feature = "match")]
use crate::Requirements;
use crate::{CapabilityMap, Delta, Value};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

/// Any value, null and NaN included.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Float),
        (-3i8..3).prop_map(|n| Value::Float(f64::from(n))),
        select(vec![f64::NAN, -f64::NAN, f64::INFINITY, -0.0, 0.0, f64::MIN_POSITIVE, 1e300]).prop_map(Value::Float),
        "\\PC{0,12}".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 32, 5, |inside| {
        prop_oneof![
            vec(inside.clone(), 0..5).prop_map(Value::List),
            btree_map("[a-c]{0,2}", inside, 0..4).prop_map(Value::Map),
        ]
    })
}

/// Keys of the maps below.
pub(crate) const KEYS: [&str; 6] = ["gpu", "zone", "ssd", "Has DB access", "tags", "limits"];

/// A value that a capability can have, of a kind that does not depend on the key.
pub(crate) fn capability() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        (0i64..4).prop_map(Value::Integer),
        (0i8..4).prop_map(|n| Value::Float(f64::from(n))),
        select(vec!["eu-1", "us-1", "", "gpu"]).prop_map(Value::from),
    ];
    prop_oneof![
        4 => leaf.clone(),
        1 => vec(leaf.clone(), 0..4).prop_map(Value::List),
        1 => btree_map(select(vec!["cpu".to_owned(), "ram".to_owned()]), leaf, 0..3).prop_map(Value::Map),
    ]
}

pub(crate) fn map() -> impl Strategy<Value = CapabilityMap> {
    btree_map(select(KEYS.to_vec()).prop_map(str::to_owned), capability(), 0..KEYS.len())
        .prop_map(|map| CapabilityMap::try_from(map).expect("within the limits"))
}

pub(crate) fn delta() -> impl Strategy<Value = Delta> {
    btree_map(select(KEYS.to_vec()).prop_map(str::to_owned), proptest::option::of(capability()), 0..4).prop_map(Delta)
}

/// Expressions of every kind: comparisons, missing keys, macros, whole-map uses, failures.
#[cfg(feature = "match")]
pub(crate) fn expression() -> impl Strategy<Value = String> {
    let leaf = select(vec![
        "gpu > 1",
        "gpu == 2.0",
        "zone == 'eu-1'",
        "zone.startsWith('eu')",
        "zone.matches('^(eu|us)-[0-9]$')",
        "cap['Has DB access']",
        "ssd",
        "has(cap.ssd)",
        "'gpu' in cap",
        "cap.?gpu.orValue(0) == 1",
        "tags.exists(t, t == 'gpu')",
        "tags.all(gpu, gpu != zone)",
        "tags.map(t, t + t).size() > 1",
        "tags.filter(cap, cap == true).size() == 1",
        "limits.cpu > 1",
        "has(limits.ram)",
        "limits.map(k, k)[0] == 'cpu'",
        "size(cap) > 2",
        "cap.all(k, cap[k] != false)",
        "cap[zone] == true",
        "[1, 2].all(zone, cap[string(zone)] == 1)",
        "gpu + 1 > 2",
        "1 / gpu == 1",
        "type(gpu) == int",
        "gpu in tags",
        "size(zone)",
        "nothing",
        "nothing(1)",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(3, 8, 3, |inside| {
        prop_oneof![
            (inside.clone(), inside.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inside.clone(), inside.clone()).prop_map(|(a, b)| format!("({a}) || ({b})")),
            (inside.clone(), inside.clone(), inside.clone()).prop_map(|(a, b, c)| format!("({a}) ? ({b}) : ({c})")),
            inside.prop_map(|a| format!("!({a})")),
        ]
    })
}

#[cfg(feature = "match")]
pub(crate) fn requirements() -> impl Strategy<Value = Requirements> {
    let require = vec(select(KEYS.to_vec()).prop_map(str::to_owned), 0..3);
    let equal = btree_map(select(KEYS.to_vec()).prop_map(str::to_owned), capability(), 0..2);
    let prefer = vec((expression(), 0u32..50), 0..2);
    (require, equal, proptest::option::weighted(0.6, expression()), prefer).prop_map(|(require, equal, cel, prefer)| {
        let wanted = Requirements { require, equal, expression: cel, ..Requirements::none() };
        prefer.into_iter().fold(wanted, |wanted, (cel, weight)| wanted.prefer(cel, weight))
    })
}
