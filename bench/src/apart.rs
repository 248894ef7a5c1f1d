//! Samples from fresh processes: what one contestant leaves behind (threads, heap, caches) burdens no other.
//!
//! The program runs itself with `sample` and the sample's words, and reads numbers from its one line of output. A peer
//! may have a program of its own that does the same.

use anyhow::{Context, Result, ensure};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs this program as `sample WORDS…` and gives the numbers that it prints.
pub fn sample(words: &[String]) -> Result<Vec<f64>> {
    sample_of(&this_program()?, words)
}

/// The same of another program.
pub fn sample_of(program: &Path, words: &[String]) -> Result<Vec<f64>> {
    let ran = Command::new(program)
        .arg("sample")
        .args(words)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("run the sample {words:?}"))?;
    ensure!(ran.status.success(), "the sample {words:?} failed: {}", ran.status);
    numbers(&String::from_utf8_lossy(&ran.stdout)).with_context(|| format!("the sample {words:?}"))
}

/// The program that this process runs.
pub fn this_program() -> Result<PathBuf> {
    std::env::current_exe().context("find this program")
}

/// Ends this process once standard input ends, which it does with the process that started this one.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        // Whatever it is, nobody is there any more.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}

/// The words of a sample, when this process was started for one.
pub fn asked_for() -> Option<Vec<String>> {
    let mut arguments = std::env::args().skip(1);
    (arguments.next()? == "sample").then(|| arguments.collect())
}

/// Prints what [`sample`] reads.
pub fn answer(numbers: &[f64]) {
    let words: Vec<String> = numbers.iter().map(f64::to_string).collect();
    println!("{}", words.join(" "));
}

fn numbers(text: &str) -> Result<Vec<f64>> {
    let parse = |word: &str| word.parse().with_context(|| format!("printed {word:?}, expected a number"));
    let numbers = text.split_whitespace().map(parse).collect::<Result<Vec<f64>>>()?;
    ensure!(numbers.iter().all(|n| n.is_finite()), "printed {text:?}, expected finite numbers");
    Ok(numbers)
}
