//! The `odeon` command with nothing linked in but what every node has.

fn main() -> std::process::ExitCode {
    odeon_node::main_with(odeon::Registry::new())
}
