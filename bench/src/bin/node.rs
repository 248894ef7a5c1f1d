//! The `odeon` command with the benchmarks' own actors linked in.

#[global_allocator]
static ALLOCATOR: odeon_node::LargePages = odeon_node::LargePages;

fn main() -> std::process::ExitCode {
    odeon_node::main_with(odeon_bench::node::registry())
}
