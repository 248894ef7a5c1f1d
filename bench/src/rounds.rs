//! Contestants take turns, A B C A B C, so that a machine whose speed drifts is fair to all of them.

use crate::spread::Spread;
use crate::unit::Unit;
use anyhow::{Result, ensure};

/// One number of a sample.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// What it is measured in.
    pub unit: Unit,
}

impl Figure {
    /// A figure.
    pub fn new(name: impl Into<String>, unit: Unit) -> Self {
        Self { name: name.into(), unit }
    }
}

/// What the rounds gave.
#[derive(Debug, Default)]
pub struct Results {
    /// The contestants; the first is ours.
    pub contestants: Vec<String>,
    /// Each figure with its spread for each contestant, in their order.
    pub rows: Vec<(Figure, Vec<Spread>)>,
}

impl Results {
    /// For these contestants, of which the first is ours.
    pub fn new<S: Into<String>>(contestants: impl IntoIterator<Item = S>) -> Self {
        Self { contestants: contestants.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Runs the rounds of one measure. `sample` takes a contestant's number and gives one number for each figure.
    pub fn measure(
        &mut self,
        rounds: usize,
        figures: Vec<Figure>,
        mut sample: impl FnMut(usize) -> Result<Vec<f64>>,
    ) -> Result<()> {
        let mut samples = vec![vec![Vec::new(); self.contestants.len()]; figures.len()];
        for round in 0..rounds {
            for (contestant, name) in self.contestants.iter().enumerate() {
                let numbers = sample(contestant)?;
                let (found, expected) = (numbers.len(), figures.len());
                ensure!(found == expected, "a sample of {name} has {found} numbers, expected {expected}");
                for ((number, figure), of) in numbers.iter().zip(&figures).zip(&mut samples) {
                    of[contestant].push(*number);
                    let shown = figure.unit.show(*number);
                    eprintln!("{}, {name}, round {} of {rounds}: {shown}", figure.name, round + 1);
                }
            }
        }
        for (figure, of) in figures.into_iter().zip(samples) {
            let spreads: Vec<Spread> = of.iter().filter_map(|samples| Spread::of(samples)).collect();
            self.rows.push((figure, spreads));
        }
        Ok(())
    }

    /// The median of a figure for a contestant, when both are there.
    pub fn median(&self, figure: &str, contestant: &str) -> Option<f64> {
        let at = self.contestants.iter().position(|name| name == contestant)?;
        let (_, spreads) = self.rows.iter().find(|(f, _)| f.name == figure)?;
        spreads.get(at).map(|spread| spread.median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contestants_take_turns_and_each_has_its_own_median() {
        let mut results = Results::new(["ours", "theirs"]);
        let mut turns = Vec::new();
        let figures = vec![Figure::new("tell", Unit::PerSecond)];
        let sample = |contestant: usize| {
            turns.push(contestant);
            Ok(vec![(turns.len() * 10) as f64])
        };
        results.measure(3, figures, sample).unwrap();
        assert_eq!(turns, [0, 1, 0, 1, 0, 1]);
        assert_eq!(results.median("tell", "ours"), Some(30.0));
        assert_eq!(results.median("tell", "theirs"), Some(40.0));
        assert_eq!(results.median("ask", "ours"), None);
    }

    #[test]
    fn a_sample_that_fails_or_says_too_little_fails_the_run() {
        let figures = || vec![Figure::new("tell", Unit::PerSecond)];
        assert!(Results::new(["ours"]).measure(1, figures(), |_| Ok(vec![])).is_err());
        assert!(Results::new(["ours"]).measure(1, figures(), |_| Err(anyhow::anyhow!("lost one"))).is_err());
    }
}
