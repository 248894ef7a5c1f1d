//! Odeon's peers inside one process, beside Odeon: the figures of the section `local` of `docs/benchmarks.md`.
//!
//! How contestants take turns is the business of [`odeon_bench`]; start with [`local`] for what they do.

pub mod local;
