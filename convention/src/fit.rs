//! Whether a capability map fits what an actor needs: the one place where the machines meet the matcher.

use odeon_capabilities::{CapabilityMap, Requirements, RequirementsError, Value};

/// Requirements that were understood.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    requirements: Requirements,
}

impl Wish {
    pub(crate) fn parse(requirements: &Requirements) -> Result<Self, RequirementsError> {
        Ok(Self { requirements: requirements.clone() })
    }

    /// Everything that `map` lacks, of what the creator asks and of what the actor's type requires.
    pub(crate) fn lacks(&self, map: &CapabilityMap, required: &[String]) -> Vec<String> {
        let mut lacks = Vec::new();
        for key in required.iter().chain(&self.requirements.require) {
            if !map.value(key).is_some_and(Value::is_true) {
                lacks.push(format!("lacks capability {key:?}"));
            }
        }
        for (key, value) in &self.requirements.equal {
            if map.value(key) != Some(value) {
                lacks.push(format!("capability {key:?} is not as required"));
            }
        }
        lacks
    }

    /// What the preferences that hold in `map` add up to.
    pub(crate) fn score(&self, _map: &CapabilityMap) -> u64 {
        0
    }
}
