use super::*;
use crate::Value;
use crate::limits::{EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_NESTING_MAX};
use crate::samples::{self, capability};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn map() -> CapabilityMap {
    let json = r#"{"gpu": 2, "ram": 64.0, "zone": "eu-1", "ssd": true, "hdd": false, "Has DB access": true,
        "tags": ["a", "b"], "limits": {"cpu": 4, "ram": 8}, "disks": [{"gb": 10}, {"gb": 20}]}"#;
    serde_json::from_str(json).unwrap()
}

fn sentence(text: &str) -> String {
    let refusal = Expression::parse(text).unwrap().check(&map()).unwrap_err();
    assert!(!Expression::parse(text).unwrap().holds(&map()));
    refusal.to_string()
}

fn parse_error(text: &str) -> String {
    match Expression::parse(text) {
        Err(error @ RequirementsError::Parse { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_true_of_a_map_holds() {
    for text in [
        "gpu > 1",
        "gpu == 2.0",
        "ram >= 64",
        "zone == 'eu-1' && ssd",
        "zone.startsWith('eu') || nothing",
        "nothing || zone.startsWith('eu')",
        "!(nothing && hdd)",
        "cap['Has DB access']",
        "cap.gpu == gpu",
        "has(cap.gpu) && !has(cap.tpu)",
        "!has(cap.tpu) || tpu > 1",
        "'gpu' in cap && !('tpu' in cap)",
        "cap.?tpu.orValue(0) == 0",
        "cap[?'gpu'].orValue(0) == 2",
        "'a' in tags && size(tags) == 2",
        "limits.cpu >= 4 && limits['ram'] == 8",
        "limits == {'ram': 8, 'cpu': 4} && {'ram': 8, 'cpu': 4} == limits",
        "disks.exists(d, d.gb > 15) && disks.all(d, d.gb > 5)",
        "disks.map(d, d.gb + 1) == [11, 21]",
        "disks.exists_one(d, d.gb == 10)",
        "zone in ['eu-1', 'eu-2']",
        "zone.matches('^eu-[0-9]+$')",
        "size(cap) == 9",
        "cap.exists(k, k == 'gpu')",
        "limits.map(k, k) == ['cpu', 'ram']",
        "cap.map(k, k)[0] == 'Has DB access'",
        "type(gpu) == int && type(ram) == double",
        "[1, 2].all(gpu, gpu < 3) && gpu == 2",
        "[zone].all(cap, cap == 'eu-1')",
    ] {
        let expression = Expression::parse(text).unwrap();
        assert_eq!(expression.check(&map()), Ok(()), "{text}");
    }
}

#[test]
fn what_does_not_hold_says_why() {
    for (text, expected) in [
        ("gpu > 2", "where gpu > 2 is false"),
        ("tpu > 2", r#"where tpu > 2 needs capability "tpu""#),
        ("!(tpu > 2)", r#"where !(tpu > 2) needs capability "tpu""#),
        ("tpu.cores > 2", r#"where tpu.cores > 2 needs capability "tpu""#),
        ("cap['My disk'] == 1", r#"where cap['My disk'] == 1 needs capability "My disk""#),
        ("cap.tpu", r#"where cap.tpu needs capability "tpu""#),
        ("cap[zone] == 1", r#"where cap[zone] == 1 needs capability "eu-1""#),
        ("limits.disk > 1", r#"where limits.disk > 1 fails: there is no key "disk""#),
        ("gpu", "where gpu is int, not bool"),
        ("tags.map(t, t)", "where tags.map(t, t) is list, not bool"),
        ("zone > 1", "where zone > 1 fails: found no matching overload for '_>_' applied to '(string, int)'"),
        ("nothing(1)", r#"where nothing(1) fails: there is no function "nothing""#),
        ("1 / (gpu - 2) == 1", "where 1 / (gpu - 2) == 1 fails: division by zero"),
        ("tags[7] == 'a'", "where tags[7] == 'a' fails: the list has no such position"),
        ("9223372036854775807 + gpu > 0", "where 9223372036854775807 + gpu > 0 fails: the result does not fit 64 bits"),
    ] {
        assert_eq!(sentence(text), expected);
    }
}

#[test]
fn what_does_not_parse_is_refused_at_construction() {
    for text in ["", " ", "gpu >", "gpu > 2)", "gpu = 2", "'open", "a b", "$", "`a`", "gpu ? 1", "\u{0}", "has(gpu)"] {
        parse_error(text);
    }
    assert_eq!(
        parse_error("gpu > 2)"),
        "expression \"gpu > 2)\" does not parse: at line 1, column 8: Syntax error: extraneous input ')' expecting <EOF>"
    );
    assert!(parse_error("Thing{a: 1}").ends_with("there are no message types here"));
    assert!(parse_error("{'a': 1, 'b': 2}.map(k, k)[0] == 'a'").contains("a map in braces cannot be together with"));
}

/// Runs on half of what a thread's stack has here, so that recursion without a bound shows, and one that leaves too
/// little to whoever calls.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn length_and_depth_are_bounded() {
    let long = "x".repeat(EXPRESSION_BYTES_MAX + 1);
    assert_eq!(Expression::parse(&long).unwrap_err(), RequirementsError::ExpressionTooLong { bytes: 2049, max: 2048 });
    on_a_small_stack(|| {
        let n = EXPRESSION_BYTES_MAX;
        for text in [
            "(".repeat(n / 2 - 1) + "1" + &")".repeat(n / 2 - 1),
            "[".repeat(n),
            "{".repeat(n),
            "{1:".repeat(n / 4) + "1" + &"}".repeat(n / 4 - 1),
            "1".to_owned() + &"+1".repeat(n / 2 - 1),
            "1".to_owned() + &"<1".repeat(n / 2 - 1),
            "a".to_owned() + &".a".repeat(n / 2 - 1),
            "a".to_owned() + &"[0]".repeat(n / 3 - 1),
            "a".to_owned() + &".f(1)".repeat(n / 5 - 1),
            "a?1:".repeat(n / 4 - 1) + "1",
            "f(".repeat(n / 3 - 1) + "1" + &")".repeat(n / 3 - 1),
            "[1]".to_owned() + &".map(x,x)".repeat(n / 9 - 1),
            "[1].all(a,".repeat(n / 12) + "true" + &")".repeat(n / 12),
        ] {
            parse_error(&text);
        }
        let nested = |levels: usize| "[".repeat(levels) + "1" + &"]".repeat(levels) + " == 1";
        assert!(Expression::parse(&nested(EXPRESSION_NESTING_MAX)).is_ok());
        assert!(parse_error(&nested(EXPRESSION_NESTING_MAX + 1)).ends_with("it nests deeper than 32 levels"));
        let sum = |terms: usize| "1".to_owned() + &" + 1".repeat(terms);
        assert!(Expression::parse(&sum(EXPRESSION_DEPTH_MAX - 1)).unwrap().check(&map()).is_err());
        assert!(parse_error(&sum(EXPRESSION_DEPTH_MAX + 1)).ends_with("too many operations inside each other"));
        // Long and flat is well.
        let flat = "gpu == 2".to_owned() + &" && gpu == 2".repeat(n / 12 - 1);
        assert!(Expression::parse(&flat).unwrap().holds(&map()));
    });
}

#[test]
fn work_that_multiplies_is_refused_before_it_is_done() {
    let mut map = CapabilityMap::new();
    map.set("words", Value::List((0..3000).map(|n| Value::from(format!("word {n}"))).collect())).unwrap();
    map.set("text", "x".repeat(10_000)).unwrap();
    for text in [
        "words.all(a, words.all(b, words.all(c, a == b || b == c)))",
        "words.all(a, words.exists(b, a + b == 'x'))",
        "[text].map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).size() == 1",
        "['x']{M}{M}{M}{M}{M}{M}{M}{M}{M}{M}{M}{M}{M}{M}{M}{M}{M}{M}{M}{M}.size() == 1",
        "words.all(w, w.matches('((a{100}){100}){100}'))",
        "words.all(w, w.matches(text))",
    ] {
        let text = text.replace("{M}", ".map(x, [x, x])");
        let refusal = Expression::parse(&text).unwrap().check(&map).unwrap_err();
        assert_eq!(refusal, Refusal::TooCostly { expression: text.clone() });
    }
    // What people write is far from the bound.
    assert!(Expression::parse("words.exists(w, w.startsWith('word 29'))").unwrap().holds(&map));
    assert!(Expression::parse("words.filter(w, w.endsWith('7')).size() == 300").unwrap().holds(&map));
    assert!(Expression::parse("text.matches('^x+$')").unwrap().holds(&map));
}

#[test]
fn the_keys_that_are_read_are_known_beforehand() {
    let keys = |text: &str| -> Option<BTreeSet<String>> {
        Expression::parse(text).unwrap().keys().map(|keys| keys.map(str::to_owned).collect())
    };
    let set = |keys: &[&str]| Some(keys.iter().map(|k| (*k).to_owned()).collect::<BTreeSet<_>>());
    assert_eq!(keys("gpu > 1 && cap['Has DB access'] && has(cap.ssd)"), set(&["gpu", "Has DB access", "ssd"]));
    assert_eq!(keys("'x y' in cap || cap[?'z'].hasValue() || cap.?w.hasValue()"), set(&["x y", "z", "w"]));
    assert_eq!(keys("tags.all(t, t != zone)"), set(&["tags", "zone"]));
    assert_eq!(keys("tags.all(zone, zone != 'a') && zone == 'b'"), set(&["tags", "zone"]));
    assert_eq!(keys("tags.all(zone, zone != 'a')"), set(&["tags"]));
    assert_eq!(keys("tags.all(cap, cap['x'] == 1)"), set(&["tags"]));
    assert_eq!(keys("tags.all(gpu, .gpu > 1)"), set(&["tags", "gpu"]));
    assert_eq!(keys("1 == 1"), set(&[]));
    for whole in ["size(cap) > 1", "cap[zone]", "cap.all(k, k != 'a')", "zone in cap", "[cap].size() == 1"] {
        assert_eq!(keys(whole), None, "{whole}");
    }
    let reads = Expression::parse("gpu > tpu").unwrap().reads(&map()).unwrap();
    let expected = BTreeMap::from([("gpu".to_owned(), Some(Value::Integer(2))), ("tpu".to_owned(), None)]);
    assert_eq!(reads.0, expected);
}

#[test]
fn a_matcher_can_go_to_another_thread() {
    fn check<T: Send + Sync>() {}
    check::<Expression>();
    check::<crate::Matcher>();
    check::<crate::Index<u32>>();
    check::<crate::Selector>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn maps_that_agree_on_what_was_read_have_the_same_outcome(
        text in samples::expression(),
        a in samples::map(),
        b in samples::map(),
        extra in capability(),
    ) {
        let expression = Expression::parse(&text).unwrap();
        if let Some(reads) = expression.reads(&a) {
            // `b`, with what was read of `a`.
            let mut entries: BTreeMap<String, Value> = b.into();
            entries.insert("unread".to_owned(), extra);
            for (key, value) in &reads.0 {
                match value {
                    Some(value) => entries.insert(key.clone(), value.clone()),
                    None => entries.remove(key),
                };
            }
            let b = CapabilityMap::try_from(entries).unwrap();
            prop_assert!(reads.agree(&b));
            prop_assert_eq!(expression.check(&a), expression.check(&b), "{}", text);
        }
    }

    #[test]
    fn the_same_question_has_the_same_answer_every_time(text in samples::expression(), map in samples::map()) {
        let first = Expression::parse(&text).unwrap().check(&map);
        prop_assert_eq!(first, Expression::parse(&text).unwrap().check(&map));
    }

    #[test]
    fn any_text_is_an_expression_or_an_error(text in "\\PC{0,40}", map in samples::map()) {
        if let Ok(expression) = Expression::parse(&text) {
            let _ = expression.check(&map);
        }
    }

    #[test]
    fn any_tokens_are_an_expression_or_an_error(
        tokens in proptest::collection::vec(proptest::sample::select(vec![
            "gpu", "cap", "tags", "(", ")", "[", "]", "{", "}", ".", "?", ":", "&&", "||", "!", "-", "+", "==", "<",
            "in", "1", "2u", "1.5", "'a'", "b'a'", "r'a'", "null", "true", ".all(", ".map(", "has(", "x", ",", ".?",
            "[?", "optional.of(", "size(", "type(", "int(", "bytes(", "dyn(", "''''''", "matches(",
        ]), 1..16),
        map in samples::map(),
    ) {
        if let Ok(expression) = Expression::parse(&tokens.concat()) {
            let outcome = expression.check(&map);
            prop_assert_eq!(expression.check(&map), outcome);
        }
    }
}
