//! The system calls that no actor needs: sockets, tracing, namespaces, and what else would lead out of the cage.
//!
//! A list of what is denied and not of what is allowed: interpreters of all kinds are to run. Landlock bounds files.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};
use std::collections::BTreeMap;

/// Numbers with this bit are the same calls for the x32 kind of programs, to the same kernel.
#[cfg(target_arch = "x86_64")]
const X32: i64 = 0x4000_0000;
/// `clone` with one of these makes a namespace.
const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;

/// Always denied.
const DENIED: &[libc::c_long] = &[
    libc::SYS_socket,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_open,
    libc::SYS_kcmp,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_open_by_handle_at,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_mknodat,
];

/// Signals to others than this process, where Landlock does not deny them.
const SIGNALS: &[libc::c_long] =
    &[libc::SYS_kill, libc::SYS_tkill, libc::SYS_tgkill, libc::SYS_rt_sigqueueinfo, libc::SYS_rt_tgsigqueueinfo];

/// Denies these calls to this thread and whatever comes of it. False where this kernel or processor cannot.
pub(super) fn deny_calls(signals: bool) -> Result<bool, seccompiler::Error> {
    let Ok(architecture) = TargetArch::try_from(std::env::consts::ARCH) else { return Ok(false) };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in DENIED {
        deny(&mut rules, *call, vec![]);
    }
    for flag in (0..64).map(|bit| 1 << bit).filter(|flag| NAMESPACES & flag != 0) {
        let has = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag)?;
        deny(&mut rules, libc::SYS_clone, vec![SeccompRule::new(vec![has])?]);
    }
    if signals {
        let me = u64::from(std::process::id());
        for call in SIGNALS {
            let other = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, me)?;
            deny(&mut rules, *call, vec![SeccompRule::new(vec![other])?]);
        }
        deny(&mut rules, libc::SYS_pidfd_send_signal, vec![]);
    }
    // What `clone3` is given cannot be seen: whoever is told that it is not there takes `clone`.
    let unknown = BTreeMap::from([(libc::SYS_clone3, vec![])]);
    for (rules, error) in [(unknown, libc::ENOSYS), (rules, libc::EPERM)] {
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(error as u32), architecture)?;
        let program: BpfProgram = filter.try_into()?;
        match apply_filter(&program) {
            Err(seccompiler::Error::Seccomp(error)) if error.raw_os_error() == Some(libc::EINVAL) => return Ok(false),
            applied => applied?,
        }
    }
    Ok(true)
}

/// Denies a call where one of these rules holds; without rules always.
fn deny(rules: &mut BTreeMap<i64, Vec<SeccompRule>>, call: libc::c_long, when: Vec<SeccompRule>) {
    #[cfg(target_arch = "x86_64")]
    rules.entry(call | X32).or_default().extend(when.iter().cloned());
    rules.entry(call).or_default().extend(when);
}
