use crate::samples::{map, requirements};
use crate::{CapabilityMap, Matcher, Refusal, Requirements, RequirementsError, Value, limits};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn sentences(requirements: &Requirements, map: &CapabilityMap) -> Vec<String> {
    Matcher::new(requirements).unwrap().refusals(map).iter().map(ToString::to_string).collect()
}

#[test]
fn the_empty_requirements_fit_every_node() {
    let matcher = Matcher::new(&Requirements::none()).unwrap();
    assert!(matcher.accepts(&CapabilityMap::new()));
    assert_eq!(matcher.refusals(&CapabilityMap::new()), []);
    assert_eq!(matcher.score(&CapabilityMap::new()), 0);
}

#[test]
fn a_required_capability_must_be_there_and_not_false() {
    let wanted = Requirements::none().require("Has DB access");
    let mut map = CapabilityMap::new();
    let lacks = [r#"lacks capability "Has DB access""#];
    assert_eq!(sentences(&wanted, &map), lacks);
    map.set("Has DB access", false).unwrap();
    assert_eq!(sentences(&wanted, &map), lacks, "the same cause has the same sentence");
    for value in [Value::from(true), Value::from(0), Value::from("")] {
        map.set("Has DB access", value).unwrap();
        assert_eq!(sentences(&wanted, &map), [""; 0]);
    }
}

#[test]
fn every_unmet_requirement_is_listed_once() {
    let wanted = Requirements::none()
        .require("b")
        .require("a")
        .require("b")
        .equal("zone", "eu-1")
        .equal("rack", 7)
        .expression("gpu > 2");
    let mut map = CapabilityMap::new();
    map.set("zone", "us-1").unwrap();
    assert_eq!(
        sentences(&wanted, &map),
        [
            r#"lacks capability "a""#,
            r#"lacks capability "b""#,
            r#"lacks capability "rack", which must be 7"#,
            r#"capability "zone" is "us-1", not "eu-1""#,
            r#"where gpu > 2 needs capability "gpu""#,
        ]
    );
}

#[test]
fn an_equality_tells_an_integer_from_a_float_and_an_expression_does_not() {
    let mut map = CapabilityMap::new();
    map.set("gpu", 2.0).unwrap();
    assert_eq!(sentences(&Requirements::none().equal("gpu", 2), &map), [r#"capability "gpu" is 2.0, not 2"#]);
    assert!(sentences(&Requirements::none().expression("gpu == 2"), &map).is_empty());
}

#[test]
fn a_score_adds_up_the_preferences_that_hold_and_refuses_nobody() {
    let wanted = Requirements::none().prefer("gpu > 1", 5).prefer("tpu", 7).prefer("gpu > 0", u32::MAX);
    let matcher = Matcher::new(&wanted).unwrap();
    let mut map = CapabilityMap::new();
    assert!(matcher.accepts(&map));
    assert_eq!(matcher.score(&map), 0);
    map.set("tpu", true).unwrap();
    assert_eq!(matcher.score(&map), 7);
    map.set("gpu", 2).unwrap();
    assert_eq!(matcher.score(&map), u32::MAX, "it does not wrap around");
}

#[test]
fn requirements_are_bounded() {
    let many = (0..=limits::REQUIREMENTS_MAX).fold(Requirements::none(), |r, n| r.require(n.to_string()));
    assert_eq!(Matcher::new(&many).unwrap_err(), RequirementsError::TooMany { found: 257, max: 256 });
    let many = (0..=limits::PREFERENCES_MAX).fold(Requirements::none(), |r, _| r.prefer("a", 1));
    assert_eq!(Matcher::new(&many).unwrap_err(), RequirementsError::TooManyPreferences { found: 17, max: 16 });
    let large = Requirements::none().equal("k", "x".repeat(limits::REQUIREMENTS_BYTES_MAX));
    assert_eq!(Matcher::new(&large).unwrap_err(), RequirementsError::TooLarge { bytes: 65537, max: 65536 });
    let key = Requirements::none().require("k".repeat(limits::KEY_BYTES_MAX + 1));
    assert_eq!(Matcher::new(&key).unwrap_err(), RequirementsError::Key { bytes: 257, max: 256 });
    let key = Requirements::none().equal("", 1);
    assert_eq!(Matcher::new(&key).unwrap_err(), RequirementsError::Key { bytes: 0, max: 256 });
    let long = Requirements::none().prefer("x".repeat(limits::EXPRESSION_BYTES_MAX + 1), 1);
    assert!(matches!(Matcher::new(&long).unwrap_err(), RequirementsError::ExpressionTooLong { .. }));
    assert!(matches!(
        Matcher::new(&Requirements::none().expression("gpu >")).unwrap_err(),
        RequirementsError::Parse { .. }
    ));
}

#[test]
fn requirements_survive_json_and_messagepack() {
    let wanted = Requirements::none().require("a").equal("zone", "eu-1").expression("gpu > 2").prefer("ssd", 3);
    let json = serde_json::to_string(&wanted).unwrap();
    assert!(json.contains(r#""where":"gpu > 2""#), "{json}");
    assert_eq!(serde_json::from_str::<Requirements>(&json).unwrap(), wanted);
    assert_eq!(rmp_serde::from_slice::<Requirements>(&rmp_serde::to_vec(&wanted).unwrap()).unwrap(), wanted);
    assert_eq!(serde_json::from_str::<Requirements>("{}").unwrap(), Requirements::none());
    assert!(serde_json::from_str::<Requirements>(r#"{"requires": ["a"]}"#).is_err(), "a typing error is not ignored");
}

proptest! {
    #[test]
    fn a_map_is_accepted_exactly_when_nothing_refuses_it(wanted in requirements(), map in map()) {
        let matcher = Matcher::new(&wanted).unwrap();
        let refusals = matcher.refusals(&map);
        prop_assert_eq!(matcher.accepts(&map), refusals.is_empty());
        for refusal in &refusals {
            let really = match refusal {
                Refusal::Lacks { capability } => !map.value(capability).is_some_and(Value::is_true),
                Refusal::LacksValue { capability, .. } => map.value(capability).is_none(),
                Refusal::Differs { capability, found, expected } =>
                    map.value(capability) == Some(found) && wanted.equal.get(capability) == Some(expected) && found != expected,
                Refusal::Needs { expression, capability } =>
                    Some(expression) == wanted.expression.as_ref() && map.value(capability).is_none(),
                _ => true,
            };
            prop_assert!(really, "{}", refusal);
        }
    }

    #[test]
    fn maps_that_agree_on_what_decides_fit_alike(wanted in requirements(), a in map(), b in map()) {
        let matcher = Matcher::new(&wanted).unwrap();
        if let Some(reads) = matcher.reads(&a) {
            let mut entries: BTreeMap<String, Value> = b.into();
            for (key, value) in reads.0 {
                match value {
                    Some(value) => entries.insert(key, value),
                    None => entries.remove(&key),
                };
            }
            let b = CapabilityMap::try_from(entries).unwrap();
            prop_assert_eq!(matcher.refusals(&a), matcher.refusals(&b));
            prop_assert_eq!(matcher.score(&a), matcher.score(&b));
        }
    }
}
