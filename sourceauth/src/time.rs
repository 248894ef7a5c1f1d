//! Times as OpenSSH writes them, read as UTC, and as people read them.

/// Seconds since 1970 of `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, each with or without `Z`.
pub(crate) fn parse_unix_s(text: &str) -> Option<u64> {
    let digits = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| digits.get(from..to).map_or(Some(0), |d| d.parse::<u64>().ok());
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    let time_is_good = hour < 24 && minute < 60 && second < 60;
    if !time_is_good || day == 0 || day > days_in_month(year, month)? {
        return None;
    }
    let days = (1970..year).map(days_in_year).sum::<u64>()
        + (1..month).filter_map(|m| days_in_month(year, m)).sum::<u64>()
        + (day - 1);
    (year >= 1970).then_some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// 9999-12-31T23:59:59Z: the last second that four digits of year can say.
pub(crate) const UNIX_S_MAX: u64 = 253_402_300_799;

/// `YYYY-MM-DDTHH:MM:SSZ`, at most the last second of the year 9999.
pub fn format_unix_s(unix_s: u64) -> String {
    let (days, second) = (unix_s.min(UNIX_S_MAX) / 86_400, unix_s.min(UNIX_S_MAX) % 86_400);
    let (mut year, mut day) = (1970, days);
    while day >= days_in_year(year) {
        day -= days_in_year(year);
        year += 1;
    }
    let mut month = 1;
    while let Some(days) = days_in_month(year, month).filter(|days| day >= *days) {
        day -= days;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", day + 1)
}

/// Seconds since 1970 of a time in one of OpenSSH's forms or in that of [`format_unix_s`].
pub fn read_unix_s(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(char::is_ascii_digit).take(15).collect();
    let unix_s = parse_unix_s(text).or_else(|| parse_unix_s(&digits).filter(|s| format_unix_s(*s) == text))?;
    (unix_s <= UNIX_S_MAX).then_some(unix_s)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in_month(year: u64, month: u64) -> Option<u64> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 if is_leap(year) => Some(29),
        2 => Some(28),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_since_1970() {
        for (text, unix_s) in [
            ("19700101", 0),
            ("19700101Z", 0),
            ("20000229", 951_782_400),
            ("200002291234", 951_827_640),
            ("20241231235959Z", 1_735_689_599),
        ] {
            assert_eq!(parse_unix_s(text), Some(unix_s), "{text}");
        }
    }

    #[test]
    fn times_are_written_for_people_and_read_back() {
        for (unix_s, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_735_689_600, "2025-01-01T00:00:00Z"),
            (UNIX_S_MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(format_unix_s(unix_s), text);
            assert_eq!(read_unix_s(text), Some(unix_s), "{text}");
        }
        assert_eq!(format_unix_s(u64::MAX), format_unix_s(UNIX_S_MAX));
        assert_eq!(read_unix_s("20000229"), Some(951_782_400));
        for text in ["2000-02-29", "2000-02-29T00:00:00", "2000-02-30T00:00:00Z", "2000-02-29 00:00:00Z", "2000/0229"] {
            assert_eq!(read_unix_s(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_second_survives_being_written_and_read(unix_s in 0..=UNIX_S_MAX) {
            proptest::prop_assert_eq!(read_unix_s(&format_unix_s(unix_s)), Some(unix_s));
        }
    }

    #[test]
    fn times_that_do_not_exist_are_refused() {
        for text in [
            "",
            "Z",
            "2020",
            "20201301",
            "20200001",
            "20200100",
            "20190229",
            "202001012400",
            "2020010100",
            "19691231",
            "2020010a",
            "+2020010",
            "20200101T",
        ] {
            assert_eq!(parse_unix_s(text), None, "{text:?}");
        }
    }
}
