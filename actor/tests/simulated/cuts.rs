//! Links that are cut for a while.

use crate::program::{LONG, PLACES, Pour, Seen, Sink, Source, count, simulation};
use crate::same::{busy, troubled};
use odeon::simulate::{Decisions, Event, Kind, explore, replay, rerun};
use odeon::system::ActorSystem;
use odeon::{ActorType, Address, Context, Requirements, WakeupMessage, actor};
use std::time::Duration;

fn create_at<A: ActorType>(system: &ActorSystem, place: &str) -> Result<Address, String> {
    system.create_actor_with::<A>(Requirements::none().require(place)).map_err(|error| error.to_string())
}

/// Decides on nothing but cuts: at which message between two nodes, and for how many milliseconds.
fn only_cuts(cuts: &[(u32, u32)]) -> Decisions {
    let mut decisions = Decisions::default();
    decisions.of_mut(Kind::Cut).extend(cuts.iter().copied());
    decisions
}

fn is_cut(event: &Event) -> bool {
    matches!(event, Event::Cut { .. })
}

#[test]
fn the_same_seed_gives_the_same_run_with_cuts_and_without_cuts_it_is_as_it_was() {
    let (whole, cut) = (troubled(), troubled().cut_links(3));
    let mut runs_with_cuts = 0;
    for seed in 0..200 {
        let first = replay(seed, &cut, busy);
        assert!(first == replay(seed, &cut, busy), "seed {seed}");
        assert!(first == rerun(seed, first.decisions.clone(), &cut, busy), "seed {seed}, by its decisions");
        let without = replay(seed, &whole, busy);
        assert!(without == rerun(seed, without.decisions.clone(), &cut, busy), "seed {seed}, with its cuts left out");
        match count(&first, is_cut) {
            0 => assert!(first == without, "seed {seed}, where nothing was cut"),
            cuts => {
                assert!(cuts <= 3 && cuts == first.decisions.of(Kind::Cut).len());
                runs_with_cuts += 1;
            }
        }
    }
    assert!((40..160).contains(&runs_with_cuts), "{runs_with_cuts} runs of 200 with cuts");
}

#[test]
fn what_is_sent_over_a_link_that_is_cut_arrives_once_and_in_order() {
    let mut waited = 0;
    for seed in 0..200 {
        let run = replay(seed, &simulation().cut_links(4), |system| {
            let sink = create_at::<Sink>(system, "east")?;
            for (n, place) in (0..).zip(["west", "east", "south", "west"]) {
                let source = create_at::<Source>(system, place)?;
                for from in [0, 5] {
                    system.tell(source, Pour { to: sink, from: 100 * n + from, count: 5 });
                    system.listen(Duration::from_millis(20));
                }
            }
            system.listen(LONG);
            let Ok(Seen(seen)) = system.ask(sink, (), LONG) else { return Err("no answer".to_owned()) };
            for n in 0..4 {
                let of: Vec<_> = seen.iter().copied().filter(|number| number / 100 == n).collect();
                assert_eq!(of, (100 * n..100 * n + 10).collect::<Vec<_>>());
            }
            Ok(())
        });
        assert_eq!(run.failure, None, "seed {seed}:\n{}", run.trace);
        // Alone it is under way for ten milliseconds at most.
        let late = |event: &Event| matches!(event, Event::Sent { delay, .. } if *delay > Duration::from_millis(10));
        waited += usize::from(count(&run, is_cut) > 0 && count(&run, late) > 0);
    }
    assert!(waited > 50, "something waited in {waited} runs of 200");
}

/// Sends what it is told on, and what comes back to whoever told it.
#[derive(Default)]
struct Between(Option<Address>);

#[actor]
impl Between {
    #[handler]
    fn begin(&mut self, sink: &Address, cx: &mut Context) {
        self.0 = Some(cx.sender());
        cx.send(*sink, ());
    }

    #[handler]
    fn seen(&mut self, seen: &Seen, cx: &mut Context) {
        self.0.into_iter().for_each(|asker| cx.send(asker, seen.clone()));
    }
}

#[test]
fn a_cut_holds_up_what_crosses_its_link_and_nothing_else() {
    let simulation = simulation().cut_links(1).delays(Duration::ZERO..=Duration::ZERO);
    // The first message between two nodes is that of west to east.
    let run = rerun(0, only_cuts(&[(0, 5_000)]), &simulation, |system| {
        let simulated = system.simulation().unwrap();
        let sinks = PLACES.map(|place| create_at::<Sink>(system, place));
        let [west, east, south] = [sinks[0].clone()?, sinks[1].clone()?, sinks[2].clone()?];
        let from = |place| create_at::<Between>(system, place);
        system.tell(from("west")?, east);
        assert!(system.listen(Duration::from_secs(1)).is_none(), "it came over a link that is cut");
        // The same link the other way, and each that is whole: within a node, to the program and to the third node.
        system.tell(from("east")?, west);
        assert!(system.listen(Duration::from_secs(1)).is_none(), "it came over a link that is cut");
        for (place, sink) in [("west", west), ("east", east), ("south", south), ("west", south), ("south", east)] {
            system.tell(from(place)?, sink);
            let heard = system.listen(Duration::from_millis(100));
            assert!(heard.is_some(), "{place} heard nothing");
        }
        assert!(system.listen(Duration::from_millis(2_400)).is_none(), "it came over a link that is cut");
        for _ in 0..2 {
            assert!(system.listen(Duration::from_secs(1)).is_some(), "the link stayed cut");
        }
        assert!((Duration::from_secs(5)..Duration::from_millis(5_100)).contains(&simulated.now()));
        Ok(())
    });
    assert_eq!(run.failure, None, "{}", run.trace);
    assert_eq!(count(&run, is_cut), 1);
    assert!(run.trace.to_string().contains("the link of west and east is cut for 5000.000 ms"), "{}", run.trace);
}

