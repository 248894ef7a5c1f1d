//! Crashes and lost nodes.

use crate::program::{Database, LONG, Parent, Sink, able, count, create, registry};
use odeon::simulate::{Event, Kind, Simulation, replay};
use odeon::system::AskError;
use odeon::{Address, CapabilityMap, ChildActorExited, Message, PoisonMessage};
use std::time::Duration;

#[test]
fn a_handler_that_always_crashes_is_given_its_message_twice_and_the_sender_is_told() {
    let simulation = Simulation::new(registry()).crashes(1.0).nodes([("node", able())]);
    let run = replay(3, &simulation, |system| {
        let database = create::<Database>(system)?;
        match system.ask::<i64>(database, 1i64, LONG) {
            Err(AskError::Poison { actor, details }) if actor == database => Err(details),
            // It crashed after it had answered.
            Ok(1) => Err("answered".to_owned()),
            other => Ok(drop(other)),
        }
    });
    let reason = run.failure.as_ref().unwrap().to_string();
    assert!(["answered", "the simulation crashed it"].contains(&reason.as_str()), "{reason}");
    assert_eq!(count(&run, |event| matches!(event, Event::Handles { actor, .. } if &**actor == "Database#1")), 2);
    assert_eq!(count(&run, |event| matches!(event, Event::Crashes { .. })), 2);
}

#[test]
fn crashes_are_as_probable_as_they_are_asked_for_and_lose_no_message() {
    let simulation = Simulation::new(registry()).crashes(0.1).nodes([("node", able())]);
    let (mut handled, mut crashed, mut answered, mut poisoned) = (0, 0, 0, 0);
    for seed in 0..100 {
        let run = replay(seed, &simulation, |system| {
            let database = create::<Database>(system)?;
            (0..20i64).for_each(|n| system.tell(database, n));
            Ok(while system.listen(LONG).is_some() {})
        });
        assert_eq!(run.failure, None);
        handled += count(&run, |event| matches!(event, Event::Handles { .. }));
        crashed += run.decisions.of(Kind::Crash).len();
        answered += count(&run, |event| matches!(event, Event::Hears { message, .. } if message == "integer"));
        poisoned +=
            count(&run, |event| matches!(event, Event::Hears { message, .. } if message == PoisonMessage::NAME));
    }
    assert!((150..300).contains(&crashed), "{crashed} crashes of {handled} messages at one in ten");
    assert_eq!(handled, 2_000 + crashed - poisoned, "each crash but the second of a message gives it once more");
    // An answer that was sent before the crash is sent again.
    assert!(answered + poisoned >= 2_000, "{answered} answers and {poisoned} poison messages");
}

#[test]
fn a_node_that_is_lost_takes_its_actors_and_their_parents_are_told_once() {
    // Only one node has the database, only the other one is there from the beginning.
    let simulation = Simulation::new(registry()).nodes([("plain", CapabilityMap::new()), ("able", able())]);
    for seed in 0..50 {
        let run = replay(seed, &simulation, |system| {
            let simulated = system.simulation().unwrap();
            let parent = create::<Parent>(system)?;
            let mut children: Vec<Address> = (0..3)
                .map(|_| {
                    system.tell(parent, "Database".to_owned());
                    *system.listen(LONG).unwrap().message.get::<Address>().unwrap()
                })
                .collect();
            let lives = |actor: &Address| simulated.status(*actor).is_some();
            assert!(system.listen(Duration::from_secs(1)).is_none());
            assert!(children.iter().all(lives));
            simulated.lose(1);
            assert!(!children.iter().any(lives));
            let first = children[0];
            assert_eq!(system.ask::<i64>(first, 1i64, LONG), Err(AskError::Gone { actor: first }));
            if !lives(&parent) {
                return Ok(());
            }
            let before = system.dead_letters();
            system.tell(parent, 1i64);
            let mut told = Vec::new();
            while let Some(heard) = system.listen(LONG) {
                told.extend(heard.message.get::<ChildActorExited>().map(|exited| exited.child));
                assert!(heard.message.get::<ChildActorExited>().is_none_or(|e| e.reason == "its node able was lost"));
            }
            assert_eq!(system.dead_letters() - before, 3, "the parent keeps sending to all that it created");
            told.sort();
            children.sort();
            assert_eq!(told, children);
            Err("it lived".to_owned())
        });
        if let Some(failure) = &run.failure {
            assert_eq!(failure.to_string(), "it lived", "seed {seed}:\n{}", run.trace);
        }
    }
}

#[test]
fn nodes_are_lost_early_and_late_and_never_more_than_asked_for() {
    let nodes = ["a", "b", "c"].map(|name| (name, able()));
    let simulation = Simulation::new(registry()).nodes(nodes).lost_nodes(2);
    let mut lost = [0; 4];
    for seed in 0..200 {
        let run = replay(seed, &simulation, |system| {
            let sink = create::<Sink>(system)?;
            for n in 0..500i64 {
                system.tell(sink, n);
            }
            Ok(while system.listen(LONG).is_some() {})
        });
        assert_eq!(run.failure, None);
        lost[count(&run, |event| matches!(event, Event::Lost { .. }))] += 1;
    }
    assert!(lost[0] > 5 && lost[1] > 20 && lost[2] > 20 && lost[3] == 0, "{lost:?}");
}
