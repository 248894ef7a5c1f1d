//! The form in which messages cross boundaries: MessagePack with field names.
//!
//! In a program `rmp-serde` writes and reads it. In an image the modules `encode` and `decode` do, in the same bytes:
//! there `rmp-serde` takes some hundred kilobytes, because all of its reader is there once for each type.

#[cfg(any(test, target_family = "wasm"))]
mod decode;
#[cfg(any(test, target_family = "wasm"))]
mod encode;
// A program only looks for names with it.
#[cfg_attr(not(any(test, target_family = "wasm")), allow(dead_code))]
mod read;
#[cfg(test)]
mod tests;
#[cfg(any(test, target_family = "wasm"))]
mod write;

pub(crate) use read::only_entry;

#[cfg(target_family = "wasm")]
pub(crate) use {decode::from_slice as decode, encode::to_vec as encode};

/// The bytes of a value, or what its `Serialize` said or panicked with.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn encode<T: serde::Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    encode_after(Vec::with_capacity(128), value)
}

/// The same after other bytes.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn encode_after<T: serde::Serialize + ?Sized>(mut head: Vec<u8>, value: &T) -> Result<Vec<u8>, String> {
    let written = std::panic::AssertUnwindSafe(|| rmp_serde::encode::write_named(&mut head, value));
    std::panic::catch_unwind(written)
        .map_err(|panic| format!("its Serialize panicked: {}", crate::failure::panic_text(&*panic)))?
        .map_err(|e| e.to_string())?;
    Ok(head)
}

/// The value that the bytes begin with, when it is a `T`.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, rmp_serde::decode::Error> {
    rmp_serde::from_slice(bytes)
}
