//! The `odeon` command with nothing linked in but what every node has.

use odeon_convention::codes;
use odeon_node::admin::protocol::Failed;
use odeon_node::cli::UpOptions;
use std::process::ExitCode;

fn main() -> ExitCode {
    odeon_node::main_with(odeon::Registry::new(), daemon)
}

/// Stands where the daemon is linked in.
fn daemon(options: UpOptions, _registry: odeon::Registry) -> Result<(), Failed> {
    Err(Failed::new(codes::INTERNAL, format!("this binary has no daemon to run on {}", options.data.display())))
}
