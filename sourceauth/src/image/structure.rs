//! The structure of the zip, read before anything is unpacked.
//!
//! An image is a strict subset of zip (APPNOTE 6.3): one file, no zip64, no comment at the end, no data descriptors,
//! entries side by side from the first byte to the directory, each with two headers that agree. So there is one way
//! to read it, whatever reads it. The count of entries is checked before anything is allocated for them.

use super::name::{NameError, check_name};
use super::{HeaderField, ImageError};
use crate::limits::{ENTRIES_MAX, ENTRY_BYTES_MAX, NAME_BYTES_MAX, RATIO_FREE_BYTES, RATIO_MAX, UNPACKED_BYTES_MAX};
use std::collections::{BTreeMap, BTreeSet};

const END_RECORD_BYTES: usize = 22;
const DIRECTORY_HEADER_BYTES: usize = 46;
const LOCAL_HEADER_BYTES: usize = 30;
const ZIP64_LOCATOR_BYTES: usize = 20;

const END_RECORD: u32 = 0x0605_4b50;
const DIRECTORY_HEADER: u32 = 0x0201_4b50;
const LOCAL_HEADER: u32 = 0x0403_4b50;
const ZIP64_LOCATOR: u32 = 0x0706_4b50;

const FLAG_ENCRYPTED: u16 = 1;
const FLAG_UTF8: u16 = 1 << 11;
/// How hard deflate tried, and UTF-8 names: all that does not change how an entry is read.
const FLAGS_HARMLESS: u16 = 0b110 | FLAG_UTF8;

const STORED: u16 = 0;
const DEFLATE: u16 = 8;

/// Extra fields that say another size, another name, or how to decrypt.
const EXTRA_REFUSED: [u16; 4] = [0x0001, 0x0017, 0x7075, 0x9901];

/// One entry of the zip, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// With a slash at its end for a folder.
    pub(super) name: String,
    /// Where its own header begins.
    pub(super) start: u64,
    pub(super) packed_bytes: u64,
    pub(super) unpacked_bytes: u64,
    pub(super) crc: u32,
    flags: u16,
    method: u16,
}

impl Entry {
    pub(super) fn is_folder(&self) -> bool {
        self.name.ends_with('/')
    }
}

/// All entries in the order of the directory.
pub(super) fn scan(bytes: &[u8]) -> Result<Vec<Entry>, ImageError> {
    let directory = find_directory(bytes)?;
    let entries = read_directory(&directory)?;
    check_names(&entries)?;
    check_total(&entries)?;
    check_places(bytes, &entries, directory.start)?;
    Ok(entries)
}

struct Directory<'a> {
    start: u64,
    bytes: &'a [u8],
    count: usize,
}

fn find_directory(bytes: &[u8]) -> Result<Directory<'_>, ImageError> {
    let end_at = bytes.len().checked_sub(END_RECORD_BYTES).ok_or(ImageError::TooShort { bytes: bytes.len() })?;
    let end = Fields(&bytes[end_at..]);
    if end.u32(0) != END_RECORD || end.u16(20) != 0 {
        return Err(ImageError::NoEndRecord);
    }
    let (count_here, count) = (end.u16(8), end.u16(10));
    if usize::from(count) > ENTRIES_MAX {
        return Err(ImageError::TooManyEntries { found: count.into() });
    }
    if end.u16(4) != 0 || end.u16(6) != 0 || count_here != count {
        return Err(ImageError::SeveralParts);
    }
    if end_at >= ZIP64_LOCATOR_BYTES && Fields(&bytes[end_at - ZIP64_LOCATOR_BYTES..]).u32(0) == ZIP64_LOCATOR {
        return Err(ImageError::Zip64);
    }
    let (start, size) = (u64::from(end.u32(16)), u64::from(end.u32(12)));
    if start + size != end_at as u64 {
        return Err(ImageError::DirectoryPlace { start, end: start + size, expected: end_at as u64 });
    }
    Ok(Directory { start, bytes: &bytes[start as usize..end_at], count: count.into() })
}

fn read_directory(directory: &Directory<'_>) -> Result<Vec<Entry>, ImageError> {
    let mut entries = Vec::with_capacity(directory.count);
    let mut at = 0;
    for number in 1..=directory.count {
        let rest = &directory.bytes[at..];
        let broken =
            ImageError::DirectoryBroken { at: directory.start + at as u64, entry: number, count: directory.count };
        let Some(length) = directory_header_length(rest) else { return Err(broken) };
        entries.push(read_entry(&rest[..length], number)?);
        at += length;
    }
    if at != directory.bytes.len() {
        return Err(ImageError::DirectoryLonger { at: directory.start + at as u64, count: directory.count });
    }
    Ok(entries)
}

