//! The commands on images that need no node: they work on the user's own files.

use super::output::plain;
use super::{CommandError, Output, values};
use crate::causes::{chain, rejection_code};
use clap::{Subcommand, ValueEnum};
use odeon_convention::codes;
use odeon_deploy::{
    Build, BuildError, FileError, PackError, SignError, SignFileError, StarterError, Times, VerifyFileError,
};
use odeon_sourceauth::limits::{IMAGE_BYTES_MAX, REQUIRED_MAX, SIGNATURES_MAX};
use odeon_sourceauth::{ImageError, Runtime, STATEMENT_NAMESPACE};
use serde::Serialize;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the passphrase of a signing key is taken from: commands do not ask questions.
const PASSPHRASE_VARIABLE: &str = "ODEON_KEY_PASSPHRASE";

/// What the actors of a new project are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// Built for wasm
    Rust,
    /// Run as a process
    Python,
}

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
        /// What its actors are written in
        #[arg(long, value_enum, default_value_t = Language::Rust)]
        language: Language,
    },
    /// Builds the code of an image in Rust, and packs it: the same bytes from the same sources everywhere
    Build {
        /// The folder, with odeon.toml
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// The profile of cargo
        #[arg(long, value_name = "NAME", default_value = "release")]
        profile: String,
        /// How large the stack of each instance is
        #[arg(long, value_name = "SIZE", value_parser = values::size, default_value = "34KiB")]
        stack: u64,
        /// The image; NAME-VERSION.zip by default
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
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
        /// The private key; ODEON_KEY_PASSPHRASE opens one that is protected. A statement is written without one to be
        /// signed with ssh-keygen
        #[arg(long, value_name = "KEY", required_unless_present = "statement")]
        key: Option<PathBuf>,
        /// Writes a statement on the image, and signs that
        #[arg(long)]
        statement: bool,
        /// The statement counts from then on, such as 20300101Z or 2030-01-01T12:00:00Z
        #[arg(long, value_name = "TIME", requires = "statement", value_parser = values::time)]
        not_before: Option<u64>,
        /// The statement counts up to then
        #[arg(long, value_name = "TIME", requires = "statement", value_parser = values::time)]
        not_after: Option<u64>,
        /// The signature; FILE.sig by default, or FILE.approval for a statement
        #[arg(short, long, value_name = "FILE.sig")]
        output: Option<PathBuf>,
    },
    /// Checks the signatures of an image
    Verify {
        /// The image
        #[arg(value_name = "FILE")]
        image: PathBuf,
        /// Its signature; may be given up to 16 times
        #[arg(long = "signature", value_name = "FILE.sig", required = true)]
        signatures: Vec<PathBuf>,
        /// The keys that may sign, in the format of OpenSSH
        #[arg(long, value_name = "FILE")]
        allowed_signers: PathBuf,
        /// How many signers have to have signed
        #[arg(long, value_name = "K", default_value_t = 1, value_parser = required())]
        required: u8,
    },
}

/// `odeon image new|pack|sign|verify`
pub(crate) fn file_command(out: &mut Output<'_>, command: FileCommand) -> Result<(), CommandError> {
    match command {
        FileCommand::New { folder, name, language } => start(out, &folder, name, language),
        FileCommand::Build { folder, profile, stack, output } => {
            build(out, &folder, &Build { profile, stack_bytes: stack }, output)
        }
        FileCommand::Pack { folder, output } => pack(out, &folder, output, None),
        FileCommand::Sign { image, key, statement, not_before, not_after, output } => {
            let times = statement.then_some(Times { not_before_unix_s: not_before, not_after_unix_s: not_after });
            sign(out, &image, key.as_deref(), times, output.as_deref())
        }
        FileCommand::Verify { image, signatures, allowed_signers, required } => {
            few(&signatures)?;
            verify(out, &image, &signatures, &allowed_signers, required)
        }
    }
}

/// How many signers an authority may require.
pub(super) fn required() -> clap::builder::RangedI64ValueParser<u8> {
    clap::value_parser!(u8).range(1..=REQUIRED_MAX as i64)
}

