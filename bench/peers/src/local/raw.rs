//! What the peers are built of: a tokio task with an unbounded channel for each actor.

use super::goal::{Goal, Payload, all, expect_crowd, one_more_is_used, one_more_runs};
use super::{Contestant, Crowd, shares, tokio_runtime};
use anyhow::{Context, Result};
use odeon_bench::memory::resident_bytes;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

pub(super) struct Raw(Runtime);

type Question = (Payload, oneshot::Sender<Payload>);

impl Raw {
    pub(super) fn start() -> Result<Self> {
        tokio_runtime().map(Self)
    }

    fn replier(&self) -> UnboundedSender<Question> {
        let (to, mut questions) = unbounded_channel::<Question>();
        self.0.spawn(async move {
            while let Some((question, answer)) = questions.recv().await {
                let _ = answer.send(Payload::new(question.number + 1));
            }
        });
        to
    }
}

async fn asks(to: UnboundedSender<Question>, rounds: u64) -> Result<Vec<u64>> {
    let mut took = Vec::with_capacity(rounds as usize);
    for number in 0..rounds {
        let start = Instant::now();
        let (answer, answered) = oneshot::channel();
        to.send((Payload::new(number), answer)).context("the replier is gone")?;
        let answer = answered.await.context("no answer")?;
        took.push(start.elapsed().as_nanos() as u64);
        anyhow::ensure!(answer.number == number + 1, "answer {} to question {number}", answer.number);
    }
    Ok(took)
}

impl Contestant for Raw {
    fn tell(&self, producers: u64, messages: u64) -> Result<Duration> {
        let (mut goal, arrival) = Goal::new(messages);
        let (to, mut from) = unbounded_channel();
        self.0.spawn(async move {
            while let Some(message) = from.recv().await {
                goal.take(message);
            }
        });
        let start = Instant::now();
        let share = messages / producers;
        for first in (0..producers).map(|producer| producer * share) {
            let to = to.clone();
            self.0.spawn(async move { (first..first + share).try_for_each(|number| to.send(Payload::new(number))) });
        }
        arrival.wait()?;
        Ok(start.elapsed())
    }

    fn ring(&self, actors: u64, hops: u64) -> Result<Duration> {
        let (done, arrived) = sync_channel(1);
        let (first, first_mail) = unbounded_channel();
        let (mut next, mut mail) = (first.clone(), Some(first_mail));
        for number in (0..actors).rev() {
            // Made from the last to the first, whose mailbox there was before.
            let (to, from) = unbounded_channel();
            let (to, mut from) = if number == 0 { (to, mail.take().unwrap_or(from)) } else { (to, from) };
            let (done, after) = (done.clone(), std::mem::replace(&mut next, to));
            self.0.spawn(async move {
                while let Some(Payload { number, .. }) = from.recv().await {
                    // Its end is told by nobody waiting any more.
                    let _ = match number {
                        0 => done.send(()).map_err(drop),
                        left => after.send(Payload::new(left - 1)).map_err(drop),
                    };
                }
            });
        }
        let start = Instant::now();
        first.send(Payload::new(hops - 1)).context("the ring is broken")?;
        all(&arrived, "of the ring passed the message on")?;
        Ok(start.elapsed())
    }

    fn ask(&self, rounds: u64) -> Result<Vec<u64>> {
        self.0.block_on(self.0.spawn(asks(self.replier(), rounds)))?
    }

    fn ask_from_outside(&self, rounds: u64) -> Result<Vec<u64>> {
        self.0.block_on(asks(self.replier(), rounds))
    }

    fn crowd(&self, actors: u64) -> Result<Crowd> {
        let [all_run, all_used] = expect_crowd(actors)?;
        let before = resident_bytes()?;
        let start = Instant::now();
        let spawners = shares(actors).map(|count| {
            self.0.spawn(async move {
                let mut handles = Vec::with_capacity(count as usize);
                for _ in 0..count {
                    let (to, mut from) = unbounded_channel::<Payload>();
                    tokio::spawn(async move {
                        one_more_runs();
                        while from.recv().await.is_some() {
                            one_more_is_used();
                        }
                    });
                    handles.push(to);
                }
                handles
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
            to.send(Payload::new(0)).context("an actor is gone")?;
        }
        all(&all_used, "had its message")?;
        Ok(Crowd { spawning, idle_bytes, used_bytes: resident_bytes()? - before })
    }
}
