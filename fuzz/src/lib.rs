//! What must hold for whatever bytes come from outside: one function a fuzz target, so that the seeds and every
//! finding can be replayed without a fuzzer. A function that returns has found nothing.

use odeon_capabilities::{CapabilityMap, Expression, parse_assignment};
use odeon_convention::wire::{ToLeader, ToMember, Word, decode, encode};
use odeon_sourceauth::limits::{ACTORS_MAX, INCLUDE_MAX, REQUIRE_MAX};
use odeon_sourceauth::{AllowedSigners, Image, Manifest, Signature, Version, check_name, verify};
use std::sync::LazyLock;

/// A target by the name of its folder of seeds.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 5] =
    [("expression", expression), ("image", image), ("manifest", manifest), ("signature", signature), ("wire", wire)];

static MAP: LazyLock<CapabilityMap> = LazyLock::new(|| {
    let mut map = CapabilityMap::new();
    for text in [
        "gpu=2",
        "ram=64.0",
        "zone=eu-1",
        "ssd",
        "hdd=false",
        "Has DB access",
        r#"tags=["a","b",["c"]]"#,
        r#"limits={"cpu":4,"nested":{"ram":8}}"#,
    ] {
        let (key, value) = parse_assignment(text).expect("an assignment");
        map.set(key, value).expect("a capability");
    }
    map
});

/// Any text as an expression on a map of every kind of value: it parses or it does not, it answers twice the same,
/// and it never panics, hangs or overflows the stack.
pub fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = parse_assignment(text);
    let Ok(expression) = Expression::parse(text) else { return };
    let first = expression.check(&MAP);
    assert_eq!(first, expression.check(&MAP), "one question, one answer");
    let Some(reads) = expression.reads(&MAP) else { return };
    assert!(reads.agree(&MAP));
    let mut other = MAP.clone();
    other.set("never read", 1).expect("a capability");
    if reads.agree(&other) {
        assert_eq!(first, expression.check(&other), "what was not read does not matter");
    }
}

/// Any bytes are an image whose files can all be read, or an error.
pub fn image(bytes: &[u8]) {
    let Ok(image) = Image::open(bytes) else { return };
    for file in image.files() {
        assert!(image.read(file).is_ok(), "{file:?} was checked when the image was opened");
    }
    assert!(image.code().is_ok());
}

/// Any text is a manifest within its limits, or an error.
pub fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(manifest) = Manifest::parse(text) else { return };
    assert!((1..=ACTORS_MAX).contains(&manifest.actors.len()));
    assert!(manifest.actors.iter().all(|a| a.require.len() <= REQUIRE_MAX));
    assert!(manifest.include.len() <= INCLUDE_MAX);
    assert!(check_name(&manifest.code).is_ok());
    assert!(manifest.version >= Version::none());
}

/// Any texts are a signature and, after a NUL, allowed signers, or errors; a signature that nobody made verifies
/// nothing.
pub fn signature(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (signature, signers) = text.split_once('\0').unwrap_or((text, text));
    let parsed = Signature::parse(signature);
    let Ok(allowed) = AllowedSigners::parse(signers) else { return };
    assert!(!allowed.signers().is_empty());
    if parsed.is_ok() {
        for now_unix_s in [0, 1_800_000_000, u64::MAX] {
            assert!(verify(b"an image that nobody signed", signature, &allowed, now_unix_s).is_err());
        }
    }
}

/// Whatever bytes a peer sends, the decoder gives a message or an error, and a message is written as it was read.
pub fn wire(bytes: &[u8]) {
    if let Ok(message) = decode::<ToLeader>(bytes) {
        let again = encode(&message).and_then(|bytes| decode::<ToLeader>(&bytes));
        assert_eq!(again.as_ref(), Ok(&message));
    }
    if let Ok(message) = decode::<ToMember>(bytes) {
        let again = encode(&message).and_then(|bytes| decode::<ToMember>(&bytes));
        assert_eq!(again.as_ref(), Ok(&message));
    }
    if let Ok(word) = decode::<Word>(bytes) {
        let again = encode(&word).and_then(|bytes| decode::<Word>(&bytes));
        assert_eq!(again.as_ref(), Ok(&word));
    }
}