/// The length of the header at the beginning of `rest`, when all of it is there.
fn directory_header_length(rest: &[u8]) -> Option<usize> {
    let fields = Fields(rest.get(..DIRECTORY_HEADER_BYTES)?);
    let variable = usize::from(fields.u16(28)) + usize::from(fields.u16(30)) + usize::from(fields.u16(32));
    let length = DIRECTORY_HEADER_BYTES + variable;
    (fields.u32(0) == DIRECTORY_HEADER && length <= rest.len()).then_some(length)
}

fn read_entry(header: &[u8], number: usize) -> Result<Entry, ImageError> {
    let fields = Fields(header);
    let name_end = DIRECTORY_HEADER_BYTES + usize::from(fields.u16(28));
    let extra_end = name_end + usize::from(fields.u16(30));
    let flags = fields.u16(8);
    let name = read_name(&header[DIRECTORY_HEADER_BYTES..name_end], flags, number)?;
    let entry = Entry {
        name,
        start: fields.u32(42).into(),
        packed_bytes: fields.u32(20).into(),
        unpacked_bytes: fields.u32(24).into(),
        crc: fields.u32(16),
        flags,
        method: fields.u16(10),
    };
    check_kind(&entry, fields.u32(38))?;
    check_packing(&entry)?;
    check_extra(&entry, &header[name_end..extra_end])?;
    check_sizes(&entry)?;
    Ok(entry)
}

fn read_name(raw: &[u8], flags: u16, number: usize) -> Result<String, ImageError> {
    let refused = |entry: String, reason| ImageError::Name { entry, reason };
    if raw.len() > NAME_BYTES_MAX {
        return Err(refused(number.to_string(), NameError::TooLong { bytes: raw.len() }));
    }
    let Ok(name) = std::str::from_utf8(raw) else { return Err(refused(number.to_string(), NameError::NotUtf8)) };
    let named = || format!("{number} ({name:?})");
    if !name.is_ascii() && flags & FLAG_UTF8 == 0 {
        return Err(refused(named(), NameError::NotMarkedUtf8));
    }
    check_name(name.strip_suffix('/').unwrap_or(name)).map_err(|reason| refused(named(), reason))?;
    Ok(name.to_owned())
}

/// The upper half of the attributes is a Unix mode wherever a Unix tool wrote them; zero elsewhere.
fn check_kind(entry: &Entry, attributes: u32) -> Result<(), ImageError> {
    const KIND: u32 = 0o170_000;
    let found = match ((attributes >> 16) & KIND, entry.is_folder()) {
        (0, _) | (0o040_000, true) | (0o100_000, false) => return Ok(()),
        (0o040_000, false) => "folder without a slash at the end of its name",
        (0o100_000, true) => "file with a slash at the end of its name",
        (0o120_000, _) => "symbolic link",
        (0o020_000, _) => "character device",
        (0o060_000, _) => "block device",
        (0o010_000, _) => "pipe",
        (0o140_000, _) => "socket",
        _ => "thing of an unknown kind",
    };
    Err(ImageError::NotAFile { name: entry.name.clone(), found })
}

fn check_packing(entry: &Entry) -> Result<(), ImageError> {
    let (name, flags) = (entry.name.clone(), entry.flags);
    if flags & FLAG_ENCRYPTED != 0 {
        return Err(ImageError::Encrypted { name });
    }
    if flags & !FLAGS_HARMLESS != 0 {
        return Err(ImageError::Flags { name, flags });
    }
    if !matches!(entry.method, STORED | DEFLATE) {
        return Err(ImageError::Method { name, method: entry.method });
    }
    Ok(())
}

fn check_extra(entry: &Entry, mut extra: &[u8]) -> Result<(), ImageError> {
    while !extra.is_empty() {
        let broken = || ImageError::ExtraBroken { name: entry.name.clone() };
        let fields = Fields(extra.get(..4).ok_or_else(broken)?);
        let (id, length) = (fields.u16(0), usize::from(fields.u16(2)));
        if EXTRA_REFUSED.contains(&id) {
            return Err(ImageError::ExtraField { name: entry.name.clone(), id });
        }
        extra = extra.get(4 + length..).ok_or_else(broken)?;
    }
    Ok(())
}

fn check_sizes(entry: &Entry) -> Result<(), ImageError> {
    let (name, packed, unpacked) = (entry.name.clone(), entry.packed_bytes, entry.unpacked_bytes);
    if entry.is_folder() && (packed, unpacked) != (0, 0) {
        return Err(ImageError::FolderWithContents { name, bytes: unpacked.max(packed) });
    }
    if unpacked > ENTRY_BYTES_MAX {
        return Err(ImageError::EntryTooLarge { name, bytes: unpacked });
    }
    if entry.method == STORED && packed != unpacked {
        return Err(ImageError::StoredSize { name, packed, unpacked });
    }
    if unpacked > RATIO_FREE_BYTES && unpacked > packed.saturating_mul(RATIO_MAX) {
        return Err(ImageError::Ratio { name, packed, unpacked });
    }
    Ok(())
}

