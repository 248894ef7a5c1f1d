//! The `odeon` command with nothing linked in but what every node has.

#[global_allocator]
static ALLOCATOR: odeon_node::LargePages = odeon_node::LargePages;

fn main() -> std::process::ExitCode {
    odeon_node::main_with(odeon::Registry::new())
}
