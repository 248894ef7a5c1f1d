//! The example's own promises.

use odeon_example_rot13::{registry, rotated};

#[test]
fn what_is_rotated_twice_is_as_it_was() {
    for byte in 0..=255 {
        assert_eq!(rotated(rotated(byte)), byte);
    }
    let all: Vec<u8> = b"Hello, world!".iter().copied().map(rotated).collect();
    assert_eq!(all, b"Uryyb, jbeyq!");
}

#[test]
fn the_manifest_names_the_actors_that_are_exported() {
    let exported: Vec<String> = registry().iter().map(|d| d.name.to_string()).collect();
    let manifest = include_str!("../odeon.toml");
    let named: Vec<&str> = manifest.split("[[actor]]").skip(1).filter_map(|a| a.split('"').nth(1)).collect();
    assert_eq!(named, exported);
}
