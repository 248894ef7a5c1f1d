//! The seeds of the fuzz targets, and whatever a fuzzer has found, replayed by the ordinary compiler.
#![allow(clippy::unwrap_used)]

#[allow(unreachable_pub, reason = "it is in a crate of its own in fuzz/")]
#[path = "../../fuzz/src/links.rs"]
mod links;
#[allow(unreachable_pub, reason = "it is in a crate of its own in fuzz/")]
#[path = "../../fuzz/src/parsers.rs"]
mod parsers;

use odeon::process::{FromChild, ToChild};
use odeon_capabilities::Expression;
use odeon_convention::spreading::{Ask, Reply};
use odeon_convention::wire::{ToLeader, ToMember, Word, decode};
use odeon_node::link::limits::{RELAYED_PACKET_BYTES_MAX, TCP_PACKET_BYTES_MAX};
use odeon_sourceauth::{AllowedSigners, Image, Manifest, Signature, Statement};
use std::path::PathBuf;

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(format!("{}/../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR")))
}

#[test]
fn no_seed_of_any_target_is_a_finding() {
    for (target, check) in parsers::TARGETS.into_iter().chain(links::TARGETS) {
        let seeds: Vec<_> = std::fs::read_dir(corpus(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(seeds.len() >= 2, "{target} has {} seeds", seeds.len());
        for seed in seeds {
            println!("{}", seed.display());
            check(&std::fs::read(&seed).unwrap());
        }
    }
}

#[test]
fn the_seeds_get_past_the_first_look_of_what_they_are_for() {
    let bytes = |target, seed| std::fs::read(corpus(target).join(seed)).unwrap();
    let text = |target, seed| String::from_utf8(bytes(target, seed)).unwrap();
    for seed in ["stored", "deflated"] {
        assert_eq!(Image::open(bytes("image", seed)).unwrap().files().count(), 3, "{seed}");
    }
    for seed in ["smallest", "everything", "script", "by-architecture"] {
        Manifest::parse(&text("manifest", seed)).unwrap();
    }
    for seed in ["ed25519", "ecdsa"] {
        let both = text("signature", seed);
        let (signature, signers) = both.split_once('\0').unwrap();
        Signature::parse(signature).unwrap();
        assert_eq!(AllowedSigners::parse(signers).unwrap().signers().len(), 2, "{seed}");
    }
    for seed in ["smallest", "with-times"] {
        text("statement", seed).parse::<Statement>().unwrap();
    }
    for seed in ["times-in-the-wrong-order", "no-such-day", "other-version"] {
        text("statement", seed).parse::<Statement>().unwrap_err();
    }
    for seed in ["ask-list", "ask-chunk", "ask-none-left", "take", "leave"] {
        Ask::decode(&bytes("chunks", seed)).unwrap();
    }
    for seed in ["list-of-two", "offer", "refused"] {
        Reply::decode(&bytes("chunks", seed)).unwrap();
    }
    for seed in ["ask-chunk-cut", "list-too-long", "list-cut", "refused-no-text"] {
        let bytes = bytes("chunks", seed);
        assert!(Ask::decode(&bytes).is_err() && Reply::decode(&bytes).is_err(), "{seed}");
    }
    for seed in ["create", "placed", "register", "renew", "watch", "watch-since"] {
        decode::<ToLeader>(&bytes("wire", seed)).unwrap();
    }
    decode::<ToMember>(&bytes("wire", "watched")).unwrap();
    for (seed, count) in [("hello-described", 2), ("message", 9), ("check", 3), ("cut", 0), ("unknown", 0)] {
        let stream = bytes("process", seed);
        let mut stream = stream.as_slice();
        let frames = std::iter::from_fn(|| odeon::process::read::<FromChild>(&mut stream).ok().flatten());
        assert_eq!(frames.filter(|frame| frame.check().is_ok()).count(), count, "{seed}");
    }
    for seed in ["receive", "capability"] {
        odeon::process::decode::<ToChild>(&bytes("process", seed)).unwrap();
    }
    for seed in ["word-create", "word-placed", "word-register", "word-renew", "word-watch", "word-watched"] {
        decode::<Word>(&bytes("wire", seed)).unwrap();
    }
    for (seed, count) in [("to-the-peer", 2), ("to-anybody", 4), ("too-long", 1), ("cut", 1), ("cut-in-the-id", 1)] {
        let packets = bytes("relay", seed);
        let packets = links::packets::<16>(&packets, RELAYED_PACKET_BYTES_MAX);
        assert_eq!((packets.len(), packets.last().unwrap().0), (count, links::PEER.0), "{seed}");
    }
    for (seed, count) in [("two", 2), ("empty-between", 3), ("longest", 2), ("too-long", 1), ("cut", 1)] {
        assert_eq!(links::packets::<0>(&bytes("tcp", seed), TCP_PACKET_BYTES_MAX).len(), count, "{seed}");
    }
    for seed in ["any-key", "comparisons", "lists-and-maps"] {
        Expression::parse(&text("expression", seed)).unwrap();
    }
}
