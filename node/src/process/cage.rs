//! What a process may do, as it is told to the guard that starts it.

use super::limits::ProcessLimits;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The first argument with which the node's own program is the guard of a process.
pub(super) const GUARD: &str = "--odeon-process-guard";
/// The first argument with which it shuts itself into a cage and becomes the program of the process.
pub(super) const ENTER: &str = "--odeon-process-enter";
/// The first argument with which it says what a cage is on this machine.
pub(super) const PROBE: &str = "--odeon-process-probe";
/// The environment variable that has the [`Cage`], for those two.
pub(super) const CAGE_VARIABLE: &str = "ODEON_CAGE";

/// The program of a process, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cage {
    /// What is executed.
    pub(super) program: PathBuf,
    /// The name of the process, in place of its program's.
    pub(super) title: Option<String>,
    pub(super) arguments: Vec<String>,
    /// The whole environment.
    pub(super) variables: Vec<(String, String)>,
    /// Where it starts: the image's files.
    pub(super) folder: PathBuf,
    /// What it may write to.
    pub(super) scratch: PathBuf,
    /// What it may read and execute besides.
    pub(super) readable: Vec<PathBuf>,
    /// Folders of the node that its image is granted.
    pub(super) granted: Vec<GrantedFolder>,
    /// User and group to become; none stays who it is.
    pub(super) user: Option<(u32, u32)>,
    pub(super) bounds: Bounds,
    /// The guard, without which it ends.
    pub(super) guard: u32,
}

/// A folder that the image is granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GrantedFolder {
    /// Where it really was when it was looked at; it has to be there still.
    pub(super) real: PathBuf,
    pub(super) write: bool,
}

/// The bounds that the kernel keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bounds {
    pub(super) memory_bytes_max: u64,
    pub(super) file_bytes_max: u64,
    pub(super) files_max: u64,
    pub(super) processes_max: u64,
}

impl Bounds {
    pub(super) fn of(limits: &ProcessLimits) -> Self {
        let ProcessLimits { memory_bytes_max, file_bytes_max, files_max, processes_max, .. } = *limits;
        Self { memory_bytes_max, file_bytes_max, files_max, processes_max }
    }
}

/// What the kernel of this machine keeps of a cage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CageKind {
    /// The version of Landlock, with which files, and from 4 on TCP and from 6 on signals are denied; 0 where there is none.
    pub landlock: u8,
    /// Whether seccomp denies sockets, tracing, and what else no actor needs.
    pub seccomp: bool,
}

impl CageKind {
    /// What it lacks, for the log; nothing where all is there.
    pub fn lacks(&self) -> Option<String> {
        let mut lacks = Vec::new();
        match self.landlock {
            0 => lacks.push("it may read and write every file that its user may (no Landlock)"),
            1 | 2 => lacks.push("it may shorten files that it may write (Landlock before version 3)"),
            _ => {}
        }
        if !self.seccomp {
            lacks.push("it may open sockets (no seccomp)");
        }
        (!lacks.is_empty()).then(|| lacks.join("; "))
    }
}
