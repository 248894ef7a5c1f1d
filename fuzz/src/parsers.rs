//! What must hold for whatever bytes a part takes that stands by itself.

use odeon::process::limits::{ACTORS_MAX as DESCRIBED_MAX, FRAME_BYTES_MAX};
use odeon::process::{FromChild, ToChild};
use odeon_capabilities::{CapabilityMap, Expression, parse_assignment};
use odeon_convention::spreading::{Ask, Chunks, Reply, Served, WORD_BYTES_MAX};
use odeon_convention::wire::{ToLeader, ToMember, Word, decode, encode};
use odeon_sourceauth::limits::{ACTORS_MAX, INCLUDE_MAX, REQUIRE_MAX, STATEMENT_BYTES_MAX};
use odeon_sourceauth::{Image, Keyring, Manifest, Signature, Statement, Version, check_name};
use std::sync::LazyLock;

/// A target by the name of its folder of seeds.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 8] = [
    ("chunks", chunks),
    ("expression", expression),
    ("image", image),
    ("manifest", manifest),
    ("process", process),
    ("signature", signature),
    ("statement", statement),
    ("wire", wire),
];

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
    assert!(image.manifest().code.files().all(|file| image.read(file).is_ok()));
}

/// Any text is a manifest within its limits, or an error.
pub fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(manifest) = Manifest::parse(text) else { return };
    assert!((1..=ACTORS_MAX).contains(&manifest.actors.len()));
    assert!(manifest.actors.iter().all(|a| a.require.len() <= REQUIRE_MAX));
    assert!(manifest.include.len() <= INCLUDE_MAX);
    assert!(manifest.code.files().count() > 0 && manifest.code.files().all(|file| check_name(file).is_ok()));
    assert!(manifest.version >= Version::none());
}

/// Whatever a process or its node says is frames within their limits, which come back as they were, up to an error.
pub fn process(bytes: &[u8]) {
    let mut stream = bytes;
    while let Ok(Some(frame)) = odeon::process::read::<FromChild>(&mut stream) {
        if let (FromChild::Described { actors, .. }, Ok(())) = (&frame, frame.check()) {
            assert!(actors.len() <= DESCRIBED_MAX);
        }
        let again = odeon::process::encode(&frame).expect("it was a frame");
        assert!(again.len() <= FRAME_BYTES_MAX + 4);
        assert_eq!(odeon::process::decode::<FromChild>(&again[4..]).expect("it is one"), frame);
    }
    if let Ok(frame) = odeon::process::decode::<ToChild>(bytes) {
        let again = odeon::process::encode(&frame).expect("it was a frame");
        assert_eq!(odeon::process::decode::<ToChild>(&again[4..]).expect("it is one"), frame);
    }
}

/// An image that nobody signed.
static UNSIGNED: LazyLock<Image> =
    LazyLock::new(|| Image::open(include_bytes!("../corpus/image/stored").as_slice()).expect("an image"));

/// Any texts are a signature and, after a NUL, allowed signers, or errors; a signature that nobody made verifies
/// nothing.
pub fn signature(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (signature, signers) = text.split_once('\0').unwrap_or((text, text));
    let parsed = Signature::parse(signature);
    let Ok(keyring) = Keyring::parse(signers, 1) else { return };
    assert!(!keyring.allowed().signers().is_empty());
    if parsed.is_ok() {
        for now_unix_s in [0, 1_800_000_000, u64::MAX] {
            assert!(keyring.approve(&UNSIGNED, &[signature.to_owned()], now_unix_s).is_err());
        }
    }
}

/// Any text is a statement that is written as it was read, or an error; it has a name and a version of an image, and its
/// times are in order.
pub fn statement(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(statement) = text.parse::<Statement>() else { return };
    assert_eq!(statement.to_string(), text);
    assert!(text.len() <= STATEMENT_BYTES_MAX && Statement::is_meant(text));
    assert!(statement.not_after_unix_s.is_none_or(|after| statement.not_before_unix_s.is_none_or(|b| b <= after)));
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

/// Whatever a peer says on a stream of chunks, it is a word or an error, and a word is written as it was read; what is
/// offered to a question is one of the chunks that were asked for.
pub fn chunks(bytes: &[u8]) {
    if let Ok(ask) = Ask::decode(bytes) {
        assert_eq!(ask.encode(), bytes);
        if let Ask::Chunk { lacks, .. } = ask {
            let here = Chunks::first(100);
            match Served::new(1).offer(&here, &lacks) {
                Some(number) => assert!(lacks.contains(number) && here.contains(number)),
                None => assert!(lacks.iter().all(|number| !here.contains(number))),
            }
        }
    }
    if let Ok(reply) = Reply::decode(bytes) {
        assert_eq!(reply.encode(), bytes);
        assert!(bytes.len() <= WORD_BYTES_MAX);
    }
}
