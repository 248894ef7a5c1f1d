//! Actors that misbehave inside an image: what the wasm runtime has to bound, and say so.

mod checks;
mod constructors;
mod gauge;
mod judge;
mod loader;
mod rogue;
mod troupe;
mod watcher;

pub use checks::{CheckAllocates, CheckLoops, CheckPanics, CheckReads};
pub use constructors::{ConstructorFails, ConstructorLoops, ConstructorPanics};
pub use gauge::NodeGauge;
pub use judge::{Accomplice, Judge};
pub use loader::{Load, Loader, Unload};
pub use rogue::{Many, Rogue};
pub use troupe::{Asks, Done, Foreman, Job, Squarer, Word};
pub use watcher::Watcher;

odeon::export!(
    Rogue,
    CheckReads,
    CheckPanics,
    CheckLoops,
    CheckAllocates,
    ConstructorPanics,
    ConstructorLoops,
    ConstructorFails,
    Watcher,
    NodeGauge,
    Judge,
    Accomplice,
    Loader,
    Foreman,
    odeon::Troupe<Squarer>,
    odeon::TroupeWorker<Squarer>,
);

/// Never returns, and cannot be proved not to.
pub(crate) fn run_for_ever() -> ! {
    let mut n = 0_u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}

/// Takes memory until there is none left.
pub(crate) fn allocate_for_ever() -> ! {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    loop {
        taken.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}
