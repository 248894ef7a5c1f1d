//! Times as people read them: RFC 3339 in UTC with milliseconds, and durations like `10m`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 9999-12-31T23:59:59.999Z: the last time that four digits of year can say.
const UNIX_MS_MAX: u64 = 253_402_300_799_999;

/// Milliseconds since 1970 by the wall clock.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

/// The time `unix_ms` milliseconds after 1970, like `2026-05-01T12:00:00.250Z`.
pub fn format_ms(unix_ms: u64) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(unix_ms.min(UNIX_MS_MAX))).to_string()
}

/// The time `unix_s` seconds after 1970, like `2026-05-01T12:00:00Z`.
pub fn format_s(unix_s: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(unix_s.min(UNIX_MS_MAX / 1000))).to_string()
}

/// The time now, like `2026-05-01T12:00:00.250Z`.
pub fn now() -> String {
    format_ms(now_ms())
}

/// Milliseconds since 1970 of a time in RFC 3339, UTC; none for any other text and for times before 1970.
pub fn parse(text: &str) -> Option<u64> {
    let time = humantime::parse_rfc3339(text).ok()?;
    u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a duration like 5s, 10m or 1h30m: {why}")]
pub struct ParseDurationError {
    found: String,
    why: String,
}

/// A duration like `250ms`, `5s`, `10m`, `1h30m` or `2 days`.
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    humantime::parse_duration(text)
        .map_err(|e| ParseDurationError { found: text.chars().take(80).collect(), why: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        assert_eq!(format_ms(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(format_ms(1_777_636_800_250), "2026-05-01T12:00:00.250Z");
        assert_eq!(format_s(1_777_636_800), "2026-05-01T12:00:00Z");
        assert_eq!(format_ms(u64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(parse(&now()).map(|t| now_ms() - t < 10_000), Some(true));
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, ms) in [
            ("250ms", 250),
            ("5s", 5_000),
            ("10m", 600_000),
            ("1h", 3_600_000),
            ("1h30m", 5_400_000),
            ("2 days", 172_800_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "10", "-5s", "5 parsecs", "99999999999999999999s"] {
            parse_duration(text).unwrap_err();
        }
    }

    proptest! {
        #[test]
        fn a_time_survives_being_written_and_read(ms in 0..=UNIX_MS_MAX) {
            prop_assert_eq!(parse(&format_ms(ms)), Some(ms));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in "\\PC{0,40}") {
            let _ = parse(&text);
            let _ = parse_duration(&text);
        }
    }
}
