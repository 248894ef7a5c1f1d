//! Zips that mean harm: each is refused with its own error, before anything of it is unpacked.
#![allow(clippy::unwrap_used)] // a step that fails is the failure of the test

mod raw_zip;

use odeon_sourceauth::limits::*;
use odeon_sourceauth::{HeaderField, Image, ImageError, ManifestError, NameError};
use proptest::prelude::*;
use raw_zip::{Entry, crc32, zip, zip_with_end};
use std::io::Write;
use zip::write::SimpleFileOptions;

const MANIFEST: &str =
    "name = \"hello\"\nversion = \"1.0.0\"\nruntime = \"wasm\"\ncode = \"hello.wasm\"\n[[actor]]\nname = \"Hello\"\n";

fn good_and(more: Vec<Entry>) -> Vec<Entry> {
    let good = [Entry::stored("odeon.toml", MANIFEST.as_bytes()), Entry::stored("hello.wasm", b"\0asm code")];
    good.into_iter().chain(more).collect()
}

/// A zip by the library, whose third entry is deflated.
fn deflated(name: &str, data: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let entries = [("odeon.toml", MANIFEST.as_bytes()), ("hello.wasm", b"\0asm code"), (name, data)];
    for (name, data) in entries {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(data).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn refused(bytes: Vec<u8>) -> ImageError {
    Image::open(bytes).unwrap_err()
}

fn refused_with(entry: Entry) -> ImageError {
    refused(zip(&good_and(vec![entry])))
}

fn replace_all(bytes: &mut [u8], from: &[u8], to: &[u8]) -> usize {
    let places: Vec<_> = (0..=bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    for at in &places {
        bytes[*at..*at + to.len()].copy_from_slice(to);
    }
    places.len()
}

#[test]
fn a_good_image_is_read_whether_stored_or_deflated_and_with_folders() {
    let image = Image::open(zip(&good_and(vec![
        Entry::stored("data/", b"").mode(0o040_755),
        Entry::stored("data/größe.txt", b"1"),
    ])))
    .unwrap();
    assert_eq!(image.manifest().name, "hello");
    assert_eq!(image.code().unwrap(), b"\0asm code");
    assert_eq!(image.files().collect::<Vec<_>>(), ["odeon.toml", "hello.wasm", "data/größe.txt"]);
    assert_eq!(image.read("data/größe.txt").unwrap(), b"1");
    assert_eq!(image.read("data/"), Err(ImageError::NoSuchFile { path: "data/".into() }));
    assert_eq!(image.read("../x"), Err(ImageError::NoSuchFile { path: "../x".into() }));

    let text = b"many words, many words, many words".repeat(1000);
    let image = Image::open(deflated("words.txt", &text)).unwrap();
    assert!(image.bytes().len() < text.len() / 10);
    assert_eq!(image.read("words.txt").unwrap(), text);
}

#[test]
fn a_bomb_is_refused_by_its_ratio() {
    let bytes = deflated("zeros", &vec![0; 10 * 1024 * 1024]);
    assert!(bytes.len() < 20_000);
    let error = refused(bytes);
    assert!(matches!(&error, ImageError::Ratio { name, unpacked: 10_485_760, .. } if name == "zeros"), "{error}");
    assert!(error.is_too_large());
}

#[test]
fn a_bomb_that_says_to_be_small_is_stopped_at_the_size_it_says() {
    let mut bytes = deflated("zeros", &vec![0; 10 * 1024 * 1024]);
    let said = 4096_u32.to_le_bytes();
    assert_eq!(replace_all(&mut bytes, &10_485_760_u32.to_le_bytes(), &said), 2);
    let error = refused(bytes);
    assert!(
        matches!(&error, ImageError::SizeLies { name, .. } | ImageError::Unreadable { name, .. } if name == "zeros"),
        "{error}"
    );
}

#[test]
fn a_file_that_says_more_than_it_holds_is_refused() {
    let mut bytes = deflated("words", &b"words ".repeat(1000));
    assert_eq!(replace_all(&mut bytes, &6000_u32.to_le_bytes(), &6001_u32.to_le_bytes()), 2);
    let error = refused(bytes);
    assert!(
        matches!(&error, ImageError::SizeLies { said: 6001, unpacked: 6000, .. } | ImageError::Unreadable { .. }),
        "{error}"
    );
}

#[test]
fn sizes_beyond_the_limits_are_refused_from_the_headers_alone() {
    let mut entry = Entry::stored("big", b"x");
    entry.method = 8;
    entry.unpacked = ENTRY_BYTES_MAX as u32 + 1;
    assert_eq!(refused_with(entry), ImageError::EntryTooLarge { name: "big".into(), bytes: ENTRY_BYTES_MAX + 1 });

    // Each is within its own limit and ratio; together they are too much.
    let many = |i| {
        let data = vec![0; 300_000];
        let mut entry = Entry::stored(&format!("big{i}"), &data);
        entry.method = 8;
        entry.unpacked = 50_000_000;
        entry
    };
    let error = refused(zip(&good_and((0..3).map(many).collect())));
    assert!(matches!(error, ImageError::UnpackedTooLarge { bytes } if bytes > UNPACKED_BYTES_MAX));

    assert_eq!(refused(vec![0; IMAGE_BYTES_MAX + 1]), ImageError::TooLarge { bytes: IMAGE_BYTES_MAX as u64 + 1 });
}

#[test]
fn names_that_leave_the_image_are_refused() {
    let cases = [
        ("../evil", NameError::Dots("..".into())),
        ("a/../../evil", NameError::Dots("..".into())),
        ("/etc/passwd", NameError::Absolute),
        ("a\\..\\evil", NameError::Backslash),
        ("C:/evil", NameError::Colon),
        ("evil\0.txt", NameError::Control('\0')),
        ("a//b", NameError::EmptyPart),
        ("a/b/c/d/e/f/g/h/i", NameError::TooDeep { depth: 9 }),
        ("", NameError::Empty),
    ];
    for (name, expected) in cases {
        match refused_with(Entry::stored(name, b"x")) {
            ImageError::Name { reason, .. } => assert_eq!(reason, expected, "{name:?}"),
            other => panic!("{name:?}: {other}"),
        }
    }
    let long = refused_with(Entry::stored(&"a".repeat(NAME_BYTES_MAX + 1), b"x"));
    assert!(matches!(long, ImageError::Name { reason: NameError::TooLong { .. }, .. }));
    let mut latin = Entry::stored("x", b"x");
    latin.name = vec![0xe9, b'x'];
    assert!(matches!(refused_with(latin), ImageError::Name { reason: NameError::NotUtf8, .. }));
    let mut unmarked = Entry::stored("é", b"x");
    unmarked.flags = 0;
    assert!(matches!(refused_with(unmarked), ImageError::Name { reason: NameError::NotMarkedUtf8, .. }));
}

#[test]
fn links_and_special_files_are_refused() {
    for (mode, expected) in [
        (0o120_777, "symbolic link"),
        (0o020_666, "character device"),
        (0o060_666, "block device"),
        (0o010_666, "pipe"),
        (0o140_666, "socket"),
        (0o040_755, "folder without a slash at the end of its name"),
    ] {
        let error = refused_with(Entry::stored("x", b"/etc/passwd").mode(mode));
        assert_eq!(error, ImageError::NotAFile { name: "x".into(), found: expected });
    }
    let folder = refused_with(Entry::stored("data/", b"x").mode(0));
    assert_eq!(folder, ImageError::FolderWithContents { name: "data/".into(), bytes: 1 });
}

#[test]
fn names_that_meet_on_some_file_system_are_refused() {
    let second = refused_with(Entry::stored("odeon.toml", b"name = \"other\""));
    assert_eq!(second, ImageError::Duplicate { name: "odeon.toml".into() });
    assert_eq!(
        refused_with(Entry::stored("Odeon.TOML", b"x")),
        ImageError::CaseCollision { first: "odeon.toml".into(), second: "Odeon.TOML".into() }
    );
    assert_eq!(
        refused(zip(&good_and(vec![Entry::stored("Ä", b"x"), Entry::stored("ä", b"x")]))),
        ImageError::CaseCollision { first: "Ä".into(), second: "ä".into() }
    );
    assert_eq!(
        refused_with(Entry::stored("HELLO.wasm/inside", b"x")),
        ImageError::FileAsFolder { file: "hello.wasm".into(), inside: "HELLO.wasm/inside".into() }
    );
}

#[test]
fn a_forged_count_of_entries_is_refused_before_anything_is_read() {
    let bytes = zip_with_end(&good_and(vec![]), |end| end[8..12].copy_from_slice(&[0xff; 4]));
    assert_eq!(refused(bytes), ImageError::TooManyEntries { found: 65_535 });
    let bytes = zip_with_end(&good_and(vec![]), |end| end[8..12].copy_from_slice(&[3, 0, 3, 0]));
    assert!(matches!(refused(bytes), ImageError::DirectoryBroken { entry: 3, count: 3, .. }));
    let bytes = zip_with_end(&good_and(vec![]), |end| end[8..12].copy_from_slice(&[1, 0, 1, 0]));
    assert!(matches!(refused(bytes), ImageError::DirectoryLonger { count: 1, .. }));
    let bytes = zip_with_end(&good_and(vec![]), |end| end[8] = 1);
    assert_eq!(refused(bytes), ImageError::SeveralParts);
    let many = (0..ENTRIES_MAX).map(|i| Entry::stored(&format!("f{i}"), b"")).collect();
    assert_eq!(refused(zip(&good_and(many))), ImageError::TooManyEntries { found: ENTRIES_MAX as u64 + 2 });
}

#[test]
fn a_zip64_end_with_ten_million_entries_is_refused() {
    let mut bytes = zip(&good_and(vec![]));
    let end = bytes.split_off(bytes.len() - 22);
    let place = bytes.len() as u64;
    bytes.extend(0x0606_4b50_u32.to_le_bytes());
    bytes.extend(44_u64.to_le_bytes());
    bytes.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend(10_000_000_u64.to_le_bytes());
    bytes.extend(10_000_000_u64.to_le_bytes());
    bytes.extend([0; 16]);
    bytes.extend(0x0706_4b50_u32.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(place.to_le_bytes());
    bytes.extend([1, 0, 0, 0]);
    bytes.extend(end);
    assert_eq!(refused(bytes), ImageError::Zip64);
}

#[test]
fn features_that_an_image_does_not_need_are_refused() {
    let with = |change: fn(&mut Entry)| {
        let mut entry = Entry::stored("x", b"x");
        change(&mut entry);
        refused_with(entry)
    };
    let name = || "x".to_owned();
    assert_eq!(with(|e| e.flags = 1), ImageError::Encrypted { name: name() });
    assert_eq!(with(|e| e.flags = 8), ImageError::Flags { name: name(), flags: 8 });
    assert_eq!(with(|e| e.method = 12), ImageError::Method { name: name(), method: 12 });
    assert_eq!(with(|e| e.extra = vec![1, 0, 0, 0]), ImageError::ExtraField { name: name(), id: 1 });
    assert_eq!(with(|e| e.extra = vec![0x75, 0x70, 0, 0]), ImageError::ExtraField { name: name(), id: 0x7075 });
    assert_eq!(with(|e| e.extra = vec![9, 9, 4, 0, 1]), ImageError::ExtraBroken { name: name() });
    assert_eq!(with(|e| e.unpacked = 2), ImageError::StoredSize { name: name(), packed: 1, unpacked: 2 });
}

#[test]
fn two_headers_that_tell_two_stories_are_refused() {
    let mut entry = Entry::stored("x", b"x");
    entry.local_name = Some(b"y".to_vec());
    let disagree = |field| ImageError::HeadersDisagree { name: "x".into(), field };
    assert_eq!(refused_with(entry), disagree(HeaderField::Name));
    let mut entry = Entry::stored("x", b"x");
    entry.local_unpacked = Some(7);
    assert_eq!(refused_with(entry), disagree(HeaderField::UnpackedSize));
}

#[test]
fn entries_that_share_bytes_are_refused() {
    let mut entry = Entry::stored("hello.wasm2", b"x");
    entry.start = Some(0);
    assert!(matches!(refused_with(entry), ImageError::Overlap { at: 0, .. }));
    // One entry whose contents are a whole other entry.
    let inner = zip(&[Entry::stored("inner", b"x")]);
    let mut outer = Entry::stored("outer", &inner);
    outer.crc = crc32(&inner);
    let outer_at = zip(&good_and(vec![])).len() as u32; // only to have a place that is inside
    let mut inside = Entry::stored("inner", b"x");
    inside.start = Some(outer_at - 22 - 2 * 46 - 20 + 30 + 5);
    let error = refused(zip(&good_and(vec![outer, inside])));
    assert!(matches!(error, ImageError::Overlap { .. }), "{error}");
    let mut too_long = Entry::stored("x", b"x");
    (too_long.packed, too_long.unpacked) = (500, 500);
    assert!(matches!(refused_with(too_long), ImageError::Overlap { second, .. } if second == "the zip directory"));
}

#[test]
fn bytes_that_belong_to_no_entry_are_refused() {
    let shifted = |start| {
        let mut entry = Entry::stored("x", b"x");
        entry.start = Some(start);
        refused_with(entry)
    };
    assert!(matches!(shifted(100_000), ImageError::UnlistedBytes { .. }));
    let good = zip(&good_and(vec![]));
    let in_front = [b"#!/bin/sh\n".to_vec(), good.clone()].concat();
    assert!(matches!(refused(in_front), ImageError::DirectoryPlace { .. }));
    let behind = [good.clone(), vec![0]].concat();
    assert_eq!(refused(behind), ImageError::NoEndRecord);
}

#[test]
fn a_changed_byte_in_the_contents_is_found_by_its_checksum() {
    let mut bytes = zip(&good_and(vec![]));
    assert_eq!(replace_all(&mut bytes, b"asm code", b"asm Code"), 1);
    match refused(bytes) {
        ImageError::Unreadable { name, reason } => {
            assert_eq!(name, "hello.wasm");
            assert!(reason.to_lowercase().contains("checksum"), "{reason}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn truncated_and_random_files_are_not_images() {
    let good = zip(&good_and(vec![]));
    for length in 0..good.len() {
        assert!(Image::open(&good[..length]).is_err(), "{length} bytes");
    }
    assert_eq!(refused(vec![]), ImageError::TooShort { bytes: 0 });
    assert_eq!(refused(b"an ordinary text, not a zip file at all".to_vec()), ImageError::NoEndRecord);
}

#[test]
fn manifests_that_are_missing_huge_or_broken_are_named() {
    let code = || Entry::stored("hello.wasm", b"code");
    assert_eq!(refused(zip(&[code()])), ImageError::ManifestMissing);
    assert_eq!(refused(zip(&[])), ImageError::ManifestMissing);
    let huge = format!("{MANIFEST}#{}", "x".repeat(MANIFEST_BYTES_MAX));
    let error = refused(zip(&[Entry::stored("odeon.toml", huge.as_bytes()), code()]));
    assert_eq!(error, ImageError::ManifestTooLarge { bytes: huge.len() as u64 });
    let error = refused(zip(&[Entry::stored("odeon.toml", b"name = \xff"), code()]));
    assert_eq!(error, ImageError::ManifestNotText);
    let error = refused(zip(&[Entry::stored("odeon.toml", b"name = 1"), code()]));
    assert!(matches!(error, ImageError::Manifest(ManifestError::Toml { line: 1, .. })), "{error}");
    let error = refused(zip(&[Entry::stored("odeon.toml", MANIFEST.as_bytes())]));
    assert_eq!(error, ImageError::CodeMissing { code: "hello.wasm".into() });
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Image::open(bytes).is_err());
    }

    #[test]
    fn mutated_images_are_refused_or_hold_what_they_say(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let mut bytes = deflated("words.txt", &b"some words ".repeat(50));
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(image) = Image::open(bytes) {
            for file in image.files().map(str::to_owned).collect::<Vec<_>>() {
                prop_assert!(image.read(&file).is_ok());
            }
        }
    }
}
