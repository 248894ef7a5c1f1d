//! Actors that their node does not suit any more, since its capabilities have changed.

use crate::program::{Database, LONG, Seen, Sink, count, registry};
use odeon::simulate::{Decisions, Event, Kind, Run, Simulation, replay, rerun};
use odeon::system::{ActorSystem, AskError};
use odeon::{ActorType, Address, CapabilityMap, ChildActorExited, Context, Definition, Message, Requirements, actor};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// West, and two nodes that are lit and have a database.
fn simulation() -> Simulation {
    let nodes = ["west", "east", "south"].map(|name| {
        let mut map = CapabilityMap::new();
        map.set(name, true).unwrap();
        map.set("Has DB access", name != "west").unwrap();
        map.set("lit", name != "west").unwrap();
        (name, map)
    });
    Simulation::new(registry()).nodes(nodes)
}

fn create_where<A: ActorType>(system: &ActorSystem, requirements: Requirements) -> Address {
    system.create_actor_with::<A>(requirements).unwrap()
}

fn at(place: &str) -> Requirements {
    Requirements::none().require(place)
}

#[derive(Serialize, Deserialize, Message)]
struct Set {
    key: String,
    value: bool,
}

/// Changes what its node has.
#[derive(Default)]
struct Switch;

#[actor]
impl Switch {
    #[handler]
    fn set(&mut self, set: &Set, cx: &mut Context) {
        cx.update_capability(set.key.clone(), set.value);
        cx.reply(());
    }
}

fn set(system: &ActorSystem, place: &str, key: &str, value: bool) {
    let switch = create_where::<Switch>(system, at(place));
    system.ask::<()>(switch, Set { key: key.to_owned(), value }, LONG).unwrap();
}

/// Creates a sink where it is lit, and hands on what it hears of it.
#[derive(Default)]
struct Keeper(Option<Address>);

#[actor]
impl Keeper {
    #[handler]
    fn begin(&mut self, _: &bool, cx: &mut Context) {
        self.0 = Some(cx.sender());
        let sink = cx.create_actor::<Sink>().requirements(at("lit")).start();
        cx.send(sink, ());
        cx.reply(sink);
    }

    #[handler]
    fn seen(&mut self, seen: &Seen, cx: &mut Context) {
        self.0.into_iter().for_each(|asker| cx.send(asker, seen.clone()));
    }

    #[handler]
    fn exited(&mut self, exited: &ChildActorExited, cx: &mut Context) {
        self.0.into_iter().for_each(|asker| cx.send(asker, exited.clone()));
    }
}

/// Has a keeper create its child, and hears of it from now on.
fn begin(system: &ActorSystem, keeper: Address) -> Address {
    system.tell(keeper, true);
    let heard = std::iter::from_fn(|| system.listen(LONG)).find_map(|heard| heard.message.take::<Address>().ok());
    heard.unwrap()
}

#[test]
fn a_change_on_one_node_ends_the_actors_there_that_it_does_not_suit_and_no_others() {
    for seed in 0..50 {
        let run = replay(seed, &simulation(), |system| {
            let keepers = [0; 8].map(|_| create_where::<Keeper>(system, at("west")));
            let children = keepers.map(|keeper| begin(system, keeper));
            let (lit, unlit) = (at("east").require("lit"), at("east"));
            let goes = [create_where::<Sink>(system, lit), create_where::<Database>(system, unlit.clone())];
            let stays = [create_where::<Sink>(system, unlit), create_where::<Sink>(system, at("south").require("lit"))];
            while system.listen(LONG).is_some() {}
            let simulated = system.simulation().unwrap();
            let there = |actor: &Address| simulated.status(*actor).is_some();
            assert!(children.iter().all(there));
            set(system, "east", "Has DB access", false);
            assert!(system.listen(LONG).is_none(), "nobody is told: the database has no parent");
            assert_eq!(goes.map(|actor| there(&actor)), [true, false]);
            set(system, "east", "lit", false);
            let mut told = Vec::new();
            while let Some(heard) = system.listen(LONG) {
                told.push(heard.message.take::<ChildActorExited>().unwrap().child);
            }
            assert_eq!(goes.map(|actor| there(&actor)), [false, false]);
            assert!(stays.iter().all(there), "it was not asked of these, or holds still");
            // Each keeper whose child was there was told once; the other children are in the south.
            told.sort_unstable();
            let mut gone: Vec<_> = children.into_iter().filter(|child| !there(child)).collect();
            gone.sort_unstable();
            assert_eq!(told, gone);
            Err(format!("{} of 8", gone.len()))
        });
        let failure = run.failure.as_ref().unwrap().to_string();
        assert!(failure.ends_with("of 8"), "seed {seed}: {failure}\n{}", run.trace);
    }
}

fn created_on(run: &Run, node: &str) -> usize {
    let is_it = |event: &Event| matches!(event, Event::Created { actor, node: on, .. } if &**actor == "Sink#1" && &**on == node);
    count(run, is_it)
}

/// A child is on its way to the east, where the light goes out, for five seconds.
fn under_way(also_in_the_south: bool) -> Run {
    let mut cut = Decisions::default();
    cut.of_mut(Kind::Cut).insert(0, 5_000);
    rerun(0, cut, &simulation().cut_links(1), |system| {
        let keeper = create_where::<Keeper>(system, at("west"));
        let child = begin(system, keeper);
        set(system, "east", "lit", false);
        if also_in_the_south {
            set(system, "south", "lit", false);
        }
        let Some(heard) = system.listen(LONG) else { return Err("nothing was heard".to_owned()) };
        if let Some(exited) = heard.message.get::<ChildActorExited>() {
            assert_eq!(exited.child, child);
            assert_eq!(system.ask::<Seen>(child, (), LONG), Err(AskError::Gone { actor: child }));
            return Err(exited.reason.clone());
        }
        assert!(heard.message.is::<Seen>());
        Ok(())
    })
}

#[test]
fn a_child_under_way_to_a_node_that_suits_it_no_more_is_created_on_another_one_or_not_at_all() {
    let elsewhere = under_way(false);
    assert_eq!(elsewhere.failure, None, "{}", elsewhere.trace);
    assert_eq!((created_on(&elsewhere, "east"), created_on(&elsewhere, "south")), (0, 1), "{}", elsewhere.trace);
    let nowhere = under_way(true);
    let reason = nowhere.failure.as_ref().unwrap().to_string();
    assert_eq!(reason, "every node that accepted it is lost, or does so no more", "{}", nowhere.trace);
}

#[test]
fn an_actor_whose_constructor_changes_what_let_it_in_is_asked_to_exit() {
    let house = Arc::new(Mutex::new(None::<ActorSystem>));
    let changes = house.clone();
    let mut registry = registry();
    let build = move || {
        let system = changes.lock().unwrap().take();
        system.into_iter().for_each(|system| system.update_capability("lit", None).unwrap());
        Ok(Box::new(Sink::default()) as Box<dyn odeon::Actor>)
    };
    registry.add(Definition { name: "Vandal".into(), build: Arc::new(build), ..Definition::of::<Sink>() });
    let mut lit = CapabilityMap::new();
    lit.set("lit", true).unwrap();
    let system = Simulation::new(registry).nodes([("node", lit)]).start(1);
    *house.lock().unwrap() = Some(system.clone());
    let request = odeon::host::CreateRequest::named("Vandal").requirements(at("lit"));
    let vandal = system.create(request).unwrap();
    assert!(system.listen(Duration::from_secs(1)).is_none());
    assert!(system.simulation().unwrap().status(vandal).is_none(), "it is still there");
}
