//! `odeon demo`: a leader and three members as real processes of this binary, and the main job from end to end.
//!
//! Each step is a command that a user could type, with its real output; each is checked. Nothing outlives the demo:
//! see [`stage`].

mod stage;

use super::{CommandError, Output};
use crate::admin::protocol::Failed;
use odeon_convention::codes;
use serde_json::Value as Json;
use stage::Stage;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// The image that is pushed: `hello` of examples/hello, as it is packed there.
pub(crate) const HELLO_IMAGE: &[u8] = include_bytes!("../../../examples/hello/hello.zip");

/// The whole demo takes no longer.
const DEMO_WAIT_MAX: Duration = Duration::from_secs(58);
/// A state that is waited for comes within this time or not at all.
const STATE_WAIT_MAX: Duration = Duration::from_secs(20);
/// How often a state is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

const CAPABILITY: &str = "Has DB access";
const MEMBERS: [(&str, &str); 3] = [("web", "role=web"), ("db", "Has DB access=true"), ("gpu", "gpu=2")];
const WARNING: &str = "disk nearly full";

/// `odeon demo`
pub(crate) async fn demo(out: &mut Output<'_>) -> Result<(), CommandError> {
    let began = Instant::now();
    let mut stage = Stage::new()?;
    let played = tokio::select! {
        played = play(&mut stage, out) => played,
        failed = interrupted("demo") => Err(CommandError::Failed(failed)),
        () = tokio::time::sleep(DEMO_WAIT_MAX) => {
            Err(CommandError::coded(codes::TIMED_OUT, format!("the demo took longer than {DEMO_WAIT_MAX:?}")))
        }
    };
    if played.is_err() {
        stage.notes(out);
    }
    stage.strike().await?;
    played?;
    let seconds = (began.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    let done = serde_json::json!({ "done": true, "nodes": MEMBERS.len() + 1, "seconds": seconds });
    out.value(&done, |_| format!("\nEverything worked and is stopped again, after {seconds} s."))
}

async fn play(stage: &mut Stage, out: &mut Output<'_>) -> Result<(), CommandError> {
    tell(out, "A leader founds a convention.")?;
    stage.start(out, "leader", &["--authority", "accept-all"]).await?;
    tell(out, "Three members join it with a token. Each says what it has.")?;
    stage.take_token(out).await?;
    for (name, capability) in MEMBERS {
        stage.start(out, name, &["--capability", capability, "--join", stage::TOKEN]).await?;
    }
    until(stage, &["nodes", "--json"], |nodes| alive(nodes) == MEMBERS.len() + 1).await?;
    stage.show(out, &["nodes"]).await?;
    push(stage, out).await?;
    greet(stage, out).await?;
    warn(stage, out).await?;
    tell(out, "Everything is shut down.")?;
    for (name, _) in MEMBERS {
        stage.show(out, &["shutdown", "--on", name]).await?;
        stage.ended(name).await?;
    }
    stage.show(out, &["shutdown"]).await?;
    stage.ended("leader").await
}

async fn push(stage: &mut Stage, out: &mut Output<'_>) -> Result<(), CommandError> {
    tell(out, "The code of actors travels as an image, which goes to the leader only.")?;
    stage.put("hello.zip", HELLO_IMAGE)?;
    let pushed = json(&stage.show(out, &["image", "push", "hello.zip", "--json"]).await?)?;
    expect("the image's state", &pushed["state"], "approved")
}

async fn greet(stage: &mut Stage, out: &mut Output<'_>) -> Result<(), CommandError> {
    tell(out, "An actor that needs database access is asked for at the leader, which has none.")?;
    stage.show(out, &["explain", "hello", "Hello", "--require", CAPABILITY]).await?;
    let created = json(&stage.show(out, &["create", "hello", "Hello", "--require", CAPABILITY, "--json"]).await?)?;
    expect("the actor's node", &created["node"], "db")?;
    tell(out, "That node fetched the image by itself. The actor answers across the network.")?;
    let reply = stage.show(out, &["ask", address(&created)?, "are you there?"]).await?;
    expect("the reply", &Json::from(reply.trim_end()), "Hello, world!")
}

async fn warn(stage: &mut Stage, out: &mut Output<'_>) -> Result<(), CommandError> {
    tell(out, "What an actor warns of on any node arrives at the leader.")?;
    let arguments = ["create", "odeon.TestActor", "--require", CAPABILITY, "--json"];
    let created = json(&stage.show(out, &arguments).await?)?;
    expect("the actor's node", &created["node"], "db")?;
    let warning = format!("warn {WARNING}");
    let reply = stage.show(out, &["ask", address(&created)?, &warning]).await?;
    expect("the reply", &Json::from(reply.trim_end()), "logged")?;
    let has_warning = |text: &str| {
        text.lines().filter_map(|line| json(line).ok()).any(|line| {
            line["message"].as_str().is_some_and(|m| m.contains(WARNING))
                && line["node"] == "db"
                && line["level"] == "warn"
        })
    };
    until(stage, &["logs", "--node", "db", "--json"], has_warning).await?;
    stage.show(out, &["logs", "--node", "db"]).await.map(|_| ())
}

/// Looks at a state until it is as it should be.
async fn until(stage: &Stage, arguments: &[&str], is_so: impl Fn(&str) -> bool) -> Result<(), CommandError> {
    let deadline = Instant::now() + STATE_WAIT_MAX;
    loop {
        let seen = stage.run(arguments).await?;
        if is_so(&seen) {
            return Ok(());
        }
        if Instant::now() > deadline {
            let what = arguments.join(" ");
            let message = format!("'odeon {what}' did not show what it should within {STATE_WAIT_MAX:?}, but {seen:?}");
            return Err(CommandError::coded(codes::TIMED_OUT, message));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Says what comes next: part of the output for people, beside it for scripts.
fn tell(out: &mut Output<'_>, text: &str) -> Result<(), CommandError> {
    stage::print(out, &format!("\n# {text}"))
}

fn alive(nodes: &str) -> usize {
    let Ok(Json::Array(nodes)) = json(nodes) else { return 0 };
    nodes.iter().filter(|n| n["state"] == "alive").count()
}

fn json(text: &str) -> Result<Json, CommandError> {
    serde_json::from_str(text).map_err(|e| CommandError::internal(format!("{text:?} is not JSON: {e}")))
}

fn address(created: &Json) -> Result<&str, CommandError> {
    created["address"].as_str().ok_or_else(|| CommandError::internal(format!("{created} has no address")))
}

fn expect(what: &str, found: &Json, expected: &str) -> Result<(), CommandError> {
    if found == expected {
        return Ok(());
    }
    Err(CommandError::internal(format!("{what} is {found}, expected {expected:?}")))
}

/// Returns when the user or the system wants the demo to end.
/// Returns when this process is asked to end, with what then becomes of `what`.
pub(super) async fn interrupted(what: &str) -> Failed {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return Failed::new(codes::INTERNAL, format!("the {what} cannot listen for signals"));
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Failed::new(codes::INTERNAL, format!("the {what} was interrupted"))
}
