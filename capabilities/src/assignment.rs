//! `KEY=VALUE` as people type it. It checks the text only; whether a map takes the value is the map's to say.

use crate::{Value, limits};

/// Why a text is no assignment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum AssignmentError {
    #[error("{text:?} has no key before the '='")]
    KeyMissing { text: String },
    #[error("capability key of {bytes} bytes is longer than {} bytes", limits::KEY_BYTES_MAX)]
    KeyTooLong { bytes: usize },
    #[error("value of {bytes} bytes is longer than {} bytes", limits::MAP_BYTES_MAX)]
    ValueTooLong { bytes: usize },
    #[error("value of {key:?} is JSON that cannot be a capability: {reason}")]
    Value { key: String, reason: String },
}

/// Reads `KEY=VALUE`: the value is JSON, or a plain string where it does not parse as JSON. `KEY` alone means true.
///
/// The first `=` ends the key, so a value may hold more of them.
///
/// ```
/// use odeon_capabilities::{Value, parse_assignment};
///
/// assert_eq!(parse_assignment("gpu=2")?, ("gpu".into(), Value::Integer(2)));
/// assert_eq!(parse_assignment("zone=eu-1")?, ("zone".into(), Value::from("eu-1")));
/// assert_eq!(parse_assignment("version=\"2\"")?, ("version".into(), Value::from("2")));
/// assert_eq!(parse_assignment("Has DB access")?, ("Has DB access".into(), Value::Bool(true)));
/// # Ok::<(), odeon_capabilities::AssignmentError>(())
/// ```
pub fn parse_assignment(text: &str) -> Result<(String, Value), AssignmentError> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key.trim(), Some(value)),
        None => (text.trim(), None),
    };
    if key.len() > limits::KEY_BYTES_MAX {
        return Err(AssignmentError::KeyTooLong { bytes: key.len() });
    }
    let Some(value) = value else {
        return if key.is_empty() {
            Err(AssignmentError::KeyMissing { text: String::new() })
        } else {
            Ok((key.to_owned(), Value::Bool(true)))
        };
    };
    if value.len() > limits::MAP_BYTES_MAX {
        return Err(AssignmentError::ValueTooLong { bytes: value.len() });
    }
    if key.is_empty() {
        return Err(AssignmentError::KeyMissing { text: text.chars().take(80).collect() });
    }
    let value = match serde_json::from_str(value) {
        Ok(value) => value,
        // Well-formed JSON that is too deep or a number too large is a mistake, not a text.
        Err(error) if error.is_data() => {
            return Err(AssignmentError::Value { key: key.to_owned(), reason: error.to_string() });
        }
        Err(_) => Value::from(value),
    };
    Ok((key.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn value(text: &str) -> Value {
        parse_assignment(text).unwrap().1
    }

    #[test]
    fn a_value_is_json_or_a_plain_string() {
        assert_eq!(value("k=true"), Value::Bool(true));
        assert_eq!(value("k=-3"), Value::Integer(-3));
        assert_eq!(value("k=2.0"), Value::Float(2.0));
        assert_eq!(value("k= 7 "), Value::Integer(7));
        assert_eq!(value("k=[1,\"a\"]"), Value::List(vec![1.into(), "a".into()]));
        assert_eq!(value("k={\"a\":1}"), Value::Map(BTreeMap::from([("a".to_owned(), 1.into())])));
        assert_eq!(value("k=True"), Value::from("True"));
        assert_eq!(value("k=[1"), Value::from("[1"));
        assert_eq!(value("k="), Value::from(""));
        assert_eq!(value("k=a=b"), Value::from("a=b"));
    }

    #[test]
    fn a_key_alone_is_true_and_may_hold_spaces() {
        assert_eq!(parse_assignment("Has DB access"), Ok(("Has DB access".to_owned(), Value::Bool(true))));
        assert_eq!(parse_assignment(" a =1"), Ok(("a".to_owned(), Value::Integer(1))));
    }

    #[test]
    fn a_text_without_a_key_or_over_a_limit_is_refused() {
        assert_eq!(parse_assignment("=1"), Err(AssignmentError::KeyMissing { text: "=1".to_owned() }));
        assert_eq!(parse_assignment("  "), Err(AssignmentError::KeyMissing { text: String::new() }));
        let long = "k".repeat(limits::KEY_BYTES_MAX + 1);
        assert_eq!(parse_assignment(&long), Err(AssignmentError::KeyTooLong { bytes: long.len() }));
        let value = "v".repeat(limits::MAP_BYTES_MAX + 1);
        assert_eq!(parse_assignment(&format!("k={value}")), Err(AssignmentError::ValueTooLong { bytes: value.len() }));
    }

    #[test]
    fn json_that_no_value_can_hold_is_an_error_and_not_a_string() {
        let error = parse_assignment("k=18446744073709551615").unwrap_err().to_string();
        assert!(error.contains("does not fit 64 bits"), "{error}");
        let deep = format!("k={}{}", "[".repeat(100), "]".repeat(100));
        let error = parse_assignment(&deep).unwrap_err().to_string();
        assert!(error.contains("deeper than 64"), "{error}");
    }
}
