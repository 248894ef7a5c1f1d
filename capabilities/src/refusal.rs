//! Why a node does not fit: one stable sentence for each cause, so that sentences can be counted.

use crate::Value;
use crate::limits::{EVALUATION_STEPS_MAX, REFUSAL_TEXT_CHARS_MAX};
use std::fmt;

/// One unmet requirement. Its display is one line and the same text for the same cause.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// A required capability is not there, or is false.
    Lacks {
        /// Its key.
        capability: String,
    },
    /// A capability that must have a value is not there.
    LacksValue {
        /// Its key.
        capability: String,
        /// What it must be.
        expected: Value,
    },
    /// A capability has another value.
    Differs {
        /// Its key.
        capability: String,
        /// What it is.
        found: Value,
        /// What it must be.
        expected: Value,
    },
    /// An expression reads a capability that is not there.
    Needs {
        /// The expression.
        expression: String,
        /// The key that is not there.
        capability: String,
    },
    /// An expression is false.
    False {
        /// The expression.
        expression: String,
    },
    /// An expression is neither true nor false.
    NotBool {
        /// The expression.
        expression: String,
        /// The CEL type of its result.
        found: String,
    },
    /// An expression cannot be evaluated here.
    Failed {
        /// The expression.
        expression: String,
        /// Why not, in one short line.
        reason: String,
    },
    /// An expression would take too long on what this node has.
    TooCostly {
        /// The expression.
        expression: String,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Lacks { capability } => write!(f, "lacks capability {capability:?}"),
            Refusal::LacksValue { capability, expected } => {
                write!(f, "lacks capability {capability:?}, which must be {}", short(expected))
            }
            Refusal::Differs { capability, found, expected } => {
                write!(f, "capability {capability:?} is {}, not {}", short(found), short(expected))
            }
            Refusal::Needs { expression, capability } => {
                write!(f, "where {} needs capability {capability:?}", line(expression))
            }
            Refusal::False { expression } => write!(f, "where {} is false", line(expression)),
            Refusal::NotBool { expression, found } => write!(f, "where {} is {found}, not bool", line(expression)),
            Refusal::Failed { expression, reason } => write!(f, "where {} fails: {reason}", line(expression)),
            Refusal::TooCostly { expression } => {
                write!(f, "where {} would take more than {EVALUATION_STEPS_MAX} steps", line(expression))
            }
        }
    }
}

/// An expression on one line.
fn line(expression: &str) -> String {
    expression.trim().replace(char::is_control, " ")
}

/// Text on one line and not longer than a sentence bears.
pub(crate) fn shorten(text: &str) -> String {
    let mut out: String =
        text.chars().take(REFUSAL_TEXT_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(REFUSAL_TEXT_CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}

/// A value as JSON, shortened.
fn short(value: &Value) -> String {
    // Two values that differ only where JSON has no word for them keep sentences of their own.
    if let Value::Float(v) = value
        && !v.is_finite()
    {
        return v.to_string();
    }
    shorten(&serde_json::to_string(value).unwrap_or_else(|_| value.kind().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_as_documented() {
        let e = || "gpu > 2".to_owned();
        let sentences = [
            (Refusal::Lacks { capability: "Has DB access".into() }, r#"lacks capability "Has DB access""#),
            (
                Refusal::LacksValue { capability: "zone".into(), expected: "eu-1".into() },
                r#"lacks capability "zone", which must be "eu-1""#,
            ),
            (
                Refusal::Differs { capability: "zone".into(), found: "us-1".into(), expected: "eu-1".into() },
                r#"capability "zone" is "us-1", not "eu-1""#,
            ),
            (
                Refusal::Differs { capability: "gpu".into(), found: 2.0.into(), expected: 2.into() },
                r#"capability "gpu" is 2.0, not 2"#,
            ),
            (Refusal::Needs { expression: e(), capability: "gpu".into() }, r#"where gpu > 2 needs capability "gpu""#),
            (Refusal::False { expression: "gpu\n> 2 ".into() }, "where gpu > 2 is false"),
            (Refusal::NotBool { expression: e(), found: "int".into() }, "where gpu > 2 is int, not bool"),
            (Refusal::Failed { expression: e(), reason: "overflow".into() }, "where gpu > 2 fails: overflow"),
            (Refusal::TooCostly { expression: e() }, "where gpu > 2 would take more than 1048576 steps"),
        ];
        for (refusal, sentence) in sentences {
            assert_eq!(refusal.to_string(), sentence);
        }
    }

    #[test]
    fn a_sentence_stays_short_and_on_one_line_whatever_the_value() {
        let value = Value::from("x\n".repeat(10_000));
        let text = Refusal::Differs { capability: "k".into(), found: value.clone(), expected: value }.to_string();
        assert!(text.chars().count() < 300 && !text.contains('\n'), "{text}");
        assert!(text.contains('…'));
    }
}
