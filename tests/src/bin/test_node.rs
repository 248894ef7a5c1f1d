//! The `odeon` command with the tests' own actors linked in.

#[global_allocator]
static ALLOCATOR: odeon_node::LargePages = odeon_node::LargePages;

fn main() -> std::process::ExitCode {
    odeon_node::main_with(odeon_tests::actors::registry())
}
