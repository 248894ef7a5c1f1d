//! Images that mean harm, and what each is refused as.

use super::component::{self, ALLOCATE, LOOP, TRAP};
use super::deflate::zeros;
use super::raw_zip::{Entry, crc32, zip, zip_with_end};
use odeon_sourceauth::limits::{ENTRIES_MAX, ENTRY_BYTES_MAX, IMAGE_BYTES_MAX, MANIFEST_BYTES_MAX};

/// An image that means harm.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) bytes: fn() -> Vec<u8>,
    pub(crate) code: &'static str,
    /// What the refusal says among other things.
    pub(crate) says: &'static str,
    /// Whether there is nothing wrong with it before it runs.
    pub(crate) is_well_formed: bool,
}

const GIB: u32 = 1 << 30;
const END_BYTES: usize = 22;
const MANIFEST: &str =
    "name = \"evil\"\nversion = \"1.0.0\"\nruntime = \"wasm\"\ncode = \"evil.wasm\"\n[[actor]]\nname = \"Hello\"\n";

const fn malformed(name: &'static str, bytes: fn() -> Vec<u8>, says: &'static str) -> Case {
    Case { name, bytes, code: "OD-120", says, is_well_formed: false }
}

const fn too_large(name: &'static str, bytes: fn() -> Vec<u8>, says: &'static str) -> Case {
    Case { name, bytes, code: "OD-121", says, is_well_formed: false }
}

const fn runs_badly(name: &'static str, component: fn() -> Vec<u8>, says: &'static str) -> Case {
    Case { name, bytes: component, code: "OD-120", says, is_well_formed: true }
}

