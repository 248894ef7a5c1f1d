//! What is encrypted is decrypted with the keys of this leader, before its signatures are looked at.
//!
//! The keys are in a file of each leader's own disk. Its path is a fact of the convention; what is in it is read when it is
//! needed, kept nowhere, and said to nobody.

use super::failed;
use super::judging::{Pushed, open};
use crate::admin::protocol::Failed;
use odeon_convention::codes;
use odeon_sourceauth::{EncryptionError, Identities, Image, is_encrypted};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// Bytes of a file of identities.
const IDENTITIES_BYTES_MAX: u64 = 64 * 1024;

/// The image that was pushed, decrypted where that is needed. Blocks on the disk.
pub(super) fn readable(pushed: &Pushed, identities: Option<&str>) -> Result<Image, Failed> {
    if !is_encrypted(&pushed.bytes) {
        return pushed.image.clone();
    }
    let Some(path) = identities else {
        let message = "the image is encrypted with age, and the authority has no identity for it: \
                       `odeon authority set keyring --allowed-signers FILE --age-identity FILE`";
        return Err(failed(codes::NOT_DECRYPTED, message));
    };
    let image = identities_of(Path::new(path))?.decrypt(&pushed.bytes).map_err(|error| {
        let code = if error == EncryptionError::TooLarge { codes::IMAGE_TOO_LARGE } else { codes::NOT_DECRYPTED };
        failed(code, format!("image {} is encrypted with age: {error}", pushed.hash))
    })?;
    open(Arc::from(image)).map_err(|why| Failed { message: format!("once decrypted: {}", why.message), ..why })
}

/// The keys of this leader, if nobody else can read them.
pub(super) fn identities_of(path: &Path) -> Result<Identities, Failed> {
    let unusable = |why: &dyn std::fmt::Display| {
        let message = format!("the age identity {} of this leader cannot be used: {why}", path.display());
        failed(codes::NOT_DECRYPTED, message)
    };
    let text = read_private(path).map_err(|e| unusable(&e))?;
    Identities::parse(&text).map_err(|e| unusable(&e))
}

fn read_private(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions());
    if mode & 0o077 != 0 {
        return Err(io::Error::other(format!("others may read it (mode {:o}): chmod 600 it", mode & 0o777)));
    }
    let mut text = String::new();
    file.take(IDENTITIES_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > IDENTITIES_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {IDENTITIES_BYTES_MAX} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_of_keys_that_others_may_read_is_refused_and_no_error_shows_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let refused = || identities_of(&file).map(|_| ()).unwrap_err();
        assert_eq!(refused().code, codes::NOT_DECRYPTED);
        std::fs::write(&file, "AGE-SECRET-KEY-1NOTONE\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(refused().message.contains("mode 640"), "{:?}", refused());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let message = refused().message;
        assert!(message.contains("line 1") && !message.contains("NOTONE"), "{message}");
        std::fs::write(&file, "#".repeat(IDENTITIES_BYTES_MAX as usize + 1)).unwrap();
        assert!(refused().message.contains("larger than"), "{:?}", refused());
        assert!(identities_of(folder.path()).is_err());
    }
}
