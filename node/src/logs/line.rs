//! Bounds on a line, whoever wrote it: what is too long is cut with a mark, never refused.

use super::limits::{FIELD_BYTES_MAX, FIELDS_MAX, MESSAGE_BYTES_MAX, NAME_BYTES_MAX, REASON_BYTES_MAX};
use super::time;
use crate::admin::protocol::{LogGap, LogLine};
use odeon::Value;

/// Levels of lists and maps in a field at most.
const DEPTH_MAX: usize = 4;
/// What a value weighs besides its text.
const VALUE_BYTES: usize = 8;
/// A text in a field is cut to no less than this, so that there is room for the mark.
const FIELD_BYTES_MIN: usize = 64;

/// Cuts `text` to `bytes_max` bytes, with a mark that says how long it was.
pub(super) fn cut(text: &mut String, bytes_max: usize) {
    if text.len() <= bytes_max {
        return;
    }
    let mark = format!("… (cut, {} bytes)", text.len());
    text.truncate(text.floor_char_boundary(bytes_max.saturating_sub(mark.len())));
    text.push_str(&mark);
}

/// Brings a line within the limits.
pub(super) fn bound(line: &mut LogLine) {
    cut(&mut line.message, MESSAGE_BYTES_MAX);
    cut(&mut line.node, NAME_BYTES_MAX);
    cut(&mut line.target, NAME_BYTES_MAX);
    if let Some(image) = &mut line.image {
        cut(image, NAME_BYTES_MAX);
    }
    if time::parse(&line.time).is_none() || line.time.len() > 40 {
        line.time = time::now();
    }
    while line.fields.len() > FIELDS_MAX {
        line.fields.pop_last();
    }
    if line.fields.keys().any(|k| k.len() > NAME_BYTES_MAX) {
        line.fields = std::mem::take(&mut line.fields)
            .into_iter()
            .map(|(mut key, value)| {
                cut(&mut key, NAME_BYTES_MAX);
                (key, value)
            })
            .collect();
    }
    for value in line.fields.values_mut() {
        bound_value(value, &mut { FIELD_BYTES_MAX }, DEPTH_MAX);
    }
}

/// Cuts a value until it weighs `left` bytes at most; what does not fit becomes null or is left out.
fn bound_value(value: &mut Value, left: &mut usize, depth: usize) {
    match value {
        Value::String(text) if text.len() <= *left || *left >= FIELD_BYTES_MIN => {
            cut(text, *left);
            *left -= text.len();
        }
        Value::List(list) if depth > 0 => {
            list.truncate(*left / VALUE_BYTES);
            *left -= list.len() * VALUE_BYTES;
            list.iter_mut().for_each(|v| bound_value(v, left, depth - 1));
        }
        Value::Map(map) if depth > 0 => {
            map.retain(|key, _| {
                let weight = key.len() + VALUE_BYTES;
                let fits = weight <= *left;
                *left -= if fits { weight } else { 0 };
                fits
            });
            map.values_mut().for_each(|v| bound_value(v, left, depth - 1));
        }
        Value::String(_) | Value::List(_) | Value::Map(_) => *value = Value::Null,
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {}
    }
}

/// Brings a gap within the limits.
pub(super) fn bound_gap(gap: &mut LogGap) {
    cut(&mut gap.node, NAME_BYTES_MAX);
    cut(&mut gap.reason, REASON_BYTES_MAX);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::limits::LINE_BYTES_MAX;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_long_text_is_cut_at_a_character_and_says_how_long_it_was() {
        let mut text = "ä".repeat(10_000);
        cut(&mut text, 100);
        assert!(text.len() <= 100);
        assert!(text.ends_with("… (cut, 20000 bytes)"), "{text}");
        let mut short = "short".to_owned();
        cut(&mut short, 5);
        assert_eq!(short, "short");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof!["[a-zäö\n]{0,1500}".prop_map(Value::String), any::<i64>().prop_map(Value::Integer)];
        leaf.prop_recursive(6, 24, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::List),
                prop::collection::btree_map("[a-z]{1,300}", inner, 0..8).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_bounded_line_is_within_the_limit_in_both_encodings(
            message in "[\\x00-\\x1f]{0,9000}", name in "\\PC{0,300}",
            fields in prop::collection::btree_map("[a-zé]{0,300}", value(), 0..36),
        ) {
            let mut line = LogLine {
                time: "yesterday".into(), level: odeon::Level::Warn, node: name.clone(), incarnation: 1, actor: None,
                image: Some(name.clone()), target: name, message, fields, seq: 1,
            };
            bound(&mut line);
            prop_assert!(time::parse(&line.time).is_some());
            prop_assert!(serde_json::to_vec(&line).unwrap().len() <= LINE_BYTES_MAX);
            prop_assert!(rmp_serde::to_vec(&line).unwrap().len() <= LINE_BYTES_MAX);
            let once = line.clone();
            bound(&mut line);
            prop_assert_eq!(once, line);
        }
    }

    #[test]
    fn too_many_fields_are_left_out() {
        let fields: BTreeMap<_, _> = (0..100).map(|n| (format!("{n:03}"), Value::Integer(n))).collect();
        let mut line = LogLine {
            time: time::now(),
            level: odeon::Level::Warn,
            node: "n".into(),
            incarnation: 1,
            actor: None,
            image: None,
            target: "t".into(),
            message: "m".into(),
            fields,
            seq: 1,
        };
        bound(&mut line);
        assert_eq!(line.fields.len(), FIELDS_MAX);
    }
}
