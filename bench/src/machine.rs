//! The machine that figures come from, in one line.

use anyhow::{Context, Result};
use std::fs;
use std::process::Command;

/// Processor, cores, memory, kernel, compiler and day.
pub fn line() -> Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo").context("read /proc/cpuinfo")?;
    let model = field(&cpu, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cores = std::thread::available_parallelism()?;
    let memory = fs::read_to_string("/proc/meminfo").context("read /proc/meminfo")?;
    let kib = field(&memory, "MemTotal").and_then(|total| total.trim_end_matches(" kB").parse::<f64>().ok());
    let gib = kib.context("no MemTotal in /proc/meminfo")? / f64::from(1 << 20);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("read the kernel's release")?;
    // `6.18.44-vendor-build` says too much of where it was built.
    let kernel = kernel.trim().split('-').next().unwrap_or_default().to_owned();
    let compiler = said("rustc", &["--version"]).unwrap_or_else(|_| "rustc unknown".to_owned());
    let compiler = compiler.split(" (").next().unwrap_or_default().to_owned();
    let day = said("date", &["-u", "+%Y-%m-%d"])?;
    Ok(format!("{model}, {cores} cores, {gib:.0} GiB, Linux {kernel}, {compiler}, {day}"))
}

/// The first value under this name in a file of lines `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn said(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("run {program}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
