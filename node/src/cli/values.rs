//! What users write on the command line, as values: messages, `KEY=VALUE`, durations, names.
//!
//! Each parser names what it found and what it expected; none guesses.

use odeon::{NodeId, Value};
use odeon_capabilities::Preference;
use odeon_convention::limits::{GROUP_BYTES_MAX, VERDICT_MS_MAX, VERDICT_MS_MIN};
use serde::de::IgnoredAny;
use std::num::NonZeroU64;
use std::time::Duration;

/// Bytes of a node's name.
pub(crate) const NAME_BYTES_MAX: usize = 64;
/// The lowest rate of images, in bytes a second: with less a chunk takes longer than a fetch waits.
pub(crate) const RATE_MIN: u64 = 16 * 1024;
/// The longest duration that a flag takes: ten years.
pub(crate) const DURATION_S_MAX: u64 = 3_650 * 86_400;

/// The largest size that a flag takes.
pub(crate) const SIZE_BYTES_MAX: u64 = 1 << 50;

/// Reads JSON, or takes the text as a plain string where it is not JSON. JSON that no value can hold is an error.
pub(crate) fn value(text: &str) -> Result<Value, String> {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Ok(Value::String(text.to_owned()));
    }
    if let Some(number) = oversize_integer(text) {
        return Err(format!("integer {number} does not fit 64 bits with a sign; in quotes it is a string"));
    }
    serde_json::from_str(text).map_err(|e| format!("{} cannot be a value: {e}", shorten(text)))
}

/// Reads `KEY=VALUE`; the first `=` separates.
pub(crate) fn key_value(text: &str) -> Result<(String, Value), String> {
    let (key, value_text) =
        text.split_once('=').ok_or_else(|| format!("{} has no '=': expected KEY=VALUE", shorten(text)))?;
    Ok((self::key(key)?, value(value_text)?))
}

/// Reads `KEY` or `KEY=VALUE`.
pub(crate) fn requirement(text: &str) -> Result<(String, Option<Value>), String> {
    if text.contains('=') { key_value(text).map(|(k, v)| (k, Some(v))) } else { Ok((key(text)?, None)) }
}

/// Reads `CEL`, of weight 1, or `WEIGHT:CEL`. No expression begins with a number and a colon: in CEL a colon follows a
/// `?` or stands in braces.
pub(crate) fn preference(text: &str) -> Result<Preference, String> {
    let weighted = text.split_once(':').filter(|(weight, _)| weight.bytes().all(|b| b.is_ascii_digit()));
    let (weight, expression) = match weighted.filter(|(weight, _)| !weight.is_empty()) {
        None => (1, text),
        Some((digits, expression)) => match digits.parse() {
            Ok(weight @ 1..) => (weight, expression),
            _ => return Err(format!("the weight {} is not between 1 and {}", shorten(digits), u32::MAX)),
        },
    };
    Ok(Preference { expression: expression.to_owned(), weight })
}

/// Reads the key of a capability.
pub(crate) fn key(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("the key is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// A number of bytes, such as `8GiB`, `500kB` or `65536`.
fn bytes(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 10] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("B", 1),
        ("", 1),
    ];
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = UNITS.iter().find(|(name, _)| *name == unit.trim_start()).map(|(_, bytes)| *bytes);
    number.parse::<u64>().ok().zip(unit).and_then(|(number, unit)| number.checked_mul(unit))
}

/// Reads bytes a second, such as `10MiB`, `500kB` or `65536`.
pub(crate) fn rate(text: &str) -> Result<NonZeroU64, String> {
    let rate = bytes(text).and_then(NonZeroU64::new).filter(|rate| rate.get() >= RATE_MIN);
    rate.ok_or_else(|| {
        format!("{} is no rate of at least {RATE_MIN} bytes a second: expected one such as 10MiB", shorten(text))
    })
}

/// Reads a number of bytes such as `512KiB`, `64MiB` or `8GiB`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    bytes(text).filter(|size| (1..=SIZE_BYTES_MAX).contains(size)).ok_or_else(|| {
        format!("{} is no size from 1 byte to 1024TiB: expected one such as 512MiB or 8GiB", shorten(text))
    })
}

/// Reads the name of a group.
pub(crate) fn group(text: &str) -> Result<String, String> {
    match text.len() {
        1..=GROUP_BYTES_MAX => Ok(text.to_owned()),
        bytes => Err(format!("a group has {bytes} bytes, expected 1 to {GROUP_BYTES_MAX}")),
    }
}

