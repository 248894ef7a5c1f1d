//! Who decides which images may be used, and what that authority says of one.

use crate::limits::{EVIDENCE_BYTES_MAX, SIGNATURES_MAX};
use crate::{Approval, Image, Keyring, SignatureError, StatementError, Verified};

/// Decides on images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Authority {
    /// Nobody: every image is refused with a reason that says what to do.
    #[default]
    None,
    /// Every well-formed image is approved.
    AcceptAll,
    /// An image needs OpenSSH signatures by some of these keys.
    Keyring(Keyring),
    /// Somebody else has examined the image and approved it. Whoever makes one vouches for that.
    Examined {
        /// Who it was.
        by: String,
        /// For people to read.
        reason: String,
    },
}

/// What an authority says: an image that may be used, or why not.
pub type Verdict = Result<Verified, Rejection>;

/// Why an image may not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Rejection {
    #[error(
        "no Source Authority is set, so nothing approves images: set one with \
         `odeon authority set keyring --allowed-signers FILE`"
    )]
    NoAuthority,
    #[error(
        "no signature came with the image: sign it with `ssh-keygen -Y sign -n odeon-image -f KEY IMAGE` or \
         `odeon image sign IMAGE --key KEY`, then push it with `--signature IMAGE.sig`"
    )]
    SignatureMissing,
    #[error(transparent)]
    SignatureInvalid(#[from] SignatureError),
    #[error("signed by the key {fingerprint}, which is not among the allowed signers")]
    SignerNotAllowed { fingerprint: String },
    #[error("signed by the key {fingerprint}, which line {line} of the allowed signers does not permit: {reason}")]
    SignerNotPermitted { fingerprint: String, line: usize, reason: String },
    #[error(transparent)]
    Statement(#[from] StatementError),
    #[error("{found} signatures came with the image: at most {SIGNATURES_MAX} are looked at")]
    TooMany { found: usize },
    #[error("the signatures that approve the image take {bytes} bytes, of at most {EVIDENCE_BYTES_MAX} that are kept")]
    TooLarge { bytes: usize },
    #[error("{counted} of {required} required signers have signed{}", because(reasons))]
    TooFew { counted: usize, required: usize, reasons: Vec<String> },
}

fn because(reasons: &[String]) -> String {
    if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) }
}

impl Authority {
    /// As it is written on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::AcceptAll => "accept-all",
            Self::Keyring(_) => "keyring",
            Self::Examined { .. } => "actor",
        }
    }

    /// Decides on an image. Signatures that come along are only looked at by a keyring.
    pub fn judge(&self, image: Image, evidence: &[String], now_unix_s: u64) -> Verdict {
        let approval = match self {
            Self::None => return Err(Rejection::NoAuthority),
            Self::AcceptAll => Approval::unsigned(self.name(), "every well-formed image is approved"),
            Self::Examined { by, reason } => Approval::unsigned(by, reason),
            Self::Keyring(keyring) => keyring.approve(&image, evidence, now_unix_s)?,
        };
        Ok(Verified::new(image, approval))
    }
}
