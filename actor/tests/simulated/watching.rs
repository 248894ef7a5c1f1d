//! What actors are told of the nodes of a simulation.

use crate::program::{LONG, count, create, simulation};
use odeon::simulate::{Event, replay};
use odeon::system::ActorSystem;
use odeon::{
    ActorExitRequest, Address, Context, Failure, ImageAvailable, MemberChanged, MemberJoined, MemberLost, Message,
    Requirements, Topic, actor,
};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::time::Duration;

#[derive(Serialize, Deserialize, Message)]
struct Watch {
    topic: Topic,
    on: bool,
}

/// What it was told so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Message)]
struct Told(Vec<String>);

#[derive(Serialize, Deserialize, Message)]
struct Change {
    key: String,
    value: i64,
}

/// Watches what it is told to watch, and writes down what it hears.
#[derive(Default)]
struct Watcher(Vec<String>);

#[actor]
impl Watcher {
    #[handler]
    fn watch(&mut self, watch: &Watch, cx: &mut Context) {
        if watch.on { cx.watch(watch.topic) } else { cx.unwatch(watch.topic) }
    }

    #[handler]
    fn change(&mut self, change: &Change, cx: &mut Context) {
        cx.update_capability(change.key.clone(), change.value);
    }

    #[handler]
    fn told(&mut self, _: &(), cx: &mut Context) {
        cx.reply(Told(self.0.clone()));
    }

    /// It begins anew, and has forgotten what it was told.
    #[handler]
    fn fail(&mut self, _: &bool, _: &mut Context) -> Result<(), Failure> {
        Err(Failure::new("as it was told"))
    }

    #[handler]
    fn joined(&mut self, joined: &MemberJoined, _: &mut Context) {
        assert!(joined.capabilities.value(&joined.name).is_some() && joined.listen.is_empty());
        self.0.push(format!("joined {}", joined.name));
    }

    #[handler]
    fn lost(&mut self, lost: &MemberLost, _: &mut Context) {
        self.0.push(format!("lost {}", lost.name));
    }

    #[handler]
    fn changed(&mut self, changed: &MemberChanged, _: &mut Context) {
        let value = |key: &String| format!("{key}={:?}", changed.capabilities.value(key));
        let values: Vec<_> = changed.changed.iter().map(value).collect();
        self.0.push(format!("changed {}: {}", changed.name, values.join(", ")));
    }

    #[handler]
    fn image(&mut self, _: &ImageAvailable, _: &mut Context) {
        self.0.push("image".to_owned());
    }
}

fn watcher_at(system: &ActorSystem, place: &str) -> Address {
    system.create_actor_with::<Watcher>(Requirements::none().require(place)).unwrap()
}

fn told(system: &ActorSystem, watcher: Address) -> Vec<String> {
    while system.listen(LONG).is_some() {}
    let Ok(Told(told)) = system.ask(watcher, (), LONG) else { panic!("the watcher does not answer") };
    told
}

#[test]
fn changes_of_capabilities_are_told_with_their_keys_and_only_where_something_is_different() {
    for seed in 0..20 {
        let run = replay(seed, &simulation(), |system| {
            let (watcher, changer) = (watcher_at(system, "west"), watcher_at(system, "east"));
            system.tell(watcher, Watch { topic: Topic::Capabilities, on: true });
            assert_eq!(told(system, watcher), Vec::<String>::new(), "there is nothing at first");
            for value in [1, 1, 2] {
                system.tell(changer, Change { key: "gpu".to_owned(), value });
            }
            for value in [Some(7.into()), Some(7.into()), None] {
                // That is the first node's.
                system.update_capability("zone", value).unwrap();
            }
            let mut told = told(system, watcher);
            told.sort();
            let expected = [
                "changed east: gpu=Some(Integer(1))",
                "changed east: gpu=Some(Integer(2))",
                "changed west: zone=None",
                "changed west: zone=Some(Integer(7))",
            ];
            assert_eq!(told, expected);
            Ok(())
        });
        assert_eq!(run.failure, None, "seed {seed}:\n{}", run.trace);
    }
}

