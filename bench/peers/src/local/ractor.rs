//! ractor: `cast` and `call` between its actors, without the feature for tracing spans.

use super::goal::{Goal, Payload, all, expect_crowd, one_more_is_used, one_more_runs};
use super::{Contestant, Crowd, shares, tokio_runtime};
use anyhow::{Context, Result, ensure};
use odeon_bench::memory::resident_bytes;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, call};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

pub(super) struct Ractor(Runtime);

type Handled = Result<(), ActorProcessingErr>;

struct Counter;

impl Actor for Counter {
    type Msg = Payload;
    type State = Goal;
    type Arguments = Goal;

    async fn pre_start(&self, _: ActorRef<Payload>, goal: Goal) -> Result<Goal, ActorProcessingErr> {
        Ok(goal)
    }

    async fn handle(&self, _: ActorRef<Payload>, message: Payload, goal: &mut Goal) -> Handled {
        goal.take(message);
        Ok(())
    }
}

struct Hop;

enum HopMessage {
    Next(ActorRef<HopMessage>),
    Pass(Payload),
}

impl Actor for Hop {
    type Msg = HopMessage;
    type State = (SyncSender<()>, Option<ActorRef<HopMessage>>);
    type Arguments = SyncSender<()>;

    async fn pre_start(
        &self,
        _: ActorRef<HopMessage>,
        done: SyncSender<()>,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok((done, None))
    }

    async fn handle(&self, _: ActorRef<HopMessage>, message: HopMessage, (done, to): &mut Self::State) -> Handled {
        match message {
            HopMessage::Next(next) => *to = Some(next),
            HopMessage::Pass(Payload { number: 0, .. }) => done.send(())?,
            HopMessage::Pass(Payload { number, .. }) => {
                to.iter().try_for_each(|to| to.cast(HopMessage::Pass(Payload::new(number - 1))))?;
            }
        }
        Ok(())
    }
}

struct Replier;

enum Question {
    Ask(Payload, RpcReplyPort<Payload>),
}

impl Actor for Replier {
    type Msg = Question;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Question>, (): ()) -> Handled {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Question>, Question::Ask(question, answer): Question, (): &mut ()) -> Handled {
        answer.send(Payload::new(question.number + 1))?;
        Ok(())
    }
}

struct Idle;

impl Actor for Idle {
    type Msg = Payload;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Payload>, (): ()) -> Handled {
        one_more_runs();
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Payload>, _: Payload, (): &mut ()) -> Handled {
        one_more_is_used();
        Ok(())
    }
}

async fn asks(to: ActorRef<Question>, rounds: u64) -> Result<Vec<u64>> {
    let mut took = Vec::with_capacity(rounds as usize);
    for number in 0..rounds {
        let start = Instant::now();
        let answer: Payload = call!(to, Question::Ask, Payload::new(number)).context("no answer")?;
        took.push(start.elapsed().as_nanos() as u64);
        ensure!(answer.number == number + 1, "answer {} to question {number}", answer.number);
    }
    Ok(took)
}

impl Ractor {
    pub(super) fn start() -> Result<Self> {
        tokio_runtime().map(Self)
    }

    fn spawn<A: Actor>(&self, actor: A, arguments: A::Arguments) -> Result<ActorRef<A::Msg>> {
        let (spawned, _) = self.0.block_on(A::spawn(None, actor, arguments)).context("spawn an actor")?;
        Ok(spawned)
    }
}

impl Contestant for Ractor {
    fn tell(&self, producers: u64, messages: u64) -> Result<Duration> {
        let (goal, arrival) = Goal::new(messages);
        let to = self.spawn(Counter, goal)?;
        let start = Instant::now();
        let share = messages / producers;
        for first in (0..producers).map(|producer| producer * share) {
            let to = to.clone();
            self.0.spawn(async move { (first..first + share).try_for_each(|number| to.cast(Payload::new(number))) });
        }
        arrival.wait()?;
        Ok(start.elapsed())
    }

    fn ring(&self, actors: u64, hops: u64) -> Result<Duration> {
        let (done, arrived) = sync_channel(1);
        let ring = (0..actors).map(|_| self.spawn(Hop, done.clone())).collect::<Result<Vec<_>>>()?;
        for (hop, to) in ring.iter().zip(ring.iter().cycle().skip(1)) {
            hop.cast(HopMessage::Next(to.clone())).ok().context("an actor of the ring is gone")?;
        }
        let start = Instant::now();
        ring[0].cast(HopMessage::Pass(Payload::new(hops - 1))).ok().context("the ring is broken")?;
        all(&arrived, "of the ring passed the message on")?;
        Ok(start.elapsed())
    }

    fn ask(&self, rounds: u64) -> Result<Vec<u64>> {
        self.0.block_on(self.0.spawn(asks(self.spawn(Replier, ())?, rounds)))?
    }

    fn ask_from_outside(&self, rounds: u64) -> Result<Vec<u64>> {
        self.0.block_on(asks(self.spawn(Replier, ())?, rounds))
    }

    fn crowd(&self, actors: u64) -> Result<Crowd> {
        let [all_run, all_used] = expect_crowd(actors)?;
        let before = resident_bytes()?;
        let start = Instant::now();
        let spawners = shares(actors).map(|count| {
            self.0.spawn(async move {
                let mut handles = Vec::with_capacity(count as usize);
                for _ in 0..count {
                    handles.push(Idle::spawn(None, Idle, ()).await?.0);
                }
                anyhow::Ok(handles)
            })
        });
        all(&all_run, "runs")?;
        let spawning = start.elapsed();
        let mut handles = Vec::new();
        for spawner in spawners {
            handles.push(self.0.block_on(spawner)??);
        }
        let idle_bytes = resident_bytes()? - before;
        for to in handles.iter().flatten() {
            to.cast(Payload::new(0)).ok().context("an actor is gone")?;
        }
        all(&all_used, "had its message")?;
        Ok(Crowd { spawning, idle_bytes, used_bytes: resident_bytes()? - before })
    }
}
