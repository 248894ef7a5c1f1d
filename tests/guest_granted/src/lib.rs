//! Actors that reach outside of their image, as far as they are let: what grants have to give, and to bound.

mod reach;

use odeon::{CapabilityView, Context, Failure, Requirements, actor};

pub use reach::reach;

/// Tries what it is told, and says what came of it.
#[derive(Default)]
pub struct Reacher {
    count: i64,
    /// Files and connections that it keeps.
    kept: Vec<reach::Kept>,
}

#[actor]
impl Reacher {
    #[capability_check]
    fn check(capabilities: &dyn CapabilityView, _: &Requirements) -> bool {
        // A check reaches nothing, wherever it runs.
        capabilities.value("zone").is_none() || std::env::vars().count() == 0 && std::fs::read_dir("/").is_err()
    }

    #[handler]
    fn told(&mut self, what: &String, cx: &mut Context) -> Result<(), Failure> {
        match what.as_str() {
            "count" => {
                self.count += 1;
                cx.reply(self.count);
            }
            "fail" => return Err(Failure::new("told to fail")),
            "panic" => panic!("told to panic after {}", self.count),
            "exit" => std::process::exit(3),
            "print" => {
                println!("to output");
                eprintln!("to error");
            }
            "print for ever" => loop {
                println!("{}", "x".repeat(4096));
            },
            other => cx.reply(reach(other, &mut self.kept)),
        }
        Ok(())
    }
}

/// Reads a file when it is built.
pub struct Reader(String);

#[actor]
impl Reader {
    #[constructor]
    fn new() -> Result<Self, Failure> {
        let path = std::env::var("GRANTED_FILE").map_err(|e| Failure::new(e.to_string()))?;
        std::fs::read_to_string(path).map(Self).map_err(|e| Failure::new(e.to_string()))
    }

    #[handler]
    fn told(&mut self, _: &String, cx: &mut Context) {
        cx.reply(self.0.clone());
    }
}

odeon::export!(Reacher, Reader);
