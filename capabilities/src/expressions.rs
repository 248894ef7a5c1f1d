//! Parsed expressions by their text: to parse one costs more than to evaluate it on a dozen maps.

use crate::fixed_hash::FixedMap;
use crate::{Expression, RequirementsError};
use std::collections::VecDeque;
use std::sync::Arc;

/// The expressions that were parsed last. Bounded: the oldest are forgotten.
#[derive(Debug)]
pub(crate) struct Expressions {
    entries_max: usize,
    by_text: FixedMap<Arc<str>, Arc<Expression>>,
    oldest: VecDeque<Arc<str>>,
}

impl Expressions {
    pub(crate) fn new(entries_max: usize) -> Self {
        Expressions { entries_max, by_text: FixedMap::default(), oldest: VecDeque::new() }
    }

    /// The parsed form of a text. What does not parse is not kept.
    pub(crate) fn parse(&mut self, text: &str) -> Result<Arc<Expression>, RequirementsError> {
        if let Some(known) = self.by_text.get(text) {
            return Ok(Arc::clone(known));
        }
        let parsed = Arc::new(Expression::parse(text)?);
        let text: Arc<str> = text.into();
        self.by_text.insert(Arc::clone(&text), Arc::clone(&parsed));
        self.oldest.push_back(text);
        if self.oldest.len() > self.entries_max
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.by_text.remove(&oldest);
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parsed_once_while_it_is_remembered_and_no_more_than_the_limit_are() {
        let mut expressions = Expressions::new(2);
        let first = expressions.parse("gpu > 1").unwrap();
        assert!(Arc::ptr_eq(&first, &expressions.parse("gpu > 1").unwrap()));
        assert!(expressions.parse("gpu >").is_err());
        expressions.parse("gpu > 2").unwrap();
        expressions.parse("gpu > 3").unwrap();
        assert_eq!((expressions.by_text.len(), expressions.oldest.len()), (2, 2));
        let again = expressions.parse("gpu > 1").unwrap();
        assert!(!Arc::ptr_eq(&first, &again) && again.text() == first.text());
    }
}
