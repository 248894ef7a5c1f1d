//! From a folder to an image that can be pushed: starting a project, packing it, signing it.
//!
//! Works on files of the person who runs it. It opens no socket and approves nothing: what an image is and whose
//! signature counts is the business of `odeon-sourceauth`.
//! Start with [`new`], then [`pack`], then [`sign`].

mod file;
mod pack;
mod sign;
mod starter;

pub use file::FileError;
pub use pack::{PackError, Packed, Stamp, assemble, default_file_name, pack, stamp};
pub use sign::{
    SignError, SignFileError, Signed, Times, VerifyFileError, read_evidence, sign, sign_file, sign_statement,
    verify_file,
};
pub use starter::{StarterError, new, new_python, new_with_sdk};