#[test]
fn watching_twice_is_watching_once_and_beginning_anew_tells_everything() {
    let run = replay(1, &simulation(), |system| {
        let watcher = watcher_at(system, "west");
        let watch = |on| system.tell(watcher, Watch { topic: Topic::Members, on });
        let there = ["joined west", "joined east", "joined south"];
        watch(true);
        watch(true);
        system.tell(watcher, Watch { topic: Topic::Images, on: true });
        assert_eq!(told(system, watcher), there);
        watch(false);
        assert_eq!(told(system, watcher), there);
        system.simulation().unwrap().lose(2);
        assert_eq!(told(system, watcher), there, "it does not watch any more");
        watch(true);
        assert_eq!(told(system, watcher)[3..], ["joined west", "joined east"]);
        // One that begins anew goes on watching.
        system.tell(watcher, true);
        assert_eq!(told(system, watcher), Vec::<String>::new());
        system.simulation().unwrap().lose(1);
        assert_eq!(told(system, watcher), ["lost east"]);
        Ok(())
    });
    assert_eq!(run.failure, None, "{}", run.trace);
}

#[test]
fn news_for_an_actor_that_is_gone_are_nobodys_loss() {
    for seed in 0..20 {
        let run = replay(seed, &simulation(), |system| {
            let watcher = watcher_at(system, "west");
            system.tell(watcher, Watch { topic: Topic::Members, on: true });
            system.tell(watcher, ActorExitRequest::default());
            while system.listen(LONG).is_some() {}
            system.simulation().unwrap().lose(1);
            while system.listen(LONG).is_some() {}
            assert_eq!(system.dead_letters(), 0);
            Ok(())
        });
        assert_eq!(run.failure, None, "seed {seed}:\n{}", run.trace);
    }
}

#[test]
fn every_watcher_is_told_of_each_node_once_and_in_turn_whenever_nodes_are_lost() {
    let mut lost_in_all = 0;
    for seed in 0..200 {
        let left = RefCell::new(Vec::new());
        let run = replay(seed, &simulation().lost_nodes(2).cut_links(2), |system| {
            let watchers: Vec<_> = (0..6).map(|_| create::<Watcher>(system)).collect();
            for watcher in watchers.iter().flatten() {
                system.tell(*watcher, Watch { topic: Topic::Members, on: true });
                system.listen(Duration::from_millis(5));
            }
            // Enough steps for the losses.
            for n in 0..1_000 {
                watchers
                    .iter()
                    .flatten()
                    .for_each(|watcher| system.tell(*watcher, Watch { topic: Topic::Images, on: n % 2 == 0 }));
                system.listen(Duration::from_millis(20));
            }
            for watcher in watchers.into_iter().flatten() {
                if let Ok(Told(told)) = system.ask(watcher, (), LONG) {
                    left.borrow_mut().push(told);
                }
            }
            Ok(())
        });
        assert_eq!(run.failure, None, "seed {seed}:\n{}", run.trace);
        let lost = count(&run, |event| matches!(event, Event::Lost { .. }));
        lost_in_all += lost;
        for told in left.into_inner() {
            let joined: Vec<_> = told.iter().filter_map(|line| line.strip_prefix("joined ")).collect();
            let gone: Vec<_> = told.iter().filter_map(|line| line.strip_prefix("lost ")).collect();
            assert_eq!(joined.len() + gone.len(), told.len(), "{told:?}");
            // It began when some were gone already.
            assert_eq!(joined.len() - gone.len(), 3 - lost, "seed {seed}: {told:?} and {lost} lost");
            for name in gone {
                let position = |line: String| told.iter().position(|told| *told == line);
                assert!(position(format!("joined {name}")) < position(format!("lost {name}")), "{told:?}");
                assert_eq!(told.iter().filter(|line| line.ends_with(name)).count(), 2, "{told:?}");
            }
        }
    }
    assert!(lost_in_all > 100, "{lost_in_all} nodes were lost in 200 runs");
}
