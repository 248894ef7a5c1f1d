//! Into the cage: the node's own program takes from itself what the program of an image must not have, and becomes it.
//!
//! Nothing runs here but this one thread, and everything that is taken stays taken over the exec.

use super::cage::{Bounds, CAGE_VARIABLE, Cage, CageKind, GrantedFolder};
use super::{denied, descriptors};
use crate::grants::place;
use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, PathBeneath, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, Scope, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// The newest Landlock whose denials the programs of images are known to get by with.
const LANDLOCK: ABI = ABI::V6;
/// Devices that many programs need.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Becomes the program of a process, in its cage. Comes back where that fails.
pub(super) fn run() -> ExitCode {
    match enter() {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Says what a cage is on this machine, by shutting itself into one.
pub(super) fn probe() -> ExitCode {
    let kind = match cage_of_environment().and_then(|cage| shut(&cage)) {
        Ok(kind) => kind,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{{\"landlock\":{},\"seccomp\":{}}}", kind.landlock, kind.seccomp);
    ExitCode::SUCCESS
}

fn enter() -> Result<std::convert::Infallible, String> {
    let cage = cage_of_environment()?;
    rustix::process::setsid().map_err(|error| failed("a session of its own", &error.into()))?;
    descriptors::close_on_exec().map_err(|error| failed("the open files", &error))?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| failed("its end with its guard", &error.into()))?;
    // One that has ended before will not tell.
    if rustix::process::getppid().map(|guard| guard.as_raw_nonzero().get() as u32) != Some(cage.guard) {
        return Err("its guard has ended".to_owned());
    }
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    shut(&cage)?;
    let mut program = Command::new(&cage.program);
    if let Some(title) = &cage.title {
        program.arg0(title);
    }
    let error = program.args(&cage.arguments).env_clear().envs(cage.variables).exec();
    Err(format!("{} cannot be executed: {error}", cage.program.display()))
}

fn cage_of_environment() -> Result<Cage, String> {
    let text = std::env::var(CAGE_VARIABLE).map_err(|error| format!("{CAGE_VARIABLE}: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("{CAGE_VARIABLE}: {error}"))
}

/// Takes from this thread all that the cage takes, and says what the kernel could take.
fn shut(cage: &Cage) -> Result<CageKind, String> {
    rustix::thread::set_no_new_privs(true).map_err(|error| failed("new privileges", &error.into()))?;
    bound(&cage.bounds).map_err(|error| failed("a resource limit", &error))?;
    let granted = granted(cage)?;
    let landlock = deny_files(cage, granted).map_err(|error| format!("the cage has no Landlock: {error}"))?;
    let seccomp = denied::deny_calls(landlock < 6).map_err(|error| format!("the cage has no seccomp: {error}"))?;
    Ok(CageKind { landlock, seccomp })
}

fn failed(what: &str, error: &io::Error) -> String {
    format!("the cage cannot be shut, {what}: {error}")
}

fn bound(bounds: &Bounds) -> io::Result<()> {
    let processes = tasks_of(rustix::process::getuid().as_raw()).saturating_add(bounds.processes_max);
    for (resource, most) in [
        (Resource::As, bounds.memory_bytes_max),
        (Resource::Fsize, bounds.file_bytes_max),
        (Resource::Nofile, bounds.files_max),
        // Counted for the user; those of others than this process are in it.
        (Resource::Nproc, processes),
        (Resource::Core, 0),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// Processes and threads of a user, as of now.
fn tasks_of(uid: u32) -> u64 {
    let status_of = |entry: fs::DirEntry| {
        entry.file_name().to_str()?.parse::<u32>().ok()?;
        fs::read_to_string(entry.path().join("status")).ok()
    };
    let tasks = |status: String| {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
        (field("Uid:")?.parse() == Ok(uid)).then(|| field("Threads:")?.parse::<u64>().ok())?
    };
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(status_of).filter_map(tasks).sum()
}

/// What the image is granted of the node's folders: to read, and perhaps to write, never to execute.
fn granted(cage: &Cage) -> Result<Vec<PathBeneath<OwnedFd>>, String> {
    let rule = |folder: &GrantedFolder| {
        let path = folder.real.display();
        let (place, real) = place(&folder.real).map_err(|error| format!("{path}, which is granted: {error}"))?;
        if real != folder.real {
            return Err(format!("{path}, which is granted, is {} by now", real.display()));
        }
        let access = if folder.write { AccessFs::from_all(LANDLOCK) } else { AccessFs::from_read(LANDLOCK) };
        Ok(PathBeneath::new(place, access & !AccessFs::Execute))
    };
    cage.granted.iter().map(rule).collect()
}

/// Denies all files but some, TCP, and signals to others. Gives the version of Landlock that does it; 0 for none.
fn deny_files(cage: &Cage, granted: Vec<PathBeneath<OwnedFd>>) -> Result<u8, RulesetError> {
    let reads = AccessFs::from_read(LANDLOCK);
    let writes = AccessFs::from_all(LANDLOCK) & !AccessFs::Execute;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?
        .add_rules(path_beneath_rules(cage.readable.iter().chain([&cage.folder]), reads))?
        .add_rules(path_beneath_rules([&cage.scratch], writes))?
        .add_rules(granted.into_iter().map(Ok::<_, RulesetError>))?
        .add_rules(path_beneath_rules(DEVICES, AccessFs::ReadFile | AccessFs::WriteFile))?
        .restrict_self()?;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi.min(LANDLOCK) as u8,
        _ => 0,
    })
}
