//! actix: `do_send` and `send` between its actors, in one arbiter (a thread, its fastest way) or spread over two.

use super::goal::{ARRIVAL_MAX, Goal, Payload, all, expect_crowd, one_more_is_used, one_more_runs};
use super::{Contestant, Crowd};
use actix::prelude::*;
use anyhow::{Context as _, Result, ensure};
use odeon_bench::memory::resident_bytes;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

pub(super) struct Actix {
    arbiters: Vec<Arbiter>,
    runner: SystemRunner,
}

impl actix::Message for Payload {
    type Result = u64;
}

struct Counter(Goal);

impl Actor for Counter {
    type Context = actix::Context<Self>;
}

impl Handler<Payload> for Counter {
    type Result = u64;

    fn handle(&mut self, message: Payload, _: &mut actix::Context<Self>) -> u64 {
        self.0.take(message);
        0
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Next(Addr<Hop>);

struct Hop {
    done: SyncSender<()>,
    to: Option<Addr<Hop>>,
}

impl Actor for Hop {
    type Context = actix::Context<Self>;
}

impl Handler<Next> for Hop {
    type Result = ();

    fn handle(&mut self, Next(to): Next, _: &mut actix::Context<Self>) {
        self.to = Some(to);
    }
}

impl Handler<Payload> for Hop {
    type Result = u64;

    fn handle(&mut self, message: Payload, _: &mut actix::Context<Self>) -> u64 {
        match (&self.to, message.number) {
            // Whoever waits for the end notices that it does not come.
            (_, 0) => drop(self.done.send(())),
            (Some(to), left) => to.do_send(Payload::new(left - 1)),
            (None, _) => {}
        }
        0
    }
}

struct Replier;

impl Actor for Replier {
    type Context = actix::Context<Self>;
}

impl Handler<Payload> for Replier {
    type Result = u64;

    fn handle(&mut self, question: Payload, _: &mut actix::Context<Self>) -> u64 {
        question.number + 1
    }
}

struct Idle;

impl Actor for Idle {
    type Context = actix::Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        one_more_runs();
    }
}

impl Handler<Payload> for Idle {
    type Result = u64;

    fn handle(&mut self, _: Payload, _: &mut actix::Context<Self>) -> u64 {
        one_more_is_used();
        0
    }
}

async fn asks(to: Addr<Replier>, rounds: u64) -> Result<Vec<u64>> {
    let mut took = Vec::with_capacity(rounds as usize);
    for number in 0..rounds {
        let start = Instant::now();
        let answer = to.send(Payload::new(number)).await.context("no answer")?;
        took.push(start.elapsed().as_nanos() as u64);
        ensure!(answer == number + 1, "answer {answer} to question {number}");
    }
    Ok(took)
}

impl Actix {
    pub(super) fn start(arbiters: usize) -> Self {
        // Arbiters belong to a system, which lives for as long as its runner.
        let runner = System::new();
        Self { arbiters: (0..arbiters).map(|_| Arbiter::new()).collect(), runner }
    }

    /// An actor, in each arbiter by turns.
    fn spawn<A: Actor<Context = actix::Context<A>> + Send>(&self, number: usize, actor: A) -> Addr<A> {
        A::start_in_arbiter(&self.arbiters[number % self.arbiters.len()].handle(), |_| actor)
    }
}

impl Contestant for Actix {
    fn tell(&self, producers: u64, messages: u64) -> Result<Duration> {
        let (goal, arrival) = Goal::new(messages);
        let to = self.spawn(0, Counter(goal));
        let start = Instant::now();
        let share = messages / producers;
        for producer in 0..producers {
            let (to, first) = (to.clone(), producer * share);
            // Producers have the other arbiter, when there is one.
            let spawned = self.arbiters[self.arbiters.len() - 1].spawn(async move {
                (first..first + share).for_each(|number| to.do_send(Payload::new(number)));
            });
            ensure!(spawned, "an arbiter is gone");
        }
        arrival.wait()?;
        Ok(start.elapsed())
    }

    fn ring(&self, actors: u64, hops: u64) -> Result<Duration> {
        let (done, arrived) = sync_channel(1);
        let spawn = |number| self.spawn(number, Hop { done: done.clone(), to: None });
        let ring: Vec<_> = (0..actors as usize).map(spawn).collect();
        for (hop, to) in ring.iter().zip(ring.iter().cycle().skip(1)) {
            self.runner.block_on(hop.send(Next(to.clone()))).context("an actor of the ring is gone")?;
        }
        let start = Instant::now();
        ring[0].do_send(Payload::new(hops - 1));
        all(&arrived, "of the ring passed the message on")?;
        Ok(start.elapsed())
    }

    fn ask(&self, rounds: u64) -> Result<Vec<u64>> {
        let to = self.spawn(0, Replier);
        let (end, took) = sync_channel(1);
        let spawned = self.arbiters[self.arbiters.len() - 1].spawn(async move {
            // The program may have given up.
            let _ = end.send(asks(to, rounds).await);
        });
        ensure!(spawned, "an arbiter is gone");
        took.recv_timeout(ARRIVAL_MAX).context("not all answers came")?
    }

    fn ask_from_outside(&self, rounds: u64) -> Result<Vec<u64>> {
        self.runner.block_on(asks(self.spawn(0, Replier), rounds))
    }

    fn crowd(&self, actors: u64) -> Result<Crowd> {
        let [all_run, all_used] = expect_crowd(actors)?;
        let share = actors / self.arbiters.len() as u64;
        let before = resident_bytes()?;
        let start = Instant::now();
        let (end, spawned) = sync_channel(self.arbiters.len());
        for arbiter in &self.arbiters {
            let end = end.clone();
            // The program may have given up.
            arbiter.spawn_fn(move || drop(end.send((0..share).map(|_| Idle.start()).collect::<Vec<_>>())));
        }
        all(&all_run, "runs")?;
        let spawning = start.elapsed();
        let handles: Vec<_> = spawned.iter().take(self.arbiters.len()).collect();
        let idle_bytes = resident_bytes()? - before;
        for to in handles.iter().flatten() {
            to.do_send(Payload::new(0));
        }
        all(&all_used, "had its message")?;
        Ok(Crowd { spawning, idle_bytes, used_bytes: resident_bytes()? - before })
    }
}