/// All of them.
pub(crate) const CASES: &[Case] = &[
    // Bombs.
    too_large("bomb", || with(bomb("x", 10 << 20, 10 << 20)), "10205 to 10485760 bytes: expected at most 200 times"),
    malformed("bomb that says to be small", || with(bomb("x", 10 << 20, 4_096)), "larger than its declared"),
    too_large("bomb of 4 GiB", || with(bomb("x", u32::MAX.into(), u32::MAX)), "4294967295 bytes unpacked"),
    malformed(
        "bomb of 4 GiB that says as much as a file may have",
        || with(bomb("x", u32::MAX.into(), ENTRY_BYTES_MAX as u32)),
        "larger than its declared",
    ),
    too_large(
        "bombs that are too much together",
        || with_all(["x", "y", "z"].map(|name| padded(bomb(name, ENTRY_BYTES_MAX, ENTRY_BYTES_MAX as u32))).into()),
        "larger than 134217728 bytes",
    ),
    malformed(
        "bombs in bombs",
        || zip(&[file("a.zip", &bombs()), file("b.zip", &bombs())]),
        "no odeon.toml at the top",
    ),
    // Manifests.
    too_large("manifest of 1 GiB", || manifested(bomb("odeon.toml", GIB.into(), GIB)), "1073741824 bytes unpacked"),
    malformed(
        "manifest of 1 GiB that says to be small",
        || manifested(bomb("odeon.toml", GIB.into(), MANIFEST_BYTES_MAX as u32)),
        "larger than its declared",
    ),
    too_large(
        "manifest of 1 MiB",
        || manifested(bomb("odeon.toml", 1 << 20, 1 << 20)),
        "odeon.toml of 1048576 bytes is larger than 65536",
    ),
    malformed("manifest that nests deeply", || manifest(&["name = ", &"[".repeat(60_000)]), "odeon.toml line 1"),
    malformed(
        "manifest with a deep key",
        || manifest(&[&"a.".repeat(30_000), "a = 1\n", MANIFEST]),
        "odeon.toml line 1",
    ),
    too_large("manifest with many actors", || manifest(&[MANIFEST, &"[[actor]]\nname=\"A\"\n".repeat(3_000)]), "3001"),
    malformed(
        "code from elsewhere",
        || manifest(&[&MANIFEST.replace("evil.wasm", "../evil")]),
        "odeon.toml line 4, code",
    ),
    // Names.
    malformed("name that climbs", || with(file("../evil", b"x")), "has the part \"..\""),
    malformed("name that climbs later", || with(file("a/b/../../../evil", b"x")), "has the part \"..\""),
    malformed("absolute name", || with(file("/etc/cron.d/evil", b"x")), "is absolute"),
    malformed("name with backslashes", || with(file("..\\..\\evil", b"x")), "has a backslash"),
    malformed("name on a drive", || with(file("C:/evil", b"x")), "has a colon"),
    malformed("name with a NUL", || with(file("evil\0.txt", b"x")), "control character"),
    malformed(
        "two files of one name",
        || with(file("evil.wasm", b"other code")),
        "two entries are named \"evil.wasm\"",
    ),
    malformed(
        "two manifests",
        || with(file("odeon.toml", MANIFEST.as_bytes())),
        "two entries are named \"odeon.toml\"",
    ),
    malformed("names that differ in case", || with(file("Odeon.TOML", b"x")), "differ only in upper and lower case"),
    malformed("file that is a folder", || with(file("evil.wasm/x", b"x")), "would be inside it"),
    // What is no file.
    malformed("symbolic link", || with(file("x", b"/etc/passwd").mode(0o120_777)), "is a symbolic link"),
    malformed("character device", || with(file("x", b"").mode(0o020_666)), "is a character device"),
    malformed("block device", || with(file("x", b"").mode(0o060_666)), "is a block device"),
    malformed("pipe", || with(file("x", b"").mode(0o010_666)), "is a pipe"),
    malformed("socket", || with(file("x", b"").mode(0o140_666)), "is a socket"),
    // Counts.
    malformed("says ten million entries", || with_ten_million(running(b"")), "zip64"),
    too_large("says as many entries as it can", || saying_entries(u16::MAX), "65535 entries: expected at most 1024"),
    malformed("says more entries than it has", || saying_entries(5), "expected entry 3 of 5"),
    malformed("over a million entries that say to be two", million_entries, "goes on after its 2 entries"),
    too_large("an entry too many", || with_all(many(ENTRIES_MAX - 1)), "1025 entries: expected at most 1024"),
    // Sizes.
    malformed("own header says more", || with(told(|e| e.local_unpacked = Some(GIB))), "disagree on its unpacked size"),
    malformed("own header says less", || with(told(|e| e.local_unpacked = Some(1))), "disagree on its unpacked size"),
    malformed(
        "own header has another name",
        || with(told(|e| e.local_name = Some(b"y".into()))),
        "disagree on its name",
    ),
    malformed("says more than it unpacks to", || with(bomb("x", 1_000, 1_001)), "says 1001 bytes and unpacks to 1000"),
    malformed("says less than it unpacks to", || with(bomb("x", 1_000, 999)), "larger than its declared"),
    malformed("stored larger than it is", || with(told(|e| e.unpacked = 9)), "7 bytes packed and 9 unpacked"),
    malformed("other contents than its checksum", || with(told(|e| e.crc ^= 1)), "\"x\" cannot be unpacked"),
    // Places.
    malformed("two entries in one place", || with(told(|e| e.start = Some(0))), "overlap at byte 0"),
    malformed("an entry in another", entry_in_entry, "\"outer\" and \"inner\" overlap"),
    malformed(
        "into the directory",
        || with(told(|e| (e.packed, e.unpacked) = (90, 90))),
        "\"the zip directory\" overlap",
    ),
    malformed("nowhere", || with(told(|e| e.start = Some(GIB))), "belong to no entry"),
    malformed("a script in front", || [b"#!/bin/sh\nexit\n".to_vec(), hello()].concat(), "zip directory at"),
    malformed("something behind", || [hello(), b"x".to_vec()].concat(), "not a whole zip file"),
    // Files that are cut.
    malformed("nothing", Vec::new, "0 bytes are fewer than"),
    malformed("a byte less", || hello()[..hello().len() - 1].to_vec(), "not a whole zip file"),
    malformed("half of it", || hello()[..hello().len() / 2].to_vec(), "not a whole zip file"),
    malformed("its end only", || hello().split_off(hello().len() - END_BYTES), "zip directory at"),
    // What no image needs.
    malformed("encrypted", || with(told(|e| e.flags = 1)), "is encrypted"),
    malformed("packed in another way", || with(told(|e| e.method = 14)), "is packed by method 14"),
    too_large("larger than an image may be", || vec![0; IMAGE_BYTES_MAX + 1], "larger than 67108864 bytes"),
    // Code.
    runs_badly("a module", || running(b"\0asm\x01\0\0\0"), "not a wasm component"),
    runs_badly("half a component", || running(&component::hello()[..20_000]), "not a wasm component"),
    runs_badly(
        "a component that imports what nobody offers",
        || running(&component::importing("wasi:cli/environmemt", "wasi:cli/environment")),
        "\"wasi:cli/environmemt@",
    ),
    runs_badly("traps when it is asked what it has", || running(&component::describing(TRAP)), "which actors it has"),
    runs_badly("says for ever what it has", || running(&component::describing(LOOP)), "took longer than"),
    runs_badly(
        "takes too much memory to say what it has",
        || running(&component::describing(ALLOCATE)),
        "MiB of memory",
    ),
];

fn hello() -> Vec<u8> {
    std::fs::read(odeon_tests::cluster::hello()).unwrap()
}

/// An image at whose code nobody comes to look, because of this entry.
fn with(entry: Entry) -> Vec<u8> {
    with_all(vec![entry])
}

