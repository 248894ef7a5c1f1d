//! Checks that read, and checks that misbehave.

use odeon::{CapabilityView, Requirements, Value, actor};

/// Accepts nodes in zone eu, and with any requirement only those that have a gpu.
#[derive(Default)]
pub struct CheckReads;

#[actor]
#[require_capability("Has DB access")]
impl CheckReads {
    #[capability_check]
    fn check(capabilities: &dyn CapabilityView, requirements: &Requirements) -> bool {
        capabilities.value("zone") == Some(Value::from("eu"))
            && (requirements.is_empty() || capabilities.is_true("gpu"))
    }
}

/// Panics in its check.
#[derive(Default)]
pub struct CheckPanics;

#[actor]
impl CheckPanics {
    #[capability_check]
    fn check(capabilities: &dyn CapabilityView, _: &Requirements) -> bool {
        capabilities.value("zone").map(|_| true).expect("every node is in a zone")
    }
}

/// Never ends its check.
#[derive(Default)]
pub struct CheckLoops;

#[actor]
impl CheckLoops {
    #[capability_check]
    fn check(_: &dyn CapabilityView, _: &Requirements) -> bool {
        crate::run_for_ever()
    }
}

/// Takes all memory in its check.
#[derive(Default)]
pub struct CheckAllocates;

#[actor]
impl CheckAllocates {
    #[capability_check]
    fn check(_: &dyn CapabilityView, _: &Requirements) -> bool {
        crate::allocate_for_ever()
    }
}
