//! Odeon's base `threads`, from actor to actor.

use super::goal::{ARRIVAL_MAX, Payload, Tally, all, expect_crowd, one_more_is_used, one_more_runs};
use super::{Contestant, Crowd, WORKERS, shares};
use anyhow::{Context as _, Result, ensure};
use odeon::system::{ActorSystem, Base};
use odeon::{Address, Context, Message, actor};
use odeon_bench::memory::resident_bytes;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Messages that a producer sends before it lets others have their turn.
const BURST: u64 = 512;

pub(super) struct Odeon(ActorSystem);

/// Tells a counter how much to expect, and whom to tell when it is there.
#[derive(Serialize, Deserialize, Message)]
struct Expect {
    messages: u64,
    tell: Address,
}

#[derive(Serialize, Deserialize, Message)]
struct Sum(u64);

#[derive(Default)]
struct Counter {
    tally: Tally,
    tell: Option<Address>,
}

#[actor]
impl Counter {
    #[handler]
    fn number(&mut self, message: &Payload, cx: &mut Context) {
        if let (Some(sum), Some(tell)) = (self.tally.take(*message), self.tell) {
            cx.send(tell, Sum(sum));
        }
    }

    #[handler]
    fn expect(&mut self, expect: &Expect, cx: &mut Context) {
        self.tally = Tally::new(expect.messages);
        self.tell = Some(expect.tell);
        cx.reply(());
    }
}

/// Makes a producer send the numbers from `next` to `end - 1`.
#[derive(Serialize, Deserialize, Message)]
struct Produce {
    to: Address,
    next: u64,
    end: u64,
}

#[derive(Default)]
struct Producer;

#[actor]
impl Producer {
    #[handler]
    fn produce(&mut self, Produce { to, next, end }: &Produce, cx: &mut Context) {
        let until = (next + BURST).min(*end);
        for number in *next..until {
            cx.send(*to, Payload::new(number));
        }
        if until < *end {
            cx.send(cx.my_address(), Produce { to: *to, next: until, end: *end });
        }
    }
}

/// Where an actor of a ring passes the message to, and whom it tells of the end.
#[derive(Serialize, Deserialize, Message)]
struct Next {
    to: Address,
    tell: Address,
}

#[derive(Default)]
struct Hop(Option<(Address, Address)>);

#[actor]
impl Hop {
    #[handler]
    fn pass(&mut self, message: &Payload, cx: &mut Context) {
        match (self.0, message.number) {
            (Some((_, tell)), 0) => cx.send(tell, ()),
            (Some((to, _)), left) => cx.send(to, Payload::new(left - 1)),
            (None, _) => {}
        }
    }

    #[handler]
    fn next(&mut self, next: &Next, cx: &mut Context) {
        self.0 = Some((next.to, next.tell));
        cx.reply(());
    }
}

#[derive(Default)]
struct Replier;

#[actor]
impl Replier {
    #[handler]
    fn answer(&mut self, question: &Payload, cx: &mut Context) {
        cx.reply(Payload::new(question.number + 1));
    }
}

/// Makes an asker ask.
#[derive(Serialize, Deserialize, Message)]
struct Ask {
    whom: Address,
    rounds: u64,
}

/// Nanoseconds of each round.
#[derive(Serialize, Deserialize, Message)]
struct Took(Vec<u64>);

#[derive(Default)]
struct Asker {
    whom: Option<Address>,
    tell: Option<Address>,
    rounds: u64,
    asked: Option<Instant>,
    took: Vec<u64>,
}

impl Asker {
    fn next(&mut self, cx: &mut Context) {
        let Some(whom) = self.whom else { return };
        self.asked = Some(Instant::now());
        cx.send(whom, Payload::new(self.took.len() as u64));
    }
}

#[actor]
impl Asker {
    #[handler]
    fn answered(&mut self, answer: &Payload, cx: &mut Context) {
        let Some(asked) = self.asked else { return };
        self.took.push(asked.elapsed().as_nanos() as u64);
        let all = self.took.len() as u64 == self.rounds;
        match self.tell {
            // An answer to another question ends it early, which the program notices.
            Some(tell) if all || answer.number != self.took.len() as u64 => {
                cx.send(tell, Took(std::mem::take(&mut self.took)));
            }
            _ => self.next(cx),
        }
    }

