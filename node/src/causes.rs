//! What an operator is told of an error: all that it stands on, and the code that fits what lies at its bottom.

use crate::admin::protocol::Failed;
use odeon_convention::codes;
use odeon_sourceauth::{Rejection, StatementError};
use std::error::Error;
use std::io;

/// An error with everything that it stands on, each said once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(below) = source {
        let more = below.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = below.source();
    }
    text
}

/// A failure of something in the data folder: a full disk is told as one, whatever was being written.
pub(crate) fn of_data(code: u16, error: &(dyn Error + 'static)) -> Failed {
    let code = if has_no_room(error) { codes::DISK_FULL } else { code };
    Failed::new(code, chain(error))
}

/// The code of an authority's refusal.
pub(crate) fn rejection_code(rejection: &Rejection) -> u16 {
    match rejection {
        Rejection::NoAuthority => codes::NO_AUTHORITY,
        Rejection::SignatureMissing => codes::SIGNATURE_MISSING,
        Rejection::Statement(StatementError::Over { .. }) => codes::IMAGE_EXPIRED,
        Rejection::Statement(_)
        | Rejection::SignatureInvalid(_)
        | Rejection::TooMany { .. }
        | Rejection::TooLarge { .. } => codes::SIGNATURE_INVALID,
        Rejection::SignerNotAllowed { .. } | Rejection::SignerNotPermitted { .. } => codes::SIGNER_NOT_ALLOWED,
        Rejection::TooFew { .. } => codes::SIGNERS_TOO_FEW,
    }
}

fn has_no_room(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind as K;
    let mut next = Some(error);
    while let Some(error) = next {
        // A quota or a limit on file sizes is a full disk to whoever has to make room.
        let full = |e: &io::Error| matches!(e.kind(), K::StorageFull | K::QuotaExceeded | K::FileTooLarge);
        if error.downcast_ref::<io::Error>().is_some_and(full) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::IdentityError;

    fn unwritable(kind: io::ErrorKind) -> IdentityError {
        IdentityError::Unwritable { path: "/data/lock".into(), source: kind.into() }
    }

    #[test]
    fn the_cause_is_told_with_the_file() {
        let failed = of_data(codes::DATA_UNUSABLE, &unwritable(io::ErrorKind::PermissionDenied));
        assert_eq!(failed.message, "cannot write /data/lock: permission denied");
        assert_eq!(failed.code, codes::DATA_UNUSABLE);
    }

    #[test]
    fn a_full_disk_is_one_however_deep_it_lies() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge] {
            assert_eq!(of_data(codes::DATA_UNUSABLE, &unwritable(kind)).code, codes::DISK_FULL, "{kind:?}");
        }
    }
}
