//! Constructors that misbehave.

use odeon::{Failure, actor};

/// Panics when it is built.
pub struct ConstructorPanics;

#[actor]
impl ConstructorPanics {
    #[constructor]
    fn new() -> Self {
        panic!("no ground to build on")
    }
}

/// Is never done being built.
pub struct ConstructorLoops;

#[actor]
impl ConstructorLoops {
    #[constructor]
    fn new() -> Self {
        crate::run_for_ever()
    }
}

/// Refuses to be built.
pub struct ConstructorFails;

#[actor]
impl ConstructorFails {
    #[constructor]
    fn new() -> Result<Self, Failure> {
        Err(Failure::new("not today"))
    }
}
