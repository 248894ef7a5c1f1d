//! The processes below this one, and their end.
//!
//! This process is the subreaper of all of them, so one whose parent has ended is a child of this one: no fork, however
//! often repeated, leads out from under it.

use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::fs;

/// Rounds in which all are stopped before they are killed: one that forks faster than that meets the next call.
const ROUNDS_MAX: usize = 16;

/// All processes below this one, as of now.
pub(super) fn descendants() -> BTreeSet<i32> {
    let me = rustix::process::getpid().as_raw_nonzero().get();
    below(me).unwrap_or_else(|| below_by_parents(me))
}

/// All processes below one; none where the kernel keeps no lists of children.
pub(super) fn below(pid: i32) -> Option<BTreeSet<i32>> {
    let mut found = BTreeSet::new();
    by_lists(pid, &mut found).then_some(found)
}

/// By the lists of children that most kernels keep. False where this one does not.
fn by_lists(pid: i32, found: &mut BTreeSet<i32>) -> bool {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return !found.is_empty() };
    for task in tasks.flatten() {
        let Ok(children) = fs::read_to_string(task.path().join("children")) else {
            if found.is_empty() {
                return false;
            }
            continue;
        };
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            if found.insert(child) {
                by_lists(child, found);
            }
        }
    }
    true
}

/// By the parent of every process of the machine.
fn below_by_parents(me: i32) -> BTreeSet<i32> {
    let parents: Vec<(i32, i32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid: i32| Some((pid, parent_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?)))
        .collect();
    let mut found = BTreeSet::new();
    loop {
        let more: Vec<i32> = parents
            .iter()
            .filter(|(pid, parent)| (*parent == me || found.contains(parent)) && !found.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// The name in the file may hold anything, so what follows its last parenthesis is read.
fn parent_in(stat: &str) -> Option<i32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Kills them all. Stops them first, so that none forks while the others are killed.
pub(super) fn kill_all() {
    let mut stopped = BTreeSet::new();
    for _ in 0..ROUNDS_MAX {
        let now = descendants();
        let new: Vec<i32> = now.difference(&stopped).copied().collect();
        if new.is_empty() {
            break;
        }
        new.iter().for_each(|pid| signal(*pid, Signal::STOP));
        stopped.extend(new);
    }
    stopped.iter().for_each(|pid| signal(*pid, Signal::KILL));
}

/// One that has ended in the meantime is nobody's loss: none of their numbers is given out again before this process,
/// or one that is stopped, has waited for it.
fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_read_whatever_the_name_is() {
        assert_eq!(parent_in("7 (sh) S 3 7 7 0"), Some(3));
        assert_eq!(parent_in("7 (a) S 1 (b)) R 4 7"), Some(4));
        assert_eq!(parent_in("7 cut"), None);
    }

    #[test]
    fn both_ways_find_a_child() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let (pid, me) = (child.id() as i32, std::process::id() as i32);
        assert!(descendants().contains(&pid));
        assert!(below_by_parents(me).contains(&pid));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