/// Reads a duration such as `500ms`, `10m` or `1h30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{} is not a duration: expected one such as 500ms, 10m or 1h30m", shorten(text));
    let mut rest = text;
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit_ms = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        rest = &rest[letters..];
        total_ms = number
            .checked_mul(unit_ms)
            .and_then(|ms| total_ms.checked_add(ms))
            .filter(|ms| *ms <= DURATION_S_MAX * 1_000)
            .ok_or_else(|| format!("{} is longer than 3650d", shorten(text)))?;
    }
    if total_ms == 0 { Err(wrong()) } else { Ok(Duration::from_millis(total_ms)) }
}

/// Reads how long a word on an image may take.
pub(crate) fn verdict_time(text: &str) -> Result<Duration, String> {
    let (min, max) = (Duration::from_millis(VERDICT_MS_MIN), Duration::from_millis(VERDICT_MS_MAX));
    let time = duration(text)?;
    let in_bounds = (min..=max).contains(&time);
    in_bounds.then_some(time).ok_or_else(|| format!("{} is not from {min:?} to {max:?}", shorten(text)))
}

/// Reads a time as OpenSSH writes it or in RFC 3339, as seconds since 1970.
pub(crate) fn time(text: &str) -> Result<u64, String> {
    odeon_sourceauth::read_unix_s(text).ok_or_else(|| {
        format!("{} is not a time such as 20300101Z, 20300101120000Z or 2030-01-01T12:00:00Z", shorten(text))
    })
}

/// Reads `HOST:PORT`, where HOST is a name, an IPv4 address, or an IPv6 address in brackets.
pub(crate) fn host_port(text: &str) -> Result<String, String> {
    let wrong = || format!("{} is not HOST:PORT, such as leader.example:5340 or [::1]:5340", shorten(text));
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let is_host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok()),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')),
    };
    let is_port = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0);
    if is_host && is_port { Ok(text.to_owned()) } else { Err(wrong()) }
}

/// Reads a name for a node: one that cannot be taken for an id or for two words.
pub(crate) fn node_name(text: &str) -> Result<String, String> {
    let fits = !text.is_empty()
        && text.len() <= NAME_BYTES_MAX
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && !text.starts_with('-');
    if !fits {
        return Err(format!("expected letters, digits, '-', '_' and '.', at most {NAME_BYTES_MAX} bytes"));
    }
    if text.parse::<NodeId>().is_ok() { Err("this is the form of a node's id".to_owned()) } else { Ok(text.to_owned()) }
}

