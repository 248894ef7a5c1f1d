//! Any text as an expression on a map of every kind of value: it parses or it does not, it answers twice the same,
//! and it never panics, hangs or overflows the stack. Run it with `cargo +nightly fuzz run expression`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use odeon_capabilities::{CapabilityMap, Expression, parse_assignment};
use std::sync::LazyLock;

static MAP: LazyLock<CapabilityMap> = LazyLock::new(|| {
    let mut map = CapabilityMap::new();
    for text in [
        "gpu=2",
        "ram=64.0",
        "zone=eu-1",
        "ssd",
        "hdd=false",
        "Has DB access",
        r#"tags=["a","b",["c"]]"#,
        r#"limits={"cpu":4,"nested":{"ram":8}}"#,
    ] {
        let (key, value) = parse_assignment(text).expect("an assignment");
        map.set(key, value).expect("a capability");
    }
    map
});

fuzz_target!(|text: &str| {
    let _ = parse_assignment(text);
    if let Ok(expression) = Expression::parse(text) {
        let first = expression.check(&MAP);
        assert_eq!(first, expression.check(&MAP), "one question, one answer");
        if let Some(reads) = expression.reads(&MAP) {
            assert!(reads.agree(&MAP));
            let mut other = MAP.clone();
            other.set("never read", 1).expect("a capability");
            if reads.agree(&other) {
                assert_eq!(first, expression.check(&other), "what was not read does not matter");
            }
        }
    }
});
