//! Keeps the cores from falling asleep between messages, without taking time from whoever has work.
//!
//! A virtual machine's core that sleeps takes long to wake up: that is most of a round trip on a quiet machine. A
//! process that spins at the idle priority keeps each core awake and gives way at once.

use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

/// Spins until it is dropped.
pub struct Awake(Child);

impl Awake {
    /// Keeps all cores awake.
    pub fn start() -> Result<Self> {
        let program = std::env::current_exe().context("find this program")?;
        let mut child = Command::new("chrt")
            .args(["--idle", "0"])
            .arg(program)
            .arg("spin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("run chrt, which is in util-linux")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("its output is piped")?).read_line(&mut line)?;
        ensure!(line.trim() == "spinning", "chrt did not start the spinning process: {line:?}");
        Ok(Self(child))
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Spins on every core until standard input ends, which it does with the process that started this one.
pub fn spin() -> Result<()> {
    for _ in 0..std::thread::available_parallelism()?.get() {
        std::thread::spawn(|| {
            loop {
                std::hint::spin_loop();
            }
        });
    }
    println!("spinning");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