fn check_names(entries: &[Entry]) -> Result<(), ImageError> {
    let mut by_lower_case = BTreeMap::new();
    for entry in entries {
        let name = entry.name.trim_end_matches('/');
        if let Some(first) = by_lower_case.insert(name.to_lowercase(), entry) {
            let (first, second) = (first.name.clone(), entry.name.clone());
            let same = first.trim_end_matches('/') == name;
            return Err(if same {
                ImageError::Duplicate { name: first }
            } else {
                ImageError::CaseCollision { first, second }
            });
        }
    }
    let files: BTreeSet<_> =
        by_lower_case.iter().filter(|(_, e)| !e.is_folder()).map(|(lower, _)| lower.as_str()).collect();
    for (lower, entry) in &by_lower_case {
        let above = lower.match_indices('/').map(|(at, _)| &lower[..at]);
        if let Some(file) = above.into_iter().find(|folder| files.contains(folder)) {
            let file = by_lower_case[file].name.clone();
            return Err(ImageError::FileAsFolder { file, inside: entry.name.clone() });
        }
    }
    Ok(())
}

fn check_total(entries: &[Entry]) -> Result<(), ImageError> {
    let bytes = entries.iter().map(|e| e.unpacked_bytes).sum();
    if bytes > UNPACKED_BYTES_MAX { Err(ImageError::UnpackedTooLarge { bytes }) } else { Ok(()) }
}

/// Entries must lie side by side: no byte belongs to two of them, and none to nobody.
fn check_places(bytes: &[u8], entries: &[Entry], directory_start: u64) -> Result<(), ImageError> {
    let mut by_place: Vec<_> = entries.iter().collect();
    by_place.sort_by_key(|e| e.start);
    let mut at = 0;
    let mut before = "";
    for entry in by_place {
        if entry.start < at {
            let (first, second) = (before.to_owned(), entry.name.clone());
            return Err(ImageError::Overlap { first, second, at: entry.start });
        }
        if entry.start > at {
            return Err(ImageError::UnlistedBytes { start: at, end: entry.start.min(directory_start) });
        }
        at = check_local(&bytes[..directory_start as usize], entry)?;
        before = &entry.name;
    }
    if at != directory_start {
        return Err(ImageError::UnlistedBytes { start: at, end: directory_start });
    }
    Ok(())
}

/// Checks an entry's own header and answers where the entry ends.
fn check_local(contents: &[u8], entry: &Entry) -> Result<u64, ImageError> {
    let missing = || ImageError::HeaderMissing { name: entry.name.clone(), at: entry.start };
    let start = entry.start as usize;
    let header = contents.get(start..start.saturating_add(LOCAL_HEADER_BYTES)).ok_or_else(missing)?;
    let fields = Fields(header);
    if fields.u32(0) != LOCAL_HEADER {
        return Err(missing());
    }
    let name_start = start + LOCAL_HEADER_BYTES;
    let name_end = name_start + usize::from(fields.u16(26));
    let extra_end = name_end + usize::from(fields.u16(28));
    let name = contents.get(name_start..name_end).ok_or_else(missing)?;
    let agreements = [
        (name == entry.name.as_bytes(), HeaderField::Name),
        (fields.u16(6) == entry.flags, HeaderField::Flags),
        (fields.u16(8) == entry.method, HeaderField::Method),
        (fields.u32(14) == entry.crc, HeaderField::Checksum),
        (u64::from(fields.u32(18)) == entry.packed_bytes, HeaderField::PackedSize),
        (u64::from(fields.u32(22)) == entry.unpacked_bytes, HeaderField::UnpackedSize),
    ];
    if let Some((_, field)) = agreements.into_iter().find(|(agree, _)| !agree) {
        return Err(ImageError::HeadersDisagree { name: entry.name.clone(), field });
    }
    check_extra(entry, contents.get(name_end..extra_end).ok_or_else(missing)?)?;
    let end = extra_end as u64 + entry.packed_bytes;
    if end > contents.len() as u64 {
        let second = "the zip directory".to_owned();
        return Err(ImageError::Overlap { first: entry.name.clone(), second, at: contents.len() as u64 });
    }
    Ok(end)
}

/// Little-endian numbers at fixed places of a header whose length was checked.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from(self.u16(at)) | u32::from(self.u16(at + 2)) << 16
    }
}
