//! Requirements, parsed once and checked against many maps. It does not choose among nodes that fit.

use crate::{CapabilityMap, Expression, Reads, Refusal, Requirements, RequirementsError, Value, limits};
use std::sync::Arc;

/// Requirements in a form that is fast to check, with everything in them bounded and parsed.
///
/// ```
/// use odeon_capabilities::{CapabilityMap, Matcher, Requirements};
///
/// let wanted = Requirements::none()
///     .require("Has DB access")
///     .equal("zone", "eu-1")
///     .expression("gpu > 2")
///     .prefer("has(cap.ssd) && ssd", 10);
/// let matcher = Matcher::new(&wanted)?;
///
/// let mut map = CapabilityMap::new();
/// map.set("zone", "us-1")?;
/// map.set("gpu", 2)?;
/// let why: Vec<String> = matcher.refusals(&map).iter().map(ToString::to_string).collect();
/// assert_eq!(
///     why,
///     [
///         r#"lacks capability "Has DB access""#,
///         r#"capability "zone" is "us-1", not "eu-1""#,
///         "where gpu > 2 is false",
///     ]
/// );
/// map.set("ssd", true)?;
/// assert_eq!(matcher.score(&map), 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Matcher {
    require: Vec<String>,
    equal: Vec<(String, Value)>,
    expression: Option<Arc<Expression>>,
    prefer: Vec<(Arc<Expression>, u32)>,
}

impl Matcher {
    /// Parses requirements and checks them against [`limits`].
    pub fn new(requirements: &Requirements) -> Result<Self, RequirementsError> {
        Self::with(requirements, |text| Expression::parse(text).map(Arc::new))
    }

    /// The same with expressions that may be parsed already.
    pub(crate) fn with(
        requirements: &Requirements,
        mut parse: impl FnMut(&str) -> Result<Arc<Expression>, RequirementsError>,
    ) -> Result<Self, RequirementsError> {
        let found = requirements.require.len() + requirements.equal.len();
        if found > limits::REQUIREMENTS_MAX {
            return Err(RequirementsError::TooMany { found, max: limits::REQUIREMENTS_MAX });
        }
        let found = requirements.prefer.len();
        if found > limits::PREFERENCES_MAX {
            return Err(RequirementsError::TooManyPreferences { found, max: limits::PREFERENCES_MAX });
        }
        let mut keys = requirements.require.iter().chain(requirements.equal.keys());
        // No map can have such a key: it is a mistake, and its sentence would have no bound.
        if let Some(key) = keys.find(|key| key.is_empty() || key.len() > limits::KEY_BYTES_MAX) {
            return Err(RequirementsError::Key { bytes: key.len(), max: limits::KEY_BYTES_MAX });
        }
        let names: usize = requirements.require.iter().map(String::len).sum();
        let pairs: usize = requirements.equal.iter().map(|(key, value)| key.len() + value.weight_bytes()).sum();
        let bytes = names + pairs;
        if bytes > limits::REQUIREMENTS_BYTES_MAX {
            return Err(RequirementsError::TooLarge { bytes, max: limits::REQUIREMENTS_BYTES_MAX });
        }
        let mut require = requirements.require.clone();
        // Asked for twice is lacking once.
        require.sort_unstable();
        require.dedup();
        Ok(Matcher {
            require,
            equal: requirements.equal.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            expression: requirements.expression.as_deref().map(&mut parse).transpose()?,
            prefer: requirements
                .prefer
                .iter()
                .map(|p| Ok((parse(&p.expression)?, p.weight)))
                .collect::<Result<_, RequirementsError>>()?,
        })
    }

    /// Whether a map fits.
    pub fn accepts(&self, map: &CapabilityMap) -> bool {
        self.require.iter().all(|key| has(map, key))
            && self.equal.iter().all(|(key, value)| map.value(key) == Some(value))
            && self.expression.as_ref().is_none_or(|e| e.holds(map))
    }

    /// The score of a map that fits; none for one that does not.
    pub(crate) fn judge(&self, map: &CapabilityMap) -> Option<u32> {
        self.accepts(map).then(|| self.score(map))
    }

    /// Everything that a map does not fulfil, in a fixed order; nothing when it fits.
    pub fn refusals(&self, map: &CapabilityMap) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        for key in self.require.iter().filter(|key| !has(map, key)) {
            refusals.push(Refusal::Lacks { capability: key.clone() });
        }
        for (key, expected) in &self.equal {
            match map.value(key) {
                Some(found) if found == expected => {}
                Some(found) => refusals.push(Refusal::Differs {
                    capability: key.clone(),
                    found: found.clone(),
                    expected: expected.clone(),
                }),
                None => refusals.push(Refusal::LacksValue { capability: key.clone(), expected: expected.clone() }),
            }
        }
        refusals.extend(self.expression.as_ref().and_then(|e| e.check(map).err()));
        refusals
    }

    /// How much better than another a node with this map is: the weights of the preferences that hold, added up.
    pub fn score(&self, map: &CapabilityMap) -> u32 {
        self.prefer.iter().filter(|(e, _)| e.holds(map)).fold(0, |sum, (_, weight)| sum.saturating_add(*weight))
    }

    /// What decides, on this map, whether it fits and its score: both are the same on every map that agrees on these
    /// keys. None when an expression looks at the map as a whole.
    pub fn reads(&self, map: &CapabilityMap) -> Option<Reads> {
        let mut reads = Reads::default();
        for key in self.require.iter().chain(self.equal.iter().map(|(key, _)| key)) {
            reads.0.insert(key.clone(), map.value(key).cloned());
        }
        for expression in self.expression.iter().chain(self.prefer.iter().map(|(e, _)| e)) {
            reads.0.extend(expression.reads(map)?.0);
        }
        Some(reads)
    }

    /// The keys that [`reads`](Self::reads) looks at; none when an expression looks at the map as a whole.
    pub(crate) fn keys(&self) -> Option<Vec<&str>> {
        let mut keys: Vec<&str> = self.require.iter().map(String::as_str).collect();
        keys.extend(self.equal.iter().map(|(key, _)| key.as_str()));
        for expression in self.expression.iter().chain(self.prefer.iter().map(|(e, _)| e)) {
            keys.extend(expression.keys()?);
        }
        keys.sort_unstable();
        keys.dedup();
        Some(keys)
    }

    /// The keys that must be true.
    pub(crate) fn required(&self) -> &[String] {
        &self.require
    }

    /// The keys that must have a value.
    pub(crate) fn equalities(&self) -> &[(String, Value)] {
        &self.equal
    }
}

fn has(map: &CapabilityMap, key: &str) -> bool {
    map.value(key).is_some_and(Value::is_true)
}

#[cfg(test)]
mod tests;
