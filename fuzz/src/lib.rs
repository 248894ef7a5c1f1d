//! What must hold for whatever bytes come from outside: one function a fuzz target, so that the seeds and every
//! finding can be replayed without a fuzzer. A function that returns has found nothing.

#[cfg(feature = "node")]
pub mod links;
pub mod parsers;