/// No more signatures than are looked at.
fn few(signatures: &[PathBuf]) -> Result<(), CommandError> {
    match signatures.len() {
        0..=SIGNATURES_MAX => Ok(()),
        found => {
            Err(CommandError::Usage(format!("--signature: {found} signatures, at most {SIGNATURES_MAX} are taken")))
        }
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

fn start(out: &mut Output<'_>, folder: &Path, name: Option<String>, language: Language) -> Result<(), CommandError> {
    let name = match name.or_else(|| folder.file_name()?.to_str().map(str::to_owned)) {
        Some(name) => name,
        None => return Err(CommandError::Usage(format!("{} gives the image no name: pass --name", folder.display()))),
    };
    #[derive(Serialize)]
    struct Started {
        name: String,
        files: Vec<PathBuf>,
    }
    let new = match language {
        Language::Rust => odeon_deploy::new,
        Language::Python => odeon_deploy::new_python,
    };
    let files = new(folder, &name).map_err(|e| match e {
        StarterError::Write { .. } => CommandError::internal(chain(&e)),
        e => CommandError::Usage(chain(&e)),
    })?;
    let text = |s: &Started| s.files.iter().map(|f| plain(&f.display().to_string())).collect::<Vec<_>>().join("\n");
    out.value(&Started { name, files }, text)
}

/// Builds what is Rust for wasm, and packs.
fn build(out: &mut Output<'_>, folder: &Path, how: &Build, output: Option<PathBuf>) -> Result<(), CommandError> {
    let manifest = odeon_deploy::manifest(folder).map_err(pack_failed)?;
    if manifest.runtime != Runtime::Wasm || !folder.join("Cargo.toml").is_file() {
        return pack(out, folder, output, None);
    }
    let built = odeon_deploy::build(folder, how).map_err(|e| {
        let code = match &e {
            BuildError::NoProgram { .. } | BuildError::NoTarget => codes::BUILD_TOOLS,
            BuildError::Failed { .. } | BuildError::Answer { .. } | BuildError::NoLibrary => codes::BUILD_FAILED,
        };
        CommandError::coded(code, e.to_string())
    })?;
    if let Some(lock) = &built.new_lock {
        out.note(&plain(&format!(
            "{} is new: keep it with the project, as what it lists is a part of what the image's hash depends on",
            lock.display()
        )));
    }
    pack(out, folder, output, Some(&built.code))
}

fn pack(out: &mut Output<'_>, folder: &Path, output: Option<PathBuf>, code: Option<&Path>) -> Result<(), CommandError> {
    let to = match output {
        Some(to) => to,
        None => odeon_deploy::default_file_name(&odeon_deploy::manifest(folder).map_err(pack_failed)?).into(),
    };
    let packed = odeon_deploy::pack_with(folder, &to, code).map_err(pack_failed)?;
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

/// A signature over the image, or over a statement on it where there are times for one.
fn sign(
    out: &mut Output<'_>,
    image: &Path,
    key: Option<&Path>,
    statement: Option<Times>,
    output: Option<&Path>,
) -> Result<(), CommandError> {
    let mut passphrase = || std::env::var(PASSPHRASE_VARIABLE).ok();
    let signed = match (statement, key) {
        (Some(times), key) => odeon_deploy::sign_statement(image, times, key, output, &mut passphrase),
        (None, Some(key)) => odeon_deploy::sign_file(image, key, output, &mut passphrase),
        (None, None) => return Err(CommandError::Usage("only a statement is written without --key".into())),
    };
    let signed = signed.map_err(|e| sign_failed(image, e))?;
    #[derive(Serialize)]
    struct Printed {
        signature: PathBuf,
        fingerprint: Option<String>,
    }
    let printed = Printed { signature: signed.path, fingerprint: signed.fingerprint };
    out.value(&printed, |p| {
        let file = p.signature.display();
        plain(&match &p.fingerprint {
            Some(by) => format!("{file} by {by}"),
            None => format!("{file}, to be signed: ssh-keygen -Y sign -n {STATEMENT_NAMESPACE} -f KEY {file}"),
        })
    })
}

fn sign_failed(image: &Path, error: SignFileError) -> CommandError {
    let message = chain(&error);
    match &error {
        SignFileError::File(file) => image_file_failed(image, file, message),
        SignFileError::Image { source, .. } => CommandError::coded(image_code(source), message),
        SignFileError::Sign { source: SignError::PassphraseNeeded, .. } => {
            CommandError::Usage(format!("{message}: set {PASSPHRASE_VARIABLE}"))
        }
        SignFileError::Sign { source: SignError::Failed { .. }, .. } => CommandError::internal(message),
        SignFileError::Sign { .. } | SignFileError::Statement(_) => CommandError::Usage(message),
    }
}

/// What a person gives along with an image.
pub(super) fn evidence(files: &[PathBuf]) -> Result<Vec<String>, CommandError> {
    few(files)?;
    let read = |file: &PathBuf| odeon_deploy::read_evidence(file).map_err(|e| file_failed(&e, chain(&e)));
    files.iter().map(read).collect()
}

fn verify(
    out: &mut Output<'_>,
    image: &Path,
    signatures: &[PathBuf],
    signers: &Path,
    required: u8,
) -> Result<(), CommandError> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| CommandError::internal("the clock of this machine is before 1970"))?;
    let verified = odeon_deploy::verify_file(image, signatures, signers, usize::from(required), now.as_secs());
    let approval = verified.map_err(|e| match &e {
        VerifyFileError::File(file) => image_file_failed(image, file, chain(&e)),
        VerifyFileError::Image { source, .. } => CommandError::coded(image_code(source), chain(&e)),
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

fn pack_failed(error: PackError) -> CommandError {
    let message = chain(&error);
    match &error {
        PackError::TooManyFiles { .. }
        | PackError::FilesTooLarge { .. }
        | PackError::File(FileError::TooLarge { .. }) => CommandError::coded(codes::IMAGE_TOO_LARGE, message),
        PackError::Refused(error) => CommandError::coded(image_code(error), message),
        PackError::Manifest(error) => CommandError::coded(image_code(&error.clone().into()), message),
        PackError::File(file) => file_failed(file, message),
        PackError::Zip(_) => CommandError::internal(message),
        _ => CommandError::coded(codes::IMAGE_MALFORMED, message),
    }
}

/// Whether an image is malformed or too large.
fn image_code(error: &ImageError) -> u16 {
    if error.is_too_large() { codes::IMAGE_TOO_LARGE } else { codes::IMAGE_MALFORMED }
}

/// The same as [`file_failed`] where an image, and not what comes along with it, may be what is too large.
fn image_file_failed(image: &Path, error: &FileError, message: String) -> CommandError {
    match error {
        FileError::TooLarge { path, .. } if path == image => CommandError::coded(codes::IMAGE_TOO_LARGE, message),
        _ => file_failed(error, message),
    }
}

/// A file that the user named and that is not there is a matter of the command line.
fn file_failed(error: &FileError, message: String) -> CommandError {
    match error {
        FileError::Write { .. } => CommandError::internal(message),
        _ => CommandError::Usage(message),
    }
}
