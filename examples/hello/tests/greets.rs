//! The example on both bases of a program.
#![allow(clippy::unwrap_used)]

use odeon::Value;
use odeon::system::{ActorSystem, Base};
use odeon_example_hello::{Goodbye, Hello, World, registry};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn hello_and_goodbye_answer_on_every_base() {
    for base in [Base::Simple, Base::Threads, Base::Simulated] {
        let system = ActorSystem::builder(base).with::<World>().start();
        let hello = system.create_actor::<Hello>().unwrap();
        assert_eq!(system.ask::<String>(hello, "are you there?".to_owned(), PATIENCE).unwrap(), "Hello, world!");
        let goodbye = system.create_actor::<Goodbye>().unwrap();
        for anything in [Value::Null, Value::from(7), Value::from("bye")] {
            assert_eq!(system.ask::<String>(goodbye, anything, PATIENCE).unwrap(), "Goodbye");
        }
        assert!(system.shutdown());
    }
}

#[test]
fn the_manifest_names_the_actors_that_are_exported() {
    let exported: Vec<String> = registry().iter().map(|d| d.name.to_string()).collect();
    let manifest = include_str!("../odeon.toml");
    let mut named: Vec<&str> = manifest.split("[[actor]]").skip(1).filter_map(|a| a.split('"').nth(1)).collect();
    named.sort_unstable();
    assert_eq!(named, exported);
}
