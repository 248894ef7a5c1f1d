//! The bytes of the image that a push names.

use super::CommandError;
use crate::admin::limits::FRAME_BYTES_MAX;
use odeon_convention::codes;
use std::fs;
use std::io::Read;
use std::path::Path;

/// Bytes of an image file that are read at most: what fits a frame beside a signature.
const IMAGE_BYTES_MAX: u64 = FRAME_BYTES_MAX as u64 - 2 * super::up::FILE_BYTES_MAX;

/// Reads the file.
pub(crate) fn image_bytes(path: &Path) -> Result<Vec<u8>, CommandError> {
    let wrong = |e: std::io::Error| CommandError::Usage(format!("{}: {e}", path.display()));
    let file = fs::File::open(path).map_err(wrong)?;
    let mut bytes = Vec::new();
    file.take(IMAGE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() as u64 > IMAGE_BYTES_MAX {
        let message = format!("{} is larger than {IMAGE_BYTES_MAX} bytes", path.display());
        return Err(CommandError::coded(codes::IMAGE_TOO_LARGE, message));
    }
    Ok(bytes)
}
