//! Any text is a manifest within its limits, or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odeon_sourceauth::limits::{ACTORS_MAX, INCLUDE_MAX, REQUIRE_MAX};
use odeon_sourceauth::{Manifest, check_name};

fuzz_target!(|text: &str| {
    let Ok(manifest) = Manifest::parse(text) else { return };
    assert!((1..=ACTORS_MAX).contains(&manifest.actors.len()));
    assert!(manifest.actors.iter().all(|a| a.require.len() <= REQUIRE_MAX));
    assert!(manifest.include.len() <= INCLUDE_MAX);
    assert!(check_name(&manifest.code).is_ok());
    assert!(manifest.version >= odeon_sourceauth::Version::none());
});
