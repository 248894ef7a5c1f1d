//! From a folder to an image that can be pushed: starting a project, building it, packing it, signing it.
//!
//! Works on files of the person who runs it. It opens no socket (cargo, which builds, may) and approves nothing: what an image is and whose
//! signature counts is the business of `odeon-sourceauth`.
//! Start with [`new`], then [`pack`], then [`sign`].

mod build;
mod file;
mod pack;
mod sign;
mod starter;

pub use build::{Build, BuildError, Built, build};
pub use file::FileError;
pub use pack::{PackError, Packed, Stamp, assemble, default_file_name, manifest, pack, pack_with, stamp};
pub use sign::{
    SignError, SignFileError, Signed, Times, VerifyFileError, read_evidence, sign, sign_file, sign_statement,
    verify_file,
};
pub use starter::{StarterError, new, new_python, new_with_sdk};
