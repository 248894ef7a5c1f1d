//! A node is declared gone only when it is, or when its link was not sound; each member hears of it once.

use super::{Checker, Seen};
use odeon::NodeRef;
use std::collections::HashMap;

#[derive(Debug)]
pub(super) struct GoneIsTrueAndToldOnce {
    lease_ms: u64,
    /// Those that are gone, each with whom it was told to.
    declared: HashMap<NodeRef, Told>,
    /// A number for each that was told something.
    numbers: HashMap<NodeRef, usize>,
}

/// Numbers of nodes, a bit for each: every death is told to everyone.
#[derive(Debug, Default)]
struct Told(Vec<u64>);

impl Told {
    /// Whether it is new.
    fn insert(&mut self, number: usize) -> bool {
        let (word, bit) = (number / 64, 1 << (number % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }
}

impl GoneIsTrueAndToldOnce {
    pub(super) fn new(lease_ms: u64) -> Self {
        Self { lease_ms, declared: HashMap::new(), numbers: HashMap::new() }
    }
}

impl Checker for GoneIsTrueAndToldOnce {
    fn name(&self) -> &'static str {
        "gone is true and told once"
    }

    fn observe(&mut self, seen: &Seen) -> Result<(), String> {
        match seen {
            Seen::DeclaredGone { node, sound_for_ms } => {
                if self.declared.insert(*node, Told::default()).is_some() {
                    return Err(format!("{node} was declared gone twice"));
                }
                match sound_for_ms {
                    Some(ms) if *ms > self.lease_ms => {
                        return Err(format!("{node} lives and had a sound link for {ms} ms, but was declared gone"));
                    }
                    _ => {}
                }
            }
            Seen::ToldGone { to, node } => {
                let next = self.numbers.len();
                let number = *self.numbers.entry(*to).or_insert(next);
                let Some(told) = self.declared.get_mut(node) else {
                    return Err(format!("{to} was told that {node} is gone before that was durable"));
                };
                if !told.insert(number) {
                    return Err(format!("{to} was told twice that {node} is gone"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
