//! One seed, one run.

use crate::program::{LONG, Parent, Pour, Seen, Sink, Source, able, create, registry};
use odeon::simulate::{Simulation, replay, rerun};
use odeon::system::ActorSystem;
use odeon::{CapabilityMap, ChildActorExited};
use std::collections::BTreeSet;
use std::time::Duration;

/// Everything that can differ between two runs: delays, order, places, crashes, lost nodes.
pub(crate) fn troubled() -> Simulation {
    Simulation::new(registry())
        .nodes([("west", able()), ("east", able()), ("south", CapabilityMap::new())])
        .delays(Duration::ZERO..=Duration::from_millis(50))
        .crashes(0.02)
        .lost_nodes(2)
}

pub(crate) fn busy(system: &ActorSystem) -> Result<(), String> {
    let sink = create::<Sink>(system)?;
    let sources = [create::<Source>(system)?, create::<Source>(system)?];
    for (n, source) in sources.into_iter().enumerate() {
        system.tell(source, Pour { to: sink, from: 100 * n as i64, count: 10 });
    }
    let parent = create::<Parent>(system)?;
    for name in ["Sink", "Database", "Database", "Parent", "Nobody"] {
        system.tell(parent, name.to_owned());
    }
    system.tell(parent, 1i64);
    system.tell(parent, -1i64);
    let mut exited = 0;
    while let Some(told) = system.listen(Duration::from_secs(10)) {
        exited += i32::from(told.message.is::<ChildActorExited>());
    }
    if exited == 0 {
        return Err("nobody can have created Nobody".to_owned());
    }
    let _ = system.ask::<Seen>(sink, (), LONG);
    system.shutdown();
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_run_and_so_do_its_decisions_without_it() {
    let simulation = troubled();
    for seed in 0..200 {
        let first = replay(seed, &simulation, busy);
        let again = replay(seed, &simulation, busy);
        assert!(first == again, "seed {seed}:\n{}\nand then:\n{}", first.trace, again.trace);
        let told = rerun(seed, first.decisions.clone(), &simulation, busy);
        assert!(first == told, "seed {seed}:\n{}\nby its decisions:\n{}", first.trace, told.trace);
    }
}

#[test]
fn seeds_differ_in_everything_that_is_left_open() {
    let simulation = troubled();
    let traces: BTreeSet<_> = (0..100).map(|seed| replay(seed, &simulation, busy).trace.to_string()).collect();
    assert_eq!(traces.len(), 100);
}

#[test]
fn what_one_sends_another_is_in_order_and_what_others_send_comes_between() {
    let simulation = Simulation::new(registry());
    let mut orders = BTreeSet::new();
    for seed in 0..200 {
        let run = replay(seed, &simulation, |system| {
            let sink = create::<Sink>(system)?;
            for n in 0..3 {
                let source = create::<Source>(system)?;
                system.tell(source, Pour { to: sink, from: 100 * n, count: 5 });
            }
            system.listen(LONG);
            let Ok(Seen(seen)) = system.ask(sink, (), LONG) else { return Err("no answer".to_owned()) };
            for n in 0..3 {
                let of: Vec<_> = seen.iter().copied().filter(|number| number / 100 == n).collect();
                assert_eq!(of, (100 * n..100 * n + 5).collect::<Vec<_>>(), "out of order");
            }
            Err(format!("{seen:?}"))
        });
        orders.insert(run.failure.unwrap().to_string());
    }
    assert!(orders.len() > 100, "only {} orders in 200 seeds", orders.len());
}

#[test]
fn without_delays_the_order_of_turns_is_still_open() {
    let simulation = Simulation::new(registry()).delays(Duration::ZERO..=Duration::ZERO);
    let order = |seed| {
        let run = replay(seed, &simulation, |system| {
            let sink = create::<Sink>(system)?;
            for n in 0..2 {
                let source = create::<Source>(system)?;
                system.tell(source, Pour { to: sink, from: n, count: 1 });
            }
            system.listen(LONG);
            Err(format!("{:?}", system.ask::<Seen>(sink, (), LONG)))
        });
        run.failure.unwrap().to_string()
    };
    let orders: BTreeSet<_> = (0..50).map(order).collect();
    assert_eq!(orders.into_iter().collect::<Vec<_>>(), ["Ok(Seen([0, 1]))", "Ok(Seen([1, 0]))"]);
}

#[test]
fn two_runs_of_a_program_that_the_seed_does_not_decide_are_told_apart() {
    let calls = std::cell::Cell::new(0);
    let found = odeon::simulate::explore(0..1, &Simulation::new(registry()), |system| {
        calls.set(calls.get() + 1);
        (0..calls.get()).try_for_each(|_| create::<Sink>(system).map(drop))?;
        Err("always".to_owned())
    });
    let error = found.unwrap_err();
    assert!(!error.found().unwrap().is_reproducible);
    assert!(error.to_string().contains("two runs of this seed differ"), "{error}");
}
