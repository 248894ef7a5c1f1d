//! What is counted, on the base `threads` with one worker: there who runs next does not depend on the machine.

use anyhow::{Context as _, Result, ensure};
use odeon::system::{ActorSystem, Base};
use odeon::{ActorExitRequest, Address, AnyMessage, ChildActorExited, Context, Message, actor};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One of the things that are counted.
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    /// What one of them is.
    pub(crate) one: &'static str,
    /// How many make the rest of the run, and what does not divide evenly, small.
    pub(crate) count: u64,
    pub(crate) run: fn(u64) -> Result<()>,
}

/// All of them.
pub(crate) const MEASURES: &[Measure] = &[
    Measure { name: "tell", one: "a message of eight bytes from one actor to another", count: 51_200, run: tell },
    Measure {
        name: "ring",
        one: "a hop in a ring of 100 actors, each of which has one message at most",
        count: 20_000,
        run: ring,
    },
    Measure { name: "ask", one: "a question and its answer between two actors", count: 20_000, run: ask },
    Measure {
        name: "spawn",
        one: "a child is created, has a message, is asked to exit, and its parent is told",
        count: 5_000,
        run: spawn,
    },
    Measure {
        name: "encode",
        one: "a message is encoded and decoded, as it is between nodes and for images",
        count: 20_000,
        run: encode,
    },
];

/// How long a run may take; valgrind makes it fifty times as slow.
const TIME_MAX: Duration = Duration::from_secs(120);
/// Messages that a producer sends before others have their turn.
const BURST: u64 = 512;

#[derive(Serialize, Deserialize, Message)]
struct Number(u64);

/// Begins a run of so many; the last one tells the program.
#[derive(Serialize, Deserialize, Message, Clone)]
struct Begin {
    peers: Vec<Address>,
    count: u64,
    tell: Address,
}

#[derive(Serialize, Deserialize, Message)]
struct More;

fn run<A: odeon::ActorType>(peers: impl FnOnce(&ActorSystem) -> Result<Vec<Address>>, count: u64) -> Result<()> {
    let system = ActorSystem::builder(Base::Threads).workers(1).start();
    let begin = Begin { peers: peers(&system)?, count, tell: system.address() };
    system.tell(system.create_actor::<A>()?, begin);
    let end = system.listen(TIME_MAX).context("the run does not end")?;
    ensure!(end.message.is::<Number>(), "the run ended with a {}", end.message.name());
    ensure!(system.shutdown(), "the actors do not exit");
    Ok(())
}

fn tell(count: u64) -> Result<()> {
    run::<Producer>(|system| Ok(vec![system.create_actor::<Counter>()?]), count)
}

#[derive(Default)]
struct Producer(Option<Begin>, u64);

#[actor]
impl Producer {
    #[handler]
    fn begin(&mut self, begin: &Begin, cx: &mut Context) {
        cx.send(begin.peers[0], Begin { peers: Vec::new(), ..*begin });
        cx.send(cx.my_address(), More);
        self.0 = Some(begin.clone());
    }

    #[handler]
    fn more(&mut self, _: &More, cx: &mut Context) {
        let Some(begin) = &self.0 else { return };
        let until = (self.1 + BURST).min(begin.count);
        for number in self.1..until {
            cx.send(begin.peers[0], Number(number));
        }
        self.1 = until;
        if until < begin.count {
            cx.send(cx.my_address(), More);
        }
    }
}

#[derive(Default)]
struct Counter(u64, Option<(u64, Address)>);

#[actor]
impl Counter {
    #[handler]
    fn number(&mut self, _: &Number, cx: &mut Context) {
        self.0 += 1;
        if let Some((count, tell)) = self.1
            && self.0 == count
        {
            cx.send(tell, Number(count));
        }
    }

    #[handler]
    fn begin(&mut self, begin: &Begin, _: &mut Context) {
        self.1 = Some((begin.count, begin.tell));
    }
}