    #[handler]
    fn begin(&mut self, ask: &Ask, cx: &mut Context) {
        self.whom = Some(ask.whom);
        self.tell = Some(cx.sender());
        self.rounds = ask.rounds;
        self.took.reserve(ask.rounds as usize);
        self.next(cx);
    }
}

/// One of many.
struct Idle;

#[actor]
impl Idle {
    #[constructor]
    fn new() -> Self {
        one_more_runs();
        Self
    }

    #[handler]
    fn used(&mut self, _: &Payload, _cx: &mut Context) {
        one_more_is_used();
    }
}

impl Odeon {
    pub(super) fn start() -> Self {
        Self(ActorSystem::builder(Base::Threads).workers(WORKERS).start())
    }

    /// What an actor sent to the program, which has to be an `M`.
    fn told<M: Message>(&self) -> Result<M> {
        let envelope = self.0.listen(ARRIVAL_MAX).context("not all messages arrived")?;
        let found = |other: odeon::AnyMessage| anyhow::anyhow!("the program was told a {}", other.name());
        envelope.message.take::<M>().map_err(found)
    }
}

impl Contestant for Odeon {
    fn tell(&self, producers: u64, messages: u64) -> Result<Duration> {
        let counter = self.0.create_actor::<Counter>()?;
        self.0.ask::<()>(counter, Expect { messages, tell: self.0.address() }, ARRIVAL_MAX)?;
        let share = messages / producers;
        let from = (0..producers).map(|_| self.0.create_actor::<Producer>()).collect::<Result<Vec<_>, _>>()?;
        let start = Instant::now();
        for (producer, first) in from.into_iter().zip((0..).step_by(share as usize)) {
            self.0.tell(producer, Produce { to: counter, next: first, end: first + share });
        }
        let Sum(sum) = self.told()?;
        let took = start.elapsed();
        Tally::check(messages, sum)?;
        Ok(took)
    }

    fn ring(&self, actors: u64, hops: u64) -> Result<Duration> {
        let ring = (0..actors).map(|_| self.0.create_actor::<Hop>()).collect::<Result<Vec<_>, _>>()?;
        for (hop, to) in ring.iter().zip(ring.iter().cycle().skip(1)) {
            self.0.ask::<()>(*hop, Next { to: *to, tell: self.0.address() }, ARRIVAL_MAX)?;
        }
        let start = Instant::now();
        self.0.tell(ring[0], Payload::new(hops - 1));
        self.told::<()>()?;
        Ok(start.elapsed())
    }

    fn ask(&self, rounds: u64) -> Result<Vec<u64>> {
        let whom = self.0.create_actor::<Replier>()?;
        self.0.tell(self.0.create_actor::<Asker>()?, Ask { whom, rounds });
        let Took(took) = self.told()?;
        ensure!(took.len() as u64 == rounds, "{} right answers to {rounds} questions", took.len());
        Ok(took)
    }

    fn ask_from_outside(&self, rounds: u64) -> Result<Vec<u64>> {
        let whom = self.0.create_actor::<Replier>()?;
        let ask = |number| {
            let start = Instant::now();
            let answer: Payload = self.0.ask(whom, Payload::new(number), ARRIVAL_MAX)?;
            let took = start.elapsed().as_nanos() as u64;
            ensure!(answer.number == number + 1, "answer {} to question {number}", answer.number);
            Ok(took)
        };
        (0..rounds).map(ask).collect()
    }

    fn crowd(&self, actors: u64) -> Result<Crowd> {
        let [all_run, all_used] = expect_crowd(actors)?;
        let before = resident_bytes()?;
        let start = Instant::now();
        let spawn = |count: u64| {
            let mut handles = Vec::with_capacity(count as usize);
            for _ in 0..count {
                handles.push(self.0.create_actor::<Idle>()?);
            }
            anyhow::Ok(handles)
        };
        let handles =
            std::thread::scope(|scope| shares(actors).map(|count| scope.spawn(move || spawn(count))).map(|t| t.join()));
        all(&all_run, "runs")?;
        let spawning = start.elapsed();
        let idle_bytes = resident_bytes()? - before;
        for spawned in handles {
            for actor in spawned.map_err(|_| anyhow::anyhow!("a spawner panicked"))?? {
                self.0.tell(actor, Payload::new(0));
            }
        }
        all(&all_used, "had its message")?;
        Ok(Crowd { spawning, idle_bytes, used_bytes: resident_bytes()? - before })
    }
}
