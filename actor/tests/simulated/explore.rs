//! Seeds that fail: found, told of, shrunk.

use crate::program::{LONG, Pour, Seen, Sink, Source, create, registry};
use odeon::simulate::{ExploreError, Kind, Reason, SEED_VARIABLE, Simulation, explore, replay, rerun};
use odeon::system::ActorSystem;
use odeon::{Context, actor};
use std::process::Command;

/// Two sources, of which the second is expected to come last; most often it does.
fn race(system: &ActorSystem) -> Result<(), String> {
    let sink = create::<Sink>(system)?;
    let sources = [create::<Source>(system)?, create::<Source>(system)?];
    // What the race does not need.
    for n in 2..6 {
        let other = create::<Source>(system)?;
        system.tell(other, Pour { to: create::<Sink>(system)?, from: n, count: 3 });
    }
    system.tell(sources[0], Pour { to: sink, from: 0, count: 3 });
    system.tell(sources[1], Pour { to: sink, from: 10, count: 1 });
    system.listen(LONG);
    match system.ask::<Seen>(sink, (), LONG) {
        Ok(Seen(seen)) if seen.last() == Some(&2) => Err(format!("the last was not the last: {seen:?}")),
        _ => Ok(()),
    }
}

#[test]
fn a_race_is_found_and_shrunk_to_the_one_decision_that_it_needs() {
    let simulation = Simulation::new(registry()).crashes(0.001).lost_nodes(1);
    let error = explore(0..500, &simulation, race).unwrap_err();
    let found = error.found().unwrap();
    assert!(found.is_reproducible);
    assert!(found.run.decisions.count() > 10, "{}", found.run.decisions);
    assert_eq!(found.shrunk.decisions.count(), 1, "{error}");
    assert_eq!(found.shrunk.decisions.of(Kind::Crash).len() + found.shrunk.decisions.of(Kind::Loss).len(), 0);
    assert!(matches!(&found.reason, Reason::Error(text) if text.starts_with("the last was not")));
    let text = error.to_string();
    assert!(text.contains(&format!("{SEED_VARIABLE}={}", found.seed)), "{text}");
    assert!(text.contains("Source#2 -> Sink#1: integer"), "{text}");
    // Both runs can be had again.
    assert_eq!(replay(found.seed, &simulation, race), found.run);
    assert_eq!(rerun(found.seed, found.shrunk.decisions.clone(), &simulation, race), found.shrunk);
}

#[test]
fn a_program_that_never_fails_runs_all_seeds() {
    let runs = explore(5..25, &Simulation::new(registry()), |system| create::<Sink>(system).map(drop));
    assert_eq!(runs.unwrap(), 20);
}

#[test]
fn an_assertion_that_fails_is_told_with_its_place_and_its_seed() {
    let found = explore(7..9, &Simulation::new(registry()), |_| {
        assert_eq!(1 + 1, 3, "arithmetic");
        Ok(())
    });
    let error = found.unwrap_err();
    let found = error.found().unwrap();
    assert_eq!(found.seed, 7);
    match &found.reason {
        Reason::Panic { at, text } => {
            assert!(at.contains("explore.rs:"), "{at}");
            assert!(text.contains("arithmetic"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    assert!(format!("{error:?}").contains("seed 7 fails"));
}

/// Talks to itself for ever, by way of a wakeup that is due at once.
#[derive(Default)]
struct Restless;

#[actor]
impl Restless {
    #[fallback]
    fn anything(&mut self, _: &odeon::AnyMessage, cx: &mut Context) {
        cx.send(cx.my_address(), ());
    }
}

#[test]
fn a_program_that_comes_to_no_end_fails() {
    let simulation = Simulation::new(registry()).steps_max(1_000);
    let found = explore(0..1, &simulation, |system| {
        let restless = create::<Restless>(system)?;
        system.tell(restless, ());
        while system.listen(LONG).is_none() {}
        Ok(())
    });
    assert_eq!(found.unwrap_err().found().unwrap().reason, Reason::NoEnd { steps_max: 1_000 });
}

#[test]
fn an_ask_that_is_not_answered_ends_by_virtual_time() {
    let run = replay(1, &Simulation::new(registry()), |system| {
        let restless = create::<Restless>(system)?;
        let asked = system.ask::<()>(restless, (), std::time::Duration::from_millis(20));
        Err(format!("{}", matches!(asked, Err(odeon::system::AskError::Timeout { .. }))))
    });
    assert_eq!(run.failure, Some(Reason::Error("true".to_owned())));
}

/// Run by the next test, in a process of its own: the variable holds for a whole process.
#[test]
#[ignore = "run by another test, with the variable set"]
fn only_the_seed_of_the_variable_is_run() {
    let explored = explore(0..3, &Simulation::new(registry()), |system| create::<Sink>(system).map(drop));
    match explored {
        Ok(runs) => println!("ran {runs}"),
        Err(ExploreError::Seed { found }) => println!("no seed: {found}"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_variable_chooses_the_seed_and_a_bad_one_is_an_error() {
    for (value, says) in [("17", "ran 1"), ("-1", "no seed: -1"), ("", "no seed: ")] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "explore::only_the_seed_of_the_variable_is_run", "--nocapture"])
            .env(SEED_VARIABLE, value)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.lines().any(|line| line.trim_end() == says.trim_end()), "{value:?}: {text}");
    }
}
