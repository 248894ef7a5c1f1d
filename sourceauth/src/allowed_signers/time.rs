//! Times as OpenSSH writes them, read as UTC.

/// Seconds since 1970 of `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, each with or without `Z`.
pub(super) fn parse_unix_s(text: &str) -> Option<u64> {
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
