//! A contestant that is not ours: a server in a process of its own, and samples in fresh ones.

use super::{CLUSTER, Measure, Server};
use crate::apart;
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};

/// A peer whose server runs.
pub struct Peer {
    name: &'static str,
    program: PathBuf,
    server: Server,
    folder: String,
}

impl Peer {
    /// Starts the server. `folder` has the certificate of those who have one.
    pub fn start(name: &'static str, folder: &Path) -> Result<Self> {
        let program = program(name)?;
        let folder = folder.display().to_string();
        let server = Server::start(&program, &[name.to_owned(), folder.clone()])?;
        Ok(Self { name, program, server, folder })
    }

    /// A sample between the server and a process for it.
    pub fn sample(&self, measure: Measure, size: u64) -> Result<Vec<f64>> {
        let words = [self.name, measure.name(), &size.to_string(), &self.server.address, &self.folder];
        apart::sample_of(&self.program, &words.map(str::to_owned))
    }
}

/// The program that serves a peer and takes its samples: this one, or its own beside this one.
fn program(peer: &str) -> Result<PathBuf> {
    let this = apart::this_program()?;
    if peer != CLUSTER {
        return Ok(this);
    }
    let own = this.with_file_name("bench-cluster");
    ensure!(own.exists(), "{} is missing: `scripts/bench network` builds it from bench/cluster", own.display());
    Ok(own)
}
