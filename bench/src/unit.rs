//! What a figure is measured in, how it is written, and which way is better.

/// A unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things in a second: more is better.
    PerSecond,
    /// Nanoseconds, written in the unit that reads best: less is better.
    Nanoseconds,
    /// Bytes: less is better.
    Bytes,
}

impl Unit {
    /// How many times better the first is than the second.
    pub fn advantage(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Unit::PerSecond => ours / theirs,
            Unit::Nanoseconds | Unit::Bytes => theirs / ours,
        }
    }

    /// A figure with three digits that count.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::PerSecond if value >= 1e6 => format!("{}M", digits(value / 1e6)),
            Unit::PerSecond if value >= 1e3 => format!("{}k", digits(value / 1e3)),
            Unit::PerSecond => digits(value),
            Unit::Nanoseconds if value >= 1e6 => format!("{} ms", digits(value / 1e6)),
            Unit::Nanoseconds if value >= 1e3 => format!("{} us", digits(value / 1e3)),
            Unit::Nanoseconds => format!("{value:.0} ns"),
            Unit::Bytes => thousands(value),
        }
    }
}

/// A number with about three digits.
pub fn digits(value: f64) -> String {
    let places = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.places$}")
}

fn thousands(value: f64) -> String {
    let whole = value.round() as i64;
    if whole.abs() < 1000 { whole.to_string() } else { format!("{},{:03}", whole / 1000, (whole % 1000).abs()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_the_unit_that_reads_best() {
        let shown = [
            Unit::PerSecond.show(21_840_000.0),
            Unit::PerSecond.show(28_400.0),
            Unit::Nanoseconds.show(412.0),
            Unit::Nanoseconds.show(62_130.0),
            Unit::Bytes.show(1_719.0),
        ];
        assert_eq!(shown, ["21.8M", "28.4k", "412 ns", "62.1 us", "1,719"]);
    }

    #[test]
    fn an_advantage_above_one_is_ours_whichever_way_is_better() {
        assert_eq!(Unit::PerSecond.advantage(20.0, 10.0), 2.0);
        assert_eq!(Unit::Nanoseconds.advantage(20.0, 10.0), 0.5);
    }
}
