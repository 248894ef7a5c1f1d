//! Which program the process of an image is, and what of the machine that program needs.

use super::ProcessError;
use odeon_sourceauth::Manifest;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where systems keep their programs and libraries, and the few files that programs look for.
const SYSTEM: [&str; 11] = [
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/bin",
    "/sbin",
    "/nix/store",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/ssl/certs",
];

/// The program of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Program {
    /// A file of the image.
    Own(String),
    /// A program of the node that runs a file of the image.
    Interpreter { program: PathBuf, script: String },
}

impl Program {
    /// The one that a manifest names, on this machine, with its interpreters in these folders.
    pub(super) fn of(manifest: &Manifest, path: &OsStr) -> Result<Self, ProcessError> {
        let architecture = env::consts::ARCH;
        let code = manifest.code.of(architecture).ok_or(ProcessError::NoCode { architecture })?.to_owned();
        let Some(name) = &manifest.interpreter else { return Ok(Self::Own(code)) };
        let found = env::split_paths(path).map(|folder| folder.join(name)).find(|path| is_program(path));
        let program = found.ok_or_else(|| ProcessError::NoInterpreter { name: name.clone() })?;
        Ok(Self::Interpreter { program, script: code })
    }

    /// What it may read beside the files of its image. Never the node's folder.
    pub(super) fn readable(&self, data: &Path) -> Vec<PathBuf> {
        let mut readable: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
        if let Self::Interpreter { program, .. } = self {
            let real = fs::canonicalize(program).unwrap_or_else(|_| program.clone());
            readable.extend([program.clone(), real.clone()]);
            // An interpreter that is installed by itself has its libraries beside its `bin`.
            let home = real.parent().filter(|folder| folder.ends_with("bin")).and_then(Path::parent);
            readable.extend(home.filter(|home| !data.starts_with(home)).map(Path::to_owned));
        }
        readable.retain(|path| !data.starts_with(path));
        readable
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &str) -> Result<Program, ProcessError> {
        Program::of(&manifest(lines), OsStr::new("/usr/local/bin:/usr/bin:/bin"))
    }

    fn manifest(lines: &str) -> Manifest {
        let text = format!("name = \"x\"\nruntime = \"process\"\n{lines}\n[[actor]]\nname = \"X\"\n");
        Manifest::parse(&text).unwrap()
    }

    #[test]
    fn an_interpreter_is_found_by_its_name_and_one_that_is_missing_is_named() {
        let found = of("code = \"x.sh\"\ninterpreter = \"sh\"").unwrap();
        assert!(
            matches!(&found, Program::Interpreter { program, script } if program.ends_with("sh") && script == "x.sh")
        );
        let missing = of("code = \"x\"\ninterpreter = \"odeon-no-such\"").unwrap_err();
        assert!(missing.is_of_this_node() && missing.to_string().contains("odeon-no-such"), "{missing}");
    }

    #[test]
    fn code_for_other_machines_only_is_none() {
        let other = if env::consts::ARCH == "s390x" { "x86_64" } else { "s390x" };
        let missing = of(&format!("code = {{ {other} = \"x\" }}")).unwrap_err();
        assert!(missing.is_of_this_node() && missing.to_string().contains(env::consts::ARCH), "{missing}");
        assert_eq!(of("code = \"x\"").unwrap(), Program::Own("x".into()));
    }

    #[test]
    fn the_nodes_folder_is_never_readable() {
        let own = Program::Own("x".into());
        assert!(own.readable(Path::new("/var/lib/odeon")).contains(&PathBuf::from("/usr")));
        assert!(!own.readable(Path::new("/usr/odeon")).contains(&PathBuf::from("/usr")));
        let home = tempfile::tempdir().unwrap();
        let bin = home.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("python3"), "").unwrap();
        let program = Program::Interpreter { program: bin.join("python3"), script: "x".into() };
        let real = fs::canonicalize(home.path()).unwrap();
        assert!(program.readable(Path::new("/var/lib/odeon")).contains(&real));
        assert!(!program.readable(&real.join("data")).contains(&real));
    }
}