/// Creates a sink on east, sends it a number at once, and asks it what it got.
#[derive(Default)]
struct Founder(Option<Address>);

#[actor]
impl Founder {
    #[handler]
    fn begin(&mut self, number: &i64, cx: &mut Context) {
        self.0 = Some(cx.sender());
        let sink = cx.create_named("Sink").requirements(Requirements::none().require("east")).start();
        cx.send(sink, *number);
        cx.send(sink, ());
    }

    #[handler]
    fn seen(&mut self, seen: &Seen, cx: &mut Context) {
        self.0.into_iter().for_each(|asker| cx.send(asker, seen.clone()));
    }
}

#[test]
fn a_child_behind_a_cut_is_created_after_it_and_what_it_was_sent_comes_then() {
    let run = rerun(0, only_cuts(&[(0, 7_000)]), &simulation().cut_links(1), |system| {
        let founder = create_at::<Founder>(system, "west")?;
        let asked = system.ask::<Seen>(founder, 3i64, Duration::from_secs(10));
        assert_eq!(asked, Ok(Seen(vec![3])));
        let taken = system.simulation().unwrap().now();
        assert!((Duration::from_secs(7)..Duration::from_millis(7_100)).contains(&taken), "{taken:?}");
        Ok(())
    });
    assert_eq!(run.failure, None, "{}", run.trace);
    assert_eq!(count(&run, is_cut), 1);
}

/// Counts what is put into it.
#[derive(Default)]
struct Till(i64);

#[actor]
impl Till {
    #[handler]
    fn add(&mut self, number: &i64, cx: &mut Context) {
        self.0 += number;
        cx.reply(self.0);
    }
}

/// Puts one into a till, and takes a silence of a second for a loss: it does it once more.
#[derive(Default)]
struct Impatient {
    till: Option<Address>,
    asker: Option<Address>,
    is_done: bool,
}

#[actor]
impl Impatient {
    #[handler]
    fn begin(&mut self, till: &Address, cx: &mut Context) {
        (self.till, self.asker) = (Some(*till), Some(cx.sender()));
        cx.send(*till, 1i64);
        cx.wakeup_after(Duration::from_secs(1));
    }

    #[handler]
    fn again(&mut self, _: &WakeupMessage, cx: &mut Context) {
        if !self.is_done {
            self.till.into_iter().for_each(|till| cx.send(till, 1i64));
        }
    }

    #[handler]
    fn done(&mut self, sum: &i64, cx: &mut Context) {
        self.is_done = true;
        self.asker.into_iter().for_each(|asker| cx.send(asker, *sum));
    }
}

fn pay(system: &ActorSystem) -> Result<(), String> {
    let (till, payer) = (create_at::<Till>(system, "east")?, create_at::<Impatient>(system, "west")?);
    // What the failure does not need.
    for n in 0..3 {
        let source = create_at::<Source>(system, "south")?;
        system.tell(source, Pour { to: create_at::<Sink>(system, "west")?, from: n, count: 3 });
    }
    system.tell(payer, till);
    while system.listen(LONG).is_some() {}
    match system.ask::<i64>(till, 0i64, LONG) {
        Ok(1) => Ok(()),
        other => Err(format!("one was paid, and the till has {other:?}")),
    }
}

#[test]
fn a_wrong_assumption_of_a_time_is_found_and_shrunk_to_the_one_cut_that_it_needs() {
    assert_eq!(explore(0..200, &simulation().lost_nodes(0), pay), Ok(200), "it takes a link that is cut");
    let error = explore(0..200, &simulation().cut_links(3), pay).unwrap_err();
    let found = error.found().unwrap();
    assert!(found.is_reproducible);
    assert!(found.run.decisions.count() > 10, "{}", found.run.decisions);
    assert_eq!(found.shrunk.decisions.to_string(), "1 of cut", "{error}");
    assert_eq!(count(&found.shrunk, is_cut), 1);
    // The shortest that is too long.
    let cut: Vec<_> = found.shrunk.decisions.of(Kind::Cut).values().collect();
    assert_eq!(cut, [&1_000], "{error}");
    assert!(error.to_string().contains("the link of west and east is cut for 1000.000 ms"), "{error}");
}
