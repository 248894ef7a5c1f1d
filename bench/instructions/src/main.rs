//! Counts the instructions of what actors do most, under valgrind, and compares them with the counts that are kept.
//!
//! A count is the same on a busy machine and on a quiet one, so it guards what a clock cannot: that nobody makes the hot
//! paths longer unseen. It says nothing of time: waiting for memory, and threads for each other, has no instructions.

mod counts;
mod measures;

use anyhow::{Context, Result, bail, ensure};
use counts::Counts;
use measures::{MEASURES, Measure};
use std::path::PathBuf;
use std::process::Command;

/// How much more, or less, than what is kept a measure may take, in percent. Two runs differ by less than one; another
/// processor may choose another way to copy memory.
const TOLERANCE_PERCENT: f64 = 5.0;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--run", name, count] => {
            let measure = MEASURES.iter().find(|m| m.name == name).context("no such measure")?;
            (measure.run)(count.parse()?)
        }
        [] => compare(false),
        ["--write"] => compare(true),
        _ => bail!("usage: bench-instructions [--write]"),
    }
}

fn compare(write: bool) -> Result<()> {
    let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/counts.txt"));
    let kept = Counts::read(&file)?;
    let mut found = Counts::default();
    let mut wrong = Vec::new();
    println!("{:<12} {:>12} {:>8} {:>8}   what one of them is", "measure", "instructions", "kept", "");
    for measure in MEASURES {
        let now = measured(measure)?;
        found.set(measure.name, now);
        let before = kept.of(measure.name);
        let change = before.map(|before| (now / before - 1.0) * 100.0);
        let [before, percent] = [before.map(|b| format!("{b:.0}")), change.map(|c| format!("{c:+.1}%"))];
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        println!("{:<12} {now:>12.0} {:>8} {:>8}   {}", measure.name, or_none(before), or_none(percent), measure.one);
        if change.is_none_or(|c| c.abs() > TOLERANCE_PERCENT) {
            wrong.push(measure.name);
        }
    }
    if write {
        return found.write(&file);
    }
    ensure!(
        wrong.is_empty(),
        "{} differ by more than {TOLERANCE_PERCENT}% from bench/instructions/counts.txt: find out why, and where it is meant \
         to be so, keep the new counts with `scripts/instructions --write`",
        wrong.join(", ")
    );
    Ok(())
}

/// Instructions of one of what is measured: a run of twice as many, less one of as many.
fn measured(measure: &Measure) -> Result<f64> {
    let [once, twice] = [1, 2].map(|times| instructions(measure, times * measure.count));
    Ok((twice? - once?) as f64 / measure.count as f64)
}

fn instructions(measure: &Measure, count: u64) -> Result<i64> {
    let me = std::env::current_exe()?;
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(me)
        .args(["--run", measure.name, &count.to_string()])
        .output()
        .context("valgrind, which counts, does not run")?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "{} of {count}: {said}", measure.name);
    let collected = said.lines().find_map(|line| line.split_once("Collected :")).context("valgrind gives no count")?;
    Ok(collected.1.trim().parse()?)
}
