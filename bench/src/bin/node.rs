//! The `odeon` command with the benchmarks' own actors linked in.

fn main() -> std::process::ExitCode {
    odeon_node::main_with(odeon_bench::node::registry())
}
