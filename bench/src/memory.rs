//! How much memory this process has.

use anyhow::{Context, Result};

/// Bytes of this process that are in memory now.
pub fn resident_bytes() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("read /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc/self/status")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().with_context(|| format!("VmRSS is {line:?}"))?;
    Ok(kib * 1024.0)
}