fn ring(count: u64) -> Result<()> {
    let peers = |system: &ActorSystem| (0..100).map(|_| Ok(system.create_actor::<Hop>()?)).collect();
    run::<Ring>(peers, count)
}

#[derive(Default)]
struct Ring;

#[actor]
impl Ring {
    #[handler]
    fn begin(&mut self, begin: &Begin, cx: &mut Context) {
        let next = begin.peers.iter().cycle().skip(1);
        for (hop, next) in begin.peers.iter().zip(next) {
            cx.send(*hop, Begin { peers: vec![*next], ..*begin });
        }
        cx.send(begin.peers[0], Number(begin.count));
    }
}

#[derive(Default)]
struct Hop(Option<(Address, Address)>);

#[actor]
impl Hop {
    #[handler]
    fn begin(&mut self, begin: &Begin, _: &mut Context) {
        self.0 = Some((begin.peers[0], begin.tell));
    }

    #[handler]
    fn number(&mut self, left: &Number, cx: &mut Context) {
        match (self.0, left.0) {
            (Some((_, tell)), 0) => cx.send(tell, Number(0)),
            (Some((next, _)), left) => cx.send(next, Number(left - 1)),
            (None, _) => {}
        }
    }
}

fn ask(count: u64) -> Result<()> {
    run::<Asker>(|system| Ok(vec![system.create_actor::<Replier>()?]), count)
}

#[derive(Default)]
struct Replier;

#[actor]
impl Replier {
    #[handler]
    fn answer(&mut self, question: &Number, cx: &mut Context) {
        cx.reply(Number(question.0));
    }
}

#[derive(Default)]
struct Asker(Option<Begin>);

#[actor]
impl Asker {
    #[handler]
    fn begin(&mut self, begin: &Begin, cx: &mut Context) {
        cx.send(begin.peers[0], Number(begin.count));
        self.0 = Some(begin.clone());
    }

    #[handler]
    fn answered(&mut self, answer: &Number, cx: &mut Context) {
        match (&self.0, answer.0) {
            (Some(begin), 0) => cx.send(begin.tell, Number(0)),
            (Some(begin), left) => cx.send(begin.peers[0], Number(left - 1)),
            (None, _) => {}
        }
    }
}

fn spawn(count: u64) -> Result<()> {
    run::<Parent>(|_| Ok(Vec::new()), count)
}

#[derive(Default)]
struct Parent(Option<Begin>);

impl Parent {
    fn next(&mut self, cx: &mut Context) {
        let Some(begin) = &mut self.0 else { return };
        if begin.count == 0 {
            return cx.send(begin.tell, Number(0));
        }
        begin.count -= 1;
        let child = cx.create_actor::<Replier>().start();
        cx.send(child, Number(0));
    }
}

#[actor]
impl Parent {
    #[handler]
    fn begin(&mut self, begin: &Begin, cx: &mut Context) {
        self.0 = Some(begin.clone());
        self.next(cx);
    }

    #[handler]
    fn answered(&mut self, _: &Number, cx: &mut Context) {
        cx.send(cx.sender(), ActorExitRequest::default());
    }

    #[handler]
    fn exited(&mut self, _: &ChildActorExited, cx: &mut Context) {
        self.next(cx);
    }
}

/// About what a call of an actor on another node carries.
#[derive(Serialize, Deserialize, Message, Clone)]
struct Order {
    id: u64,
    customer: String,
    items: Vec<(String, u32)>,
}

fn encode(count: u64) -> Result<()> {
    let items = vec![("bolt M6".to_owned(), 40), ("nut M6".to_owned(), 40)];
    for id in 0..count {
        let order = Order { id, customer: "an address of some length".to_owned(), items: items.clone() };
        let crossed = AnyMessage::from_encoded(AnyMessage::new(order).encode()?);
        ensure!(crossed.get::<Order>().is_some_and(|order| order.id == id), "order {id} was lost on the way");
    }
    Ok(())
}
