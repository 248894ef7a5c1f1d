//! The `odeon` command with the tests' own actors linked in.

fn main() -> std::process::ExitCode {
    odeon_node::main_with(odeon_tests::actors::registry())
}