/// The first integer in a JSON text that no [`Value::Integer`] can hold; a float would silently be another number.
fn oversize_integer(json: &str) -> Option<&str> {
    let bytes = json.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let length = bytes[at..]
                    .iter()
                    .take_while(|b| matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
                    .count();
                let number = &json[at..at + length];
                if !number.contains(['.', 'e', 'E']) && number.parse::<i64>().is_err() {
                    return Some(number);
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    None
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 60 {
        format!("'{text}'")
    } else {
        format!("'{}…'", text.chars().take(60).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn json_is_a_value_and_anything_else_is_a_string() {
        for (text, expected) in [
            ("true", Value::Bool(true)),
            ("2", Value::Integer(2)),
            ("-9223372036854775808", Value::Integer(i64::MIN)),
            ("2.0", Value::Float(2.0)),
            ("null", Value::Null),
            ("\"2\"", Value::from("2")),
            (
                "[1, \"99999999999999999999\"]",
                Value::List(vec![Value::Integer(1), Value::from("99999999999999999999")]),
            ),
            ("eu-1", Value::from("eu-1")),
            ("hello there", Value::from("hello there")),
            ("", Value::from("")),
            ("{not json", Value::from("{not json")),
            ("1.2.3", Value::from("1.2.3")),
            ("True", Value::from("True")),
        ] {
            assert_eq!(value(text).as_ref(), Ok(&expected), "{text}");
        }
    }

    #[test]
    fn json_that_no_value_holds_is_an_error_and_not_another_value() {
        for text in ["9223372036854775808", "[1, -9223372036854775809]", "{\"a\\\"\": 123456789012345678901234}"] {
            assert!(value(text).unwrap_err().contains("does not fit 64 bits with a sign"), "{text}");
        }
        assert!(value("1e400").unwrap_err().contains("number out of range"));
        assert!(
            value(&format!("{}{}", "[".repeat(100), "]".repeat(100))).unwrap_err().contains("deeper than 64 levels")
        );
    }

    #[test]
    fn the_first_equals_sign_separates_key_and_value() {
        assert_eq!(key_value("Has DB access=true"), Ok(("Has DB access".into(), Value::Bool(true))));
        assert_eq!(key_value("url=a=b"), Ok(("url".into(), Value::from("a=b"))));
        assert_eq!(key_value("empty="), Ok(("empty".into(), Value::from(""))));
        assert_eq!(requirement("gpu"), Ok(("gpu".into(), None)));
        assert_eq!(requirement("gpu=2"), Ok(("gpu".into(), Some(Value::Integer(2)))));
        assert!(key_value("gpu").unwrap_err().contains("expected KEY=VALUE"));
        assert!(key_value("=2").is_err() && requirement("").is_err());
    }

    #[test]
    fn a_preference_has_the_weight_before_its_colon_or_1() {
        for (text, weight, expression) in [
            ("gpu > 1", 1, "gpu > 1"),
            ("10:gpu > 1", 10, "gpu > 1"),
            ("4294967295: ssd", u32::MAX, " ssd"),
            ("007:ssd", 7, "ssd"),
            ("ssd ? 1 == 1 : false", 1, "ssd ? 1 == 1 : false"),
            ("10 * (gpu) > 1", 1, "10 * (gpu) > 1"),
            ("{'a': 1}['a'] == 1", 1, "{'a': 1}['a'] == 1"),
            ("zone == 'a:b'", 1, "zone == 'a:b'"),
            (":ssd", 1, ":ssd"),
        ] {
            let expected = Preference { expression: expression.to_owned(), weight };
            assert_eq!(preference(text), Ok(expected), "{text}");
        }
        for wrong in ["0:ssd", "4294967296:ssd", "99999999999999999999:ssd"] {
            assert!(preference(wrong).unwrap_err().contains("between 1 and 4294967295"), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_a_unit_and_a_bound() {
        assert_eq!((size("512KiB"), size("500kB"), size("7")), (Ok(512 * 1024), Ok(500_000), Ok(7)));
        assert_eq!(size("1024TiB"), Ok(SIZE_BYTES_MAX));
        for wrong in ["", "KiB", "0MiB", "5Mib", "-1KiB", "1.5GiB", "1025TiB", "99999999999999999999KiB", "5MiBs"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_need_a_unit_and_a_bound() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        for wrong in [
            "",
            "5",
            "m",
            "5x",
            "1 h",
            "-5s",
            "0s",
            "5s5",
            "ä",
            "99999999999999999999s",
            "4000d",
            "18446744073709551615h",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_node_cannot_be_named_like_an_id_or_a_path() {
        assert_eq!(node_name("db-1.eu_west"), Ok("db-1.eu_west".into()));
        let id = NodeId([7; 16]).to_string();
        for wrong in ["", "a b", "a/b", "-x", "a\u{1b}[0m", id.as_str(), &"x".repeat(65)] {
            assert!(node_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_to_connect_to_has_a_host_and_a_port() {
        for right in ["127.0.0.1:5340", "leader:1", "a-b.c_d.example:65535", "[::1]:5340"] {
            assert_eq!(host_port(right).as_deref(), Ok(right));
        }
        for wrong in
            ["", ":", "host", "host:", ":5340", "host:0", "host:65536", "host:+1", "::1:5340", "[::1]", "a b:1"]
        {
            assert!(host_port(wrong).unwrap_err().contains("HOST:PORT"), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,40}|[-+0-9.eE\\[\\]{}\":,\\\\ ]{0,40}") {
            let _ = (value(&text), key_value(&text), requirement(&text), duration(&text), node_name(&text));
        }

        #[test]
        fn no_expression_begins_like_a_weight(number: u32, rest in "\\PC{0,30}|[a-z0-9?:(){}' .=<>&|!]{0,30}") {
            let text = format!("{number}:{rest}");
            prop_assert!(odeon_capabilities::Expression::parse(&text).is_err(), "{}", text);
        }

        #[test]
        fn every_integer_stays_itself(number: i64) {
            prop_assert_eq!(value(&number.to_string()), Ok(Value::Integer(number)));
        }
    }
}
