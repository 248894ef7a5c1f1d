//! Actors for the tests, and what the tests ask of them.

use odeon::simulate::{Event, Run, Simulation};
use odeon::system::ActorSystem;
use odeon::{
    ActorType, Address, CapabilityMap, ChildActorExited, Context, Failure, Message, PoisonMessage, Registry, actor,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longer than everything that a test waits for; it is virtual.
pub(crate) const LONG: Duration = Duration::from_secs(3_600);

/// Notes in which order it was sent what, and answers with it.
#[derive(Default)]
pub(crate) struct Sink(Vec<i64>);

#[actor]
impl Sink {
    #[handler]
    fn number(&mut self, number: &i64, _: &mut Context) {
        self.0.push(*number);
    }

    #[handler]
    fn all(&mut self, _: &(), cx: &mut Context) {
        cx.reply(Seen(self.0.clone()));
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Message)]
pub(crate) struct Seen(pub(crate) Vec<i64>);

/// Sends the numbers from one on to a sink.
#[derive(Default)]
pub(crate) struct Source;

#[derive(Serialize, Deserialize, Message)]
pub(crate) struct Pour {
    pub(crate) to: Address,
    pub(crate) from: i64,
    pub(crate) count: i64,
}

#[actor]
impl Source {
    #[handler]
    fn pour(&mut self, pour: &Pour, cx: &mut Context) {
        (pour.from..pour.from + pour.count).for_each(|number| cx.send(pour.to, number));
    }
}

/// Creates a child for each name, hands on what it hears of them, and has them do what it is told.
#[derive(Default)]
pub(crate) struct Parent {
    children: Vec<Address>,
    asker: Option<Address>,
}

#[actor]
impl Parent {
    #[handler]
    fn create(&mut self, name: &String, cx: &mut Context) {
        self.asker = Some(cx.sender());
        let child = cx.create_named(name.clone()).start();
        self.children.push(child);
        cx.reply(child);
    }

    #[handler]
    fn tell(&mut self, number: &i64, cx: &mut Context) {
        self.children.iter().for_each(|child| cx.send(*child, *number));
    }

    #[handler]
    fn gone(&mut self, exited: &ChildActorExited, cx: &mut Context) {
        self.asker.into_iter().for_each(|asker| cx.send(asker, exited.clone()));
    }
}

/// Counts what it is given, fails on a negative number, and lives where there is a database.
#[derive(Default)]
pub(crate) struct Database(i64);

#[actor]
#[require_capability("Has DB access")]
impl Database {
    #[handler]
    fn count(&mut self, number: &i64, cx: &mut Context) -> Result<(), Failure> {
        self.0 += 1;
        if *number < 0 {
            return Err(Failure::new(format!("refused {number}")));
        }
        cx.reply(self.0);
        Ok(())
    }

    #[handler]
    fn poison(&mut self, _: &PoisonMessage, _: &mut Context) {}
}

pub(crate) fn registry() -> Registry {
    Registry::new().with::<Sink>().with::<Source>().with::<Parent>().with::<Database>()
}

pub(crate) const PLACES: [&str; 3] = ["west", "east", "south"];

/// Nodes that are each where nobody else is.
pub(crate) fn simulation() -> Simulation {
    let nodes = PLACES.map(|name| {
        let mut map = CapabilityMap::new();
        map.set(name, true).unwrap();
        (name, map)
    });
    Simulation::new(registry()).nodes(nodes)
}

/// What a node with a database has.
pub(crate) fn able() -> CapabilityMap {
    let mut map = CapabilityMap::new();
    map.set("Has DB access", true).unwrap();
    map
}

pub(crate) fn create<A: ActorType>(system: &ActorSystem) -> Result<Address, String> {
    system.create_actor::<A>().map_err(|error| error.to_string())
}

/// What happened in a run, of one kind.
pub(crate) fn count(run: &Run, which: impl Fn(&Event) -> bool) -> usize {
    run.trace.steps().iter().filter(|step| which(&step.event)).count()
}
