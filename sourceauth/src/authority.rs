//! Who decides which images may be used, and what that authority says of one.

use crate::{AllowedSigners, Approval, Image, SignatureError, Verified, verify};

/// Decides on images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Authority {
    /// Nobody: every image is refused with a reason that says what to do.
    #[default]
    None,
    /// Every well-formed image is approved.
    AcceptAll,
    /// An image needs an OpenSSH signature by one of these keys.
    Keyring(AllowedSigners),
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
    #[error("signed by the key {fingerprint}, which line {line} of the allowed signers does not permit now: {reason}")]
    SignerNotPermitted { fingerprint: String, line: usize, reason: String },
}

impl Authority {
    /// As it is written on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::AcceptAll => "accept-all",
            Self::Keyring(_) => "keyring",
        }
    }

    /// Decides on an image. A signature that comes along is only looked at by a keyring.
    pub fn judge(&self, image: Image, signature: Option<&str>, now_unix_s: u64) -> Verdict {
        let approval = match self {
            Self::None => return Err(Rejection::NoAuthority),
            Self::AcceptAll => {
                Approval { by: self.name().into(), reason: "every well-formed image is approved".into() }
            }
            Self::Keyring(allowed) => {
                let signature = signature.ok_or(Rejection::SignatureMissing)?;
                verify(image.bytes(), signature, allowed, now_unix_s)?
            }
        };
        Ok(Verified::new(image, approval))
    }
}
