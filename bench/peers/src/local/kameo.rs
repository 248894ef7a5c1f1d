//! kameo: `tell` and `ask` between its actors, with its default mailboxes of 64 messages: unbounded ones are slower.

use super::goal::{Goal, Payload, all, expect_crowd, one_more_is_used, one_more_runs};
use super::{Contestant, Crowd, shares, tokio_runtime};
use anyhow::{Context as _, Result, ensure};
use kameo::prelude::*;
use odeon_bench::memory::resident_bytes;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

pub(super) struct Kameo(Runtime);

#[derive(Actor)]
struct Counter(Goal);

impl Message<Payload> for Counter {
    type Reply = ();

    async fn handle(&mut self, message: Payload, _: &mut Context<Self, ()>) {
        self.0.take(message);
    }
}

#[derive(Actor)]
struct Hop {
    done: SyncSender<()>,
    to: Option<ActorRef<Hop>>,
}

struct Next(ActorRef<Hop>);

impl Message<Next> for Hop {
    type Reply = ();

    async fn handle(&mut self, Next(to): Next, _: &mut Context<Self, ()>) {
        self.to = Some(to);
    }
}

impl Message<Payload> for Hop {
    type Reply = ();

    async fn handle(&mut self, message: Payload, _: &mut Context<Self, ()>) {
        // Whoever waits for the end notices that it does not come.
        match (&self.to, message.number) {
            (_, 0) => drop(self.done.send(())),
            (Some(to), left) => drop(to.tell(Payload::new(left - 1)).send().await),
            (None, _) => {}
        }
    }
}

#[derive(Actor)]
struct Replier;

/// A payload that can be a reply.
#[derive(Reply)]
struct Answer(Payload);

impl Message<Payload> for Replier {
    type Reply = Answer;

    async fn handle(&mut self, question: Payload, _: &mut Context<Self, Answer>) -> Answer {
        Answer(Payload::new(question.number + 1))
    }
}

struct Idle;

impl Actor for Idle {
    type Args = Self;
    type Error = std::convert::Infallible;

    async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Self::Error> {
        one_more_runs();
        Ok(state)
    }
}

impl Message<Payload> for Idle {
    type Reply = ();

    async fn handle(&mut self, _: Payload, _: &mut Context<Self, ()>) {
        one_more_is_used();
    }
}

async fn asks(to: ActorRef<Replier>, rounds: u64) -> Result<Vec<u64>> {
    let mut took = Vec::with_capacity(rounds as usize);
    for number in 0..rounds {
        let start = Instant::now();
        let Answer(answer) = to.ask(Payload::new(number)).send().await.ok().context("no answer")?;
        took.push(start.elapsed().as_nanos() as u64);
        ensure!(answer.number == number + 1, "answer {} to question {number}", answer.number);
    }
    Ok(took)
}

impl Kameo {
    pub(super) fn start() -> Result<Self> {
        tokio_runtime().map(Self)
    }

    fn spawn<A: Spawn<Args = A>>(&self, actor: A) -> ActorRef<A> {
        let _entered = self.0.enter();
        A::spawn(actor)
    }
}

impl Contestant for Kameo {
    fn tell(&self, producers: u64, messages: u64) -> Result<Duration> {
        let (goal, arrival) = Goal::new(messages);
        let to = self.spawn(Counter(goal));
        let start = Instant::now();
        let share = messages / producers;
        for first in (0..producers).map(|producer| producer * share) {
            let to = to.clone();
            self.0.spawn(async move {
                for number in first..first + share {
                    if to.tell(Payload::new(number)).send().await.is_err() {
                        return;
                    }
                }
            });
        }
        arrival.wait()?;
        Ok(start.elapsed())
    }

    fn ring(&self, actors: u64, hops: u64) -> Result<Duration> {
        let (done, arrived) = sync_channel(1);
        let ring: Vec<_> = (0..actors).map(|_| self.spawn(Hop { done: done.clone(), to: None })).collect();
        for (hop, to) in ring.iter().zip(ring.iter().cycle().skip(1)) {
            self.0.block_on(hop.ask(Next(to.clone())).send()).ok().context("an actor of the ring is gone")?;
        }
        let start = Instant::now();
        self.0.block_on(ring[0].tell(Payload::new(hops - 1)).send()).ok().context("the ring is broken")?;
        all(&arrived, "of the ring passed the message on")?;
        Ok(start.elapsed())
    }

    fn ask(&self, rounds: u64) -> Result<Vec<u64>> {
        self.0.block_on(self.0.spawn(asks(self.spawn(Replier), rounds)))?
    }

    fn ask_from_outside(&self, rounds: u64) -> Result<Vec<u64>> {
        self.0.block_on(asks(self.spawn(Replier), rounds))
    }

    fn crowd(&self, actors: u64) -> Result<Crowd> {
        let [all_run, all_used] = expect_crowd(actors)?;
        let before = resident_bytes()?;
        let start = Instant::now();
        let spawners = shares(actors).map(|count| {
            self.0.spawn(async move {
                let spawn = |_| Idle::spawn(Idle);
                (0..count).map(spawn).collect::<Vec<_>>()
            })
        });
        all(&all_run, "runs")?;
        let spawning = start.elapsed();
        let mut handles = Vec::new();
        for spawner in spawners {
            handles.push(self.0.block_on(spawner)?);
        }
        let idle_bytes = resident_bytes()? - before;
        for to in handles.iter().flatten() {
            self.0.block_on(to.tell(Payload::new(0)).send()).ok().context("an actor is gone")?;
        }
        all(&all_used, "had its message")?;
        Ok(Crowd { spawning, idle_bytes, used_bytes: resident_bytes()? - before })
    }
}
