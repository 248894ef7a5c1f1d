//! The commands on images that need no node: they work on the user's own files.

use super::output::plain;
use super::{CommandError, Output};
use crate::causes::chain;
use clap::Subcommand;
use odeon_convention::codes;
use odeon_deploy::{FileError, PackError, SignError, SignFileError, StarterError, VerifyFileError};
use odeon_sourceauth::Rejection;
use odeon_sourceauth::limits::IMAGE_BYTES_MAX;
use serde::Serialize;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the passphrase of a signing key is taken from: commands do not ask questions.
const PASSPHRASE_VARIABLE: &str = "ODEON_KEY_PASSPHRASE";

/// What to do with files of images.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum FileCommand {
    /// Writes a project to start from
    New {
        /// The project's folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// The image's name; the folder's name by default
        #[arg(long)]
        name: Option<String>,
    },
    /// Builds an image from a folder with odeon.toml
    Pack {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// The image; NAME-VERSION.zip by default
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Signs an image with an OpenSSH key
    Sign {
        /// The image
        #[arg(value_name = "FILE")]
        image: PathBuf,
        /// The private key; ODEON_KEY_PASSPHRASE opens one that is protected
        #[arg(long, value_name = "KEY")]
        key: PathBuf,
        /// The signature; FILE.sig by default
        #[arg(short, long, value_name = "FILE.sig")]
        output: Option<PathBuf>,
    },
    /// Checks the signature of an image
    Verify {
        /// The image
        #[arg(value_name = "FILE")]
        image: PathBuf,
        /// Its signature
        #[arg(long, value_name = "FILE.sig")]
        signature: PathBuf,
        /// The keys that may sign, in the format of OpenSSH
        #[arg(long, value_name = "FILE")]
        allowed_signers: PathBuf,
    },
}

/// `odeon image new|pack|sign|verify`
pub(crate) fn file_command(out: &mut Output<'_>, command: FileCommand) -> Result<(), CommandError> {
    match command {
        FileCommand::New { folder, name } => start(out, &folder, name),
        FileCommand::Pack { folder, output } => pack(out, &folder, output),
        FileCommand::Sign { image, key, output } => sign(out, &image, &key, output.as_deref()),
        FileCommand::Verify { image, signature, allowed_signers } => verify(out, &image, &signature, &allowed_signers),
    }
}

