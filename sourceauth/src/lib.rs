//! Images and the word on them: the zip format with its manifest, the source hash, signatures and verdicts.
//!
//! Owns what an image is and which one may be used: only this crate builds a [`Verified`] image. It opens no socket,
//! reads no clock and touches no file; bytes and the time come in as arguments.
//! Start with [`Image`], then [`Authority`], then [`Verified`].

mod allowed_signers;
mod authority;
mod encryption;
mod evidence;
mod examination;
mod grants;
mod handover;
mod hash;
mod image;
mod keyring;
pub mod limits;
mod manifest;
mod signature;
mod statement;
mod succession;
mod time;
mod verified;
mod version;

pub use allowed_signers::{AllowedSigners, AllowedSignersError, Signer};
pub use authority::{Authority, Rejection, Verdict};
pub use encryption::{EncryptionError, Identities, IdentitiesError, is_encrypted};
pub use examination::{Breach, Examination, Word};
pub use grants::{EnvironmentName, FolderGrant, GrantError, Grants, Host, Remote};
pub use handover::Handover;
pub use hash::{HashPrefix, Hashing, ParseHashError, SourceHash, hash};
pub use image::{HeaderField, Image, ImageError, NameError, check_name};
pub use keyring::{Keyring, KeyringError};
pub use manifest::{
    ARCHITECTURES, Code, GRANTS_CAPABILITY, Isolation, Manifest, ManifestActor, ManifestError, PROCESS_CAPABILITY,
    Runtime,
};
pub use signature::{ALGORITHMS, NAMESPACE, Signature, SignatureError, algorithm_usable, algorithm_verified};
pub use statement::{STATEMENT_NAMESPACE, Statement, StatementError};
pub use succession::{Approved, Rollback, may_follow};
pub use time::{format_unix_s, read_unix_s};
pub use verified::{Approval, ApprovedError, Endorsement, Verified};
pub use version::{Version, VersionError};

/// The name of the manifest inside an image and in the folder that it is packed from.
pub const MANIFEST_FILE: &str = "odeon.toml";
