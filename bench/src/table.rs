//! Results as Markdown: the ratios, the figures behind them, and whether the aims are reached.

use crate::rounds::Results;
use crate::unit::digits;
use std::fmt::Write;

/// Something that we want to be true.
pub struct Aim {
    /// What is compared.
    pub what: String,
    /// What was found; none when it was not measured.
    pub found: Option<f64>,
    /// How it has to be.
    pub wanted: Wanted,
}

/// A bound of an aim.
#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

/// Rows of a table; the first is its head.
pub fn table(rows: &[Vec<String>]) -> String {
    let mut out = String::new();
    for (number, row) in rows.iter().enumerate() {
        let _ = writeln!(out, "| {} |", row.join(" | "));
        if number == 0 {
            let _ = writeln!(out, "|{}", " --- |".repeat(row.len()));
        }
    }
    out
}

/// How many times better the first contestant is than each other one, by the medians.
pub fn ratios(results: &Results) -> String {
    let Some((ours, peers)) = results.contestants.split_first() else { return String::new() };
    let mut rows = vec![vec![format!("{ours} is better by")]];
    rows[0].extend(peers.iter().map(|peer| format!("than {peer}")));
    for (figure, spreads) in &results.rows {
        let mut row = vec![figure.name.clone()];
        let own = spreads.first().map_or(f64::NAN, |spread| spread.median);
        row.extend(
            spreads.iter().skip(1).map(|theirs| format!("{}x", digits(figure.unit.advantage(own, theirs.median)))),
        );
        rows.push(row);
    }
    table(&rows)
}

/// The medians, with minimum and maximum.
pub fn figures(results: &Results) -> String {
    let mut rows = vec![vec!["median (min to max)".to_owned()]];
    rows[0].extend(results.contestants.iter().cloned());
    for (figure, spreads) in &results.rows {
        let mut row = vec![figure.name.clone()];
        row.extend(spreads.iter().map(|s| {
            let [median, min, max] = [s.median, s.min, s.max].map(|value| figure.unit.show(value));
            format!("{median} ({min} to {max})")
        }));
        rows.push(row);
    }
    table(&rows)
}

/// The aims, each with what was found.
pub fn aims(aims: &[Aim]) -> String {
    let mut rows = vec![["aim", "wanted", "found", ""].map(str::to_owned).to_vec()];
    for Aim { what, found, wanted } in aims {
        let (bound, reached) = match wanted {
            Wanted::AtLeast(least) => (format!("at least {least}"), found.map(|found| found >= *least)),
            Wanted::AtMost(most) => (format!("at most {most}"), found.map(|found| found <= *most)),
        };
        let reached = match reached {
            Some(true) => "reached",
            Some(false) => "**not reached**",
            None => "not measured",
        };
        rows.push(vec![what.clone(), bound, found.map_or_else(String::new, digits), reached.to_owned()]);
    }
    table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds::Figure;
    use crate::unit::Unit;

    fn results() -> Results {
        let mut results = Results::new(["odeon", "peer"]);
        let figures = vec![Figure::new("tell", Unit::PerSecond), Figure::new("ask", Unit::Nanoseconds)];
        let sample = |contestant: usize| Ok(vec![[2e6, 1e6][contestant], [200.0, 100.0][contestant]]);
        results.measure(1, figures, sample).unwrap();
        results
    }

    #[test]
    fn ratios_above_one_are_ours() {
        let expected = "| odeon is better by | than peer |\n| --- | --- |\n| tell | 2.00x |\n| ask | 0.50x |\n";
        assert_eq!(ratios(&results()), expected);
    }

    #[test]
    fn aims_say_whether_they_are_reached() {
        let found = aims(&[
            Aim { what: "a".into(), found: Some(2.0), wanted: Wanted::AtLeast(1.5) },
            Aim { what: "b".into(), found: Some(2.0), wanted: Wanted::AtMost(1.25) },
            Aim { what: "c".into(), found: None, wanted: Wanted::AtMost(1.0) },
        ]);
        let ends: Vec<&str> = found.lines().skip(2).filter_map(|line| line.split(" | ").last()).collect();
        assert_eq!(ends, ["reached |", "**not reached** |", "not measured |"]);
    }
}
