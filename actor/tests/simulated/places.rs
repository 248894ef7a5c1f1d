//! Where actors live.

use crate::program::{Database, LONG, Parent, Sink, able, create, registry};
use odeon::simulate::{Event, Simulation, replay};
use odeon::system::CreateError;
use odeon::{Address, CapabilityMap, ChildActorExited};
use std::collections::BTreeMap;

fn simulation() -> Simulation {
    Simulation::new(registry()).nodes([("plain", CapabilityMap::new()), ("one", able()), ("two", able())])
}

#[test]
fn an_actor_lives_on_any_node_that_accepts_it_and_on_no_other() {
    let mut places = BTreeMap::<_, usize>::new();
    for seed in 0..100 {
        let run = replay(seed, &simulation(), |system| {
            create::<Database>(system)?;
            let parent = create::<Parent>(system)?;
            let child = system.ask::<Address>(parent, "Database".to_owned(), LONG).map_err(|e| e.to_string())?;
            system.ask::<i64>(child, 1i64, LONG).map(drop).map_err(|e| e.to_string())
        });
        assert_eq!(run.failure, None, "seed {seed}:\n{}", run.trace);
        for step in run.trace.steps() {
            if let Event::Created { actor, node, .. } = &step.event {
                *places.entry(format!("{actor} on {node}")).or_default() += 1;
            }
        }
    }
    let all: Vec<_> = places.keys().map(String::as_str).collect();
    let expected = [
        "Database#1 on one",
        "Database#1 on two",
        "Database#2 on one",
        "Database#2 on two",
        "Parent#1 on one",
        "Parent#1 on plain",
        "Parent#1 on two",
    ];
    assert_eq!(all, expected);
}

#[test]
fn what_no_node_accepts_is_refused_with_a_reason() {
    let simulation = Simulation::new(registry());
    let run = replay(1, &simulation, |system| {
        let refused = system.create_actor::<Database>();
        assert!(
            matches!(&refused, Err(CreateError::NoCompatibleNode { reason, .. }) if reason.contains("Has DB access"))
        );
        let parent = create::<Parent>(system)?;
        system.tell(parent, "Database".to_owned());
        let child = *system.listen(LONG).unwrap().message.get::<Address>().unwrap();
        let told = system.listen(LONG).unwrap();
        let exited = told.message.get::<ChildActorExited>().unwrap();
        assert_eq!(exited.child, child);
        Err(exited.reason.clone())
    });
    let reason = run.failure.unwrap().to_string();
    assert_eq!(reason, "no compatible node for Database: capability \"Has DB access\" is not there");
}

#[test]
fn a_global_name_is_one_actors_on_all_nodes() {
    for seed in 0..50 {
        let run = replay(seed, &simulation(), |system| {
            let first = system.create_global::<Sink>("sink").unwrap();
            assert_eq!(system.create_global::<Sink>("sink"), Ok(first));
            assert_ne!(create::<Sink>(system)?, first);
            system.tell(first, odeon::ActorExitRequest::default());
            system.listen(LONG);
            assert_ne!(system.create_global::<Sink>("sink"), Ok(first));
            Ok(())
        });
        assert_eq!(run.failure, None);
    }
}
