//! Every bound on what comes from outside, with its unit in its name.

/// Bytes of an image's zip file.
pub const IMAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Entries in the zip, folders included.
pub const ENTRIES_MAX: usize = 1024;
/// Bytes of one file when unpacked.
pub const ENTRY_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of all files when unpacked.
pub const UNPACKED_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// How many times larger than its packed form a file may be, once it is larger than [`RATIO_FREE_BYTES`].
pub const RATIO_MAX: u64 = 200;
/// Up to this many unpacked bytes the ratio of a file does not matter.
pub const RATIO_FREE_BYTES: u64 = 1024 * 1024;
/// Bytes of a name inside the zip.
pub const NAME_BYTES_MAX: usize = 240;
/// Parts of a name inside the zip, counted between slashes.
pub const NAME_DEPTH_MAX: usize = 8;

/// Bytes of `odeon.toml`.
pub const MANIFEST_BYTES_MAX: usize = 64 * 1024;
/// Bytes of an image's name.
pub const IMAGE_NAME_BYTES_MAX: usize = 64;
/// Bytes of an image's version.
pub const VERSION_BYTES_MAX: usize = 64;
/// Bytes of the name of an interpreter.
pub const INTERPRETER_BYTES_MAX: usize = 64;
/// Actor types in one image.
pub const ACTORS_MAX: usize = 256;
/// Bytes of an actor type's name.
pub const ACTOR_NAME_BYTES_MAX: usize = 128;
/// Names in one actor's `require`.
pub const REQUIRE_MAX: usize = 64;
/// Bytes of one name in `require`: that of a capability.
pub const REQUIRE_BYTES_MAX: usize = odeon_capabilities::limits::KEY_BYTES_MAX;
/// Bytes of a `where` expression.
pub const WHERE_BYTES_MAX: usize = 4096;
/// Entries in a manifest's `include`.
pub const INCLUDE_MAX: usize = 256;
/// Entries in a manifest's `grants.outbound`.
pub const OUTBOUND_MAX: usize = 64;
/// Bytes of one of them.
pub const OUTBOUND_BYTES_MAX: usize = 272;
/// Entries in a manifest's `grants.folders`.
pub const FOLDERS_MAX: usize = 16;
/// Bytes of the path of one of them.
pub const FOLDER_BYTES_MAX: usize = 1024;
/// Entries in a manifest's `grants.environment`.
pub const ENVIRONMENT_MAX: usize = 64;
/// Bytes of one of them: the name of a variable.
pub const ENVIRONMENT_NAME_BYTES_MAX: usize = 128;

/// Bytes of an image that somebody who examines it is given, or hands over, in one piece. The SDK says the same.
pub const PIECE_BYTES_MAX: usize = 256 * 1024;
/// Bytes of one image that whoever examines it reads, however often.
pub const EXAMINATION_READ_BYTES_MAX: u64 = 4 * IMAGE_BYTES_MAX as u64;
/// Messages on one image that are heard from whoever examines it.
pub const EXAMINATION_MESSAGES_MAX: usize = 4096;

/// Bytes of the header of an image that is encrypted with age: some two hundred recipients.
pub const AGE_HEADER_BYTES_MAX: usize = 32 * 1024;

/// Signatures that come along with one image.
pub const SIGNATURES_MAX: usize = 16;
/// Signers that an authority may require of an image.
pub const REQUIRED_MAX: usize = SIGNATURES_MAX;
/// Bytes of all signatures that approve one image, with who made them: they are kept with it.
pub const EVIDENCE_BYTES_MAX: usize = 32 * 1024;
/// Bytes of an approval statement.
pub const STATEMENT_BYTES_MAX: usize = 512;
/// Bytes of an armoured signature.
pub const SIGNATURE_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an allowed-signers text.
pub const ALLOWED_SIGNERS_BYTES_MAX: usize = 256 * 1024;
/// Bytes of one line of an allowed-signers text.
pub const ALLOWED_SIGNERS_LINE_BYTES_MAX: usize = 8 * 1024;
/// Keys in an allowed-signers text.
pub const SIGNERS_MAX: usize = 1024;
/// Principals on one line of it, and in one certificate.
pub const PRINCIPALS_MAX: usize = 256;