fn with_all(more: Vec<Entry>) -> Vec<u8> {
    let good = [file("odeon.toml", MANIFEST.as_bytes()), file("evil.wasm", b"\0asm code")];
    zip(&good.into_iter().chain(more).collect::<Vec<_>>())
}

fn manifested(manifest: Entry) -> Vec<u8> {
    zip(&[file("evil.wasm", b"\0asm code"), manifest])
}

fn manifest(parts: &[&str]) -> Vec<u8> {
    manifested(file("odeon.toml", parts.concat().as_bytes()))
}

/// A well-formed image with this code.
fn running(component: &[u8]) -> Vec<u8> {
    zip(&[file("odeon.toml", MANIFEST.as_bytes()), file("evil.wasm", component)])
}

/// The example, with bombs for a file.
pub(crate) fn hello_with_bombs() -> Vec<u8> {
    let manifest = odeon_sourceauth::Image::open(hello()).unwrap().read("odeon.toml").unwrap();
    zip(&[file("odeon.toml", &manifest), file("hello.wasm", &component::hello()), file("bombs.zip", &bombs())])
}

fn file(name: &str, contents: &[u8]) -> Entry {
    Entry::stored(name, contents)
}

/// A small file with something wrong about it.
fn told(lie: fn(&mut Entry)) -> Entry {
    let mut entry = file("x", b"x is it");
    lie(&mut entry);
    entry
}

/// A file that unpacks to so many zeros, and says that it does to so many.
fn bomb(name: &str, unpacks_to: u64, says: u32) -> Entry {
    let mut entry = file(name, &zeros(unpacks_to));
    (entry.method, entry.unpacked) = (8, says);
    // The checksum of more is never come to.
    if unpacks_to <= 1 << 20 {
        entry.crc = crc32(&vec![0; unpacks_to as usize]);
    }
    entry
}

/// The same with so many empty blocks before it that its ratio is nothing special.
fn padded(mut entry: Entry) -> Entry {
    entry.data.splice(..0, [0, 0, 0, 0xff, 0xff].repeat(1 << 17));
    entry.packed = entry.data.len() as u32;
    entry
}

fn bombs() -> Vec<u8> {
    zip(&(0..16).map(|n| bomb(&format!("{n}.zip"), ENTRY_BYTES_MAX, ENTRY_BYTES_MAX as u32)).collect::<Vec<_>>())
}

fn many(count: usize) -> Vec<Entry> {
    (0..count).map(|n| file(&n.to_string(), b"")).collect()
}

/// A whole image whose end says another count.
fn saying_entries(count: u16) -> Vec<u8> {
    let entries = [file("odeon.toml", MANIFEST.as_bytes()), file("evil.wasm", b"\0asm code")];
    zip_with_end(&entries, |end| end[8..12].copy_from_slice(&[count.to_le_bytes(), count.to_le_bytes()].concat()))
}

/// As many entries as fit: the count in the end is cut to its lowest bits anyway.
fn million_entries() -> Vec<u8> {
    const COUNT: usize = 1_400_000;
    let mut bytes = zip(&[file("x", b"")]);
    let mut end = bytes.split_off(bytes.len() - END_BYTES);
    let start = u32::from_le_bytes([end[16], end[17], end[18], end[19]]) as usize;
    let entry = bytes.split_off(start);
    bytes.extend(entry.repeat(COUNT));
    end[8..12].copy_from_slice(&[2, 0, 2, 0]);
    end[12..16].copy_from_slice(&((entry.len() * COUNT) as u32).to_le_bytes());
    bytes.extend(end);
    assert!(bytes.len() <= IMAGE_BYTES_MAX);
    bytes
}

/// A zip with the end of the larger format before its own.
pub(crate) fn with_ten_million(mut zip: Vec<u8>) -> Vec<u8> {
    let end = zip.split_off(zip.len() - END_BYTES);
    let place = zip.len() as u64;
    zip.extend(0x0606_4b50_u32.to_le_bytes());
    zip.extend(44_u64.to_le_bytes());
    zip.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    zip.extend([10_000_000_u64.to_le_bytes(), 10_000_000_u64.to_le_bytes()].concat());
    zip.extend([0; 16]);
    zip.extend(0x0706_4b50_u32.to_le_bytes());
    zip.extend([0; 4]);
    zip.extend(place.to_le_bytes());
    zip.extend([1, 0, 0, 0]);
    zip.extend(end);
    zip
}

/// One entry whose contents are another one.
fn entry_in_entry() -> Vec<u8> {
    let nothing_more = with_all(Vec::new());
    let directory = 2 * 46 + "odeon.toml".len() + "evil.wasm".len();
    let outer = nothing_more.len() - END_BYTES - directory;
    let mut inside = file("inner", b"x");
    inside.start = Some((outer + 30 + "outer".len()) as u32);
    with_all(vec![file("outer", &zip(&[file("inner", b"x")])), inside])
}
