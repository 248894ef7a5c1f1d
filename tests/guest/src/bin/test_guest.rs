//! The same actors in a process of their own.

fn main() -> Result<(), odeon::process::ServeError> {
    odeon::process::serve(odeon_test_guest::registry())
}
