//! The bytes of one record: a CRC-32 over its number and its body, then the body as MessagePack with field names.
//!
//! The store's own checksums are looked at when it is opened; this one goes with the record, and its number is in it
//! so that a record in the wrong place is noticed too.

use super::LedgerError;
use super::limits::RECORD_BYTES_MAX;
use odeon_convention::record::Record;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

const CRC_BYTES: usize = 4;

fn crc(index: u64, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&index.to_be_bytes());
    hasher.update(body);
    hasher.finalize()
}

pub(super) fn encode(index: u64, record: &Record) -> Result<Vec<u8>, LedgerError> {
    let body = rmp_serde::to_vec_named(record)
        .map_err(|e| LedgerError::Io { what: format!("record {index} cannot be encoded: {e}") })?;
    seal(index, &body)
}

pub(super) fn seal(index: u64, body: &[u8]) -> Result<Vec<u8>, LedgerError> {
    if body.len() > RECORD_BYTES_MAX {
        return Err(LedgerError::RecordTooLarge { index, found: body.len() });
    }
    let mut bytes = Vec::with_capacity(CRC_BYTES + body.len());
    bytes.extend_from_slice(&crc(index, body).to_be_bytes());
    bytes.extend_from_slice(body);
    Ok(bytes)
}

pub(super) fn decode(index: u64, bytes: &[u8]) -> Result<Record, LedgerError> {
    let corrupt = |what: String| LedgerError::CorruptRecord { index, what };
    let Some((sum, body)) = bytes.split_first_chunk::<CRC_BYTES>() else {
        return Err(corrupt(format!("{} bytes are no record", bytes.len())));
    };
    let (found, expected) = (crc(index, body), u32::from_be_bytes(*sum));
    if found != expected {
        return Err(corrupt(format!("its checksum is {found:08x}, it was written with {expected:08x}")));
    }
    rmp_serde::from_slice(body).map_err(|e| {
        let what = e.to_string();
        match kind(body) {
            Some(kind) if what.contains(&format!("unknown variant `{kind}`")) => {
                LedgerError::UnknownKind { index, kind }
            }
            _ => corrupt(what),
        }
    })
}

/// The name of the record's kind, whether it is known or not.
fn kind(body: &[u8]) -> Option<String> {
    match rmp_serde::from_slice::<BTreeMap<String, IgnoredAny>>(body) {
        Ok(map) if map.len() == 1 => map.into_keys().next(),
        _ => rmp_serde::from_slice(body).ok(),
    }
}
