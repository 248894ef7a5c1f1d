//! An actor that does what it is told, good or bad.

use odeon::{ActorExitRequest, Context, Failure, Level, Message, Requirements, Topic, actor};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

/// Asks for so many messages of so many bytes each.
#[derive(Serialize, Deserialize, Message)]
pub struct Many {
    /// How many.
    pub count: u32,
    /// Bytes of each.
    pub bytes: usize,
}

/// Does what it is told.
#[derive(Default)]
pub struct Rogue {
    count: i64,
}

#[actor]
impl Rogue {
    #[handler]
    fn many(&mut self, many: &Many, cx: &mut Context) {
        for _ in 0..many.count {
            cx.reply("x".repeat(many.bytes));
        }
    }

    #[handler]
    fn told(&mut self, what: &String, cx: &mut Context) -> Result<(), Failure> {
        match what.as_str() {
            "count" => {
                self.count += 1;
                cx.reply(self.count);
            }
            "loop" => crate::run_for_ever(),
            "allocate" => crate::allocate_for_ever(),
            "log" => log_for_ever(cx),
            "recurse" => cx.reply(recurse(u64::MAX) as i64),
            "panic" => panic!("told to panic after {}", self.count),
            "fail" => return Err(Failure::new("told to fail")),
            "exit the process" => std::process::exit(3),
            "sleep" => std::thread::sleep(Duration::from_secs(60)),
            "look around" => cx.reply(surroundings()),
            "print" => {
                println!("to output");
                eprintln!("to error");
                cx.log(Level::Error, "to the log");
            }
            "everything" => everything(cx),
            other => cx.reply(format!("told {other}")),
        }
        Ok(())
    }

    #[handler]
    fn exit(&mut self, _: &ActorExitRequest, cx: &mut Context) {
        cx.info("asked to exit");
    }
}

/// What an instance can see of the machine: nothing but time and chance.
fn surroundings() -> String {
    let seeds: HashMap<u8, u8> = HashMap::from([(1, 2)]);
    let started = Instant::now();
    let after_2020 = SystemTime::UNIX_EPOCH.elapsed().is_ok_and(|d| d > Duration::from_secs(1_577_836_800));
    let vars = std::env::vars().count();
    let args = std::env::args().count();
    let file = std::fs::read("/etc/hostname").is_ok() || std::fs::read_dir(".").is_ok();
    let moved = started.elapsed() < Duration::from_secs(60);
    format!("vars {vars} args {args} files {file} time {after_2020} {moved} map {}", seeds.len())
}

fn everything(cx: &Context) {
    let child = cx
        .create_named("Rogue")
        .requirements(Requirements::none().require("gpu").equal("zone", "eu"))
        .global_name("the-one")
        .image("ab")
        .start();
    cx.send(child, cx.my_address());
    cx.wakeup_after(Duration::from_millis(5));
    let wakeup = cx.wakeup_after_with(Duration::from_secs(1), "payload".to_owned());
    cx.cancel_wakeup(wakeup);
    cx.defer();
    cx.resume_deferred();
    cx.request_status(child);
    cx.update_capability("busy", true);
    cx.remove_capability("idle");
    cx.watch(Topic::Members);
    cx.unwatch(Topic::Images);
    cx.register_source_authority();
    cx.reply(cx.capabilities().value("zone").cloned().unwrap_or_default());
    cx.exit();
}

/// Logs until it is stopped.
fn log_for_ever(cx: &Context) -> ! {
    loop {
        cx.warn("the neighbours are too quiet");
    }
}

fn recurse(n: u64) -> u64 {
    let page = std::hint::black_box([n; 64]);
    if n == 0 { page[0] } else { recurse(n - 1) + page[1] }
}
