//! Actors of ractor_cluster between two processes, which is the contestant `ractor_cluster` of `bench-network`.
//!
//! `bench-cluster serve ractor_cluster FOLDER` prints the address where it listens and serves until standard input ends;
//! `bench-cluster sample ractor_cluster MEASURE SIZE ADDRESS FOLDER` prints the numbers of one sample. The folder, which
//! has a certificate, is for those who encrypt. Start with [`actors`] for what is sent, then [`sample`] for what is measured.

mod actors;
mod node;
mod sample;

use anyhow::{Context, Result, bail};
use odeon_bench::apart;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // One thread is quicker for it than two, both one way and back and forth.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", "ractor_cluster", _] => {
            apart::end_with_parent();
            runtime.block_on(node::serve())
        }
        ["sample", "ractor_cluster", measure, size, address, _] => {
            let size = size.parse().with_context(|| format!("{size:?} is no number"))?;
            let address = address.parse().with_context(|| format!("{address:?} is no address"))?;
            apart::answer(&runtime.block_on(sample::take(measure, size, address))?);
            Ok(())
        }
        _ => bail!("found {words:?}, which is no sample and no server"),
    }
}
