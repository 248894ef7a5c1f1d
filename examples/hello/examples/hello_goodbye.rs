//! Runs the actors of this example in this process: `cargo run --example hello_goodbye -- simple|threads|simulated`.

use odeon::system::{ActorSystem, Base};
use odeon_example_hello::{Goodbye, Hello, World};
use std::error::Error;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    let base: Base = std::env::args().nth(1).as_deref().unwrap_or("simple").parse()?;
    // World is created by Hello, by its name: so the system has to know it.
    let system = ActorSystem::builder(base).with::<World>().start();

    let hello = system.create_actor::<Hello>()?;
    println!("{}", system.ask::<String>(hello, "are you there?".to_owned(), PATIENCE)?);
    let goodbye = system.create_actor::<Goodbye>()?;
    println!("{}", system.ask::<String>(goodbye, (), PATIENCE)?);

    system.shutdown();
    Ok(())
}
