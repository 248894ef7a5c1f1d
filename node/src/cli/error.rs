//! How a command fails: what it says on stderr and with which code it exits.

use super::output::{Output, plain};
use crate::admin::protocol::Failed;
use odeon_convention::codes;
use std::io;

/// Why a command did not do what it should.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// A failure with a code.
    Failed(Failed),
    /// The command line asks for something that cannot be.
    Usage(String),
    /// Nobody reads the output any more: the command ends quietly.
    ReaderGone,
}

impl CommandError {
    /// A failure with a code.
    pub(crate) fn coded(code: u16, message: impl Into<String>) -> Self {
        CommandError::Failed(Failed::new(code, message))
    }

    /// A failure that has no code of its own.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::coded(codes::INTERNAL, message)
    }

    /// A failure to write what was to be printed.
    pub(crate) fn from_output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => CommandError::ReaderGone,
            _ => Self::internal(format!("the output cannot be written: {error}")),
        }
    }

    /// What the command exits with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            CommandError::Failed(failed) => codes::exit_code(failed.code),
            CommandError::Usage(_) => 2,
            CommandError::ReaderGone => 0,
        }
    }

    /// Says on stderr what went wrong.
    pub(crate) fn tell(&self, out: &mut Output<'_>) {
        match self {
            CommandError::Failed(failed) => {
                let code = codes::name(failed.code);
                out.note(&format!("error[{code}]: {}", plain(&failed.message)));
                if let Some(explanation) = &failed.explanation {
                    out.note(super::actors::reasons(explanation).trim_end());
                }
                out.note(&format!("run 'odeon help {code}' for what to do"));
            }
            CommandError::Usage(message) => out.note(&format!("error: {message}")),
            CommandError::ReaderGone => {}
        }
    }
}

impl From<Failed> for CommandError {
    fn from(failed: Failed) -> Self {
        CommandError::Failed(failed)
    }
}