/// The bytes of the image that a push names: a file as it is, a folder packed.
pub(crate) fn image_bytes(path: &Path) -> Result<Vec<u8>, CommandError> {
    if path.is_dir() {
        return Ok(odeon_deploy::assemble(path).map_err(pack_failed)?.bytes().to_vec());
    }
    let wrong = |e: io::Error| CommandError::Usage(format!("{}: {e}", path.display()));
    let mut bytes = Vec::new();
    let max = IMAGE_BYTES_MAX as u64;
    fs::File::open(path).map_err(wrong)?.take(max + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() as u64 > max {
        return Err(CommandError::coded(
            codes::IMAGE_TOO_LARGE,
            format!("{} is larger than {max} bytes", path.display()),
        ));
    }
    Ok(bytes)
}

fn start(out: &mut Output<'_>, folder: &Path, name: Option<String>) -> Result<(), CommandError> {
    let name = match name.or_else(|| folder.file_name()?.to_str().map(str::to_owned)) {
        Some(name) => name,
        None => return Err(CommandError::Usage(format!("{} gives the image no name: pass --name", folder.display()))),
    };
    #[derive(Serialize)]
    struct Started {
        name: String,
        files: Vec<PathBuf>,
    }
    let files = odeon_deploy::new(folder, &name).map_err(|e| match e {
        StarterError::Write { .. } => CommandError::internal(chain(&e)),
        e => CommandError::Usage(chain(&e)),
    })?;
    let text = |s: &Started| s.files.iter().map(|f| plain(&f.display().to_string())).collect::<Vec<_>>().join("\n");
    out.value(&Started { name, files }, text)
}

fn pack(out: &mut Output<'_>, folder: &Path, output: Option<PathBuf>) -> Result<(), CommandError> {
    let to = match output {
        Some(to) => to,
        None => odeon_deploy::default_file_name(odeon_deploy::assemble(folder).map_err(pack_failed)?.manifest()).into(),
    };
    let packed = odeon_deploy::pack(folder, &to).map_err(pack_failed)?;
    #[derive(Serialize)]
    struct Printed {
        file: PathBuf,
        hash: String,
        name: String,
        version: String,
        size: u64,
    }
    let printed = Printed {
        file: packed.path,
        hash: packed.hash.to_string(),
        name: packed.name,
        version: packed.version.as_str().to_owned(),
        size: packed.size_bytes,
    };
    out.value(&printed, |p| plain(&format!("{} {} ({} bytes)", p.hash, p.file.display(), p.size)))
}

fn sign(out: &mut Output<'_>, image: &Path, key: &Path, output: Option<&Path>) -> Result<(), CommandError> {
    let mut passphrase = || std::env::var(PASSPHRASE_VARIABLE).ok();
    let signed = odeon_deploy::sign_file(image, key, output, &mut passphrase).map_err(|e| match &e {
        SignFileError::File(file) => file_failed(file, chain(&e)),
        SignFileError::Image { .. } => CommandError::coded(codes::IMAGE_MALFORMED, chain(&e)),
        SignFileError::Sign { source: SignError::PassphraseNeeded, .. } => {
            CommandError::Usage(format!("{}: set {PASSPHRASE_VARIABLE}", chain(&e)))
        }
        SignFileError::Sign { source: SignError::Failed { .. }, .. } => CommandError::internal(chain(&e)),
        SignFileError::Sign { .. } => CommandError::Usage(chain(&e)),
    })?;
    #[derive(Serialize)]
    struct Printed {
        signature: PathBuf,
        fingerprint: String,
    }
    let printed = Printed { signature: signed.path, fingerprint: signed.fingerprint };
    out.value(&printed, |p| plain(&format!("{} by {}", p.signature.display(), p.fingerprint)))
}

fn verify(out: &mut Output<'_>, image: &Path, signature: &Path, signers: &Path) -> Result<(), CommandError> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| CommandError::internal("the clock of this machine is before 1970"))?;
    let approval = odeon_deploy::verify_file(image, signature, signers, now.as_secs()).map_err(|e| match &e {
        VerifyFileError::File(file) => file_failed(file, chain(&e)),
        VerifyFileError::AllowedSigners { .. } => CommandError::Usage(chain(&e)),
        VerifyFileError::Rejected(rejection) => CommandError::coded(rejection_code(rejection), chain(&e)),
    })?;
    #[derive(Serialize)]
    struct Printed {
        by: String,
        reason: String,
    }
    out.value(&Printed { by: approval.by, reason: approval.reason }, |p| plain(&format!("{}: {}", p.by, p.reason)))
}

/// The code of an authority's refusal.
pub(crate) fn rejection_code(rejection: &Rejection) -> u16 {
    match rejection {
        Rejection::NoAuthority => codes::NO_AUTHORITY,
        Rejection::SignatureMissing => codes::SIGNATURE_MISSING,
        Rejection::SignatureInvalid(_) => codes::SIGNATURE_INVALID,
        Rejection::SignerNotAllowed { .. } | Rejection::SignerNotPermitted { .. } => codes::SIGNER_NOT_ALLOWED,
    }
}

fn pack_failed(error: PackError) -> CommandError {
    let message = chain(&error);
    match &error {
        PackError::TooManyFiles { .. } | PackError::FilesTooLarge { .. } => {
            CommandError::coded(codes::IMAGE_TOO_LARGE, message)
        }
        PackError::File(file) => file_failed(file, message),
        PackError::Zip(_) => CommandError::internal(message),
        _ => CommandError::coded(codes::IMAGE_MALFORMED, message),
    }
}

/// A file that the user named and that is not there is a matter of the command line.
fn file_failed(error: &FileError, message: String) -> CommandError {
    match error {
        FileError::Write { .. } => CommandError::internal(message),
        _ => CommandError::Usage(message),
    }
}
