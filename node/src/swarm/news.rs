//! News: an image becomes available, is unloaded, and a member changes what it can do, and how each comes round.

use super::Plan;
use super::count::Tally;
use super::crew::{ForCrew, What};
use super::leader::Leader;
use super::limits::{LOOK_EVERY, SPREAD_WAIT_MAX};
use super::spread::Spread;
use super::told::{CHANGING, Fact};
use crate::admin::protocol::{Failed, PushImage, Reply, Request};
use odeon_capabilities::Delta;
use odeon_convention::codes;
use odeon_convention::record::AuthoritySetting;
use odeon_convention::types::SourceHash;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// How news came round: from the command or the change until the machine of each member told it to an actor.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct NewsReport {
    /// How often each kind came.
    pub(crate) rounds: u32,
    /// From `image push`.
    pub(crate) available: Spread,
    /// From `image unload`.
    pub(crate) unavailable: Spread,
    /// From the change of one member's capabilities.
    pub(crate) capability: Spread,
    /// How often somebody was told twice.
    pub(crate) again: u64,
}

/// What the phase needs of the swarm.
pub(super) struct Newsroom<'a> {
    pub(super) leader: &'a Leader,
    pub(super) tally: &'a Tally,
    pub(super) crews: &'a [mpsc::Sender<ForCrew>],
    /// In each.
    pub(super) places: usize,
}

#[derive(Default)]
struct Samples {
    expected: u64,
    after: Vec<Duration>,
    again: u64,
}

impl Newsroom<'_> {
    pub(super) async fn run(&self, plan: &Plan) -> Result<NewsReport, Failed> {
        let hash = SourceHash(Sha256::digest(plan.image).into());
        self.leader.ask(&Request::SetAuthority { authority: AuthoritySetting::AcceptAll }).await?;
        for crew in self.crews {
            for place in 0..self.places {
                tell(crew, place, What::Watch).await?;
            }
        }
        // Who is told of this one is a watcher.
        let mut first = Samples::default();
        self.await_all(&mut first, Fact::Available(hash), self.push(plan)).await?;
        if (first.after.len() as u64) < first.expected {
            let message = format!("of {} members {} watch", first.expected, first.after.len());
            return Err(Failed::new(codes::TIMED_OUT, message));
        }
        let (mut available, mut unavailable, mut capability) =
            (Samples::default(), Samples::default(), Samples::default());
        self.await_all(&mut Samples::default(), Fact::Unavailable(hash), self.unload(hash)).await?;
        for round in 0..plan.news {
            self.await_all(&mut available, Fact::Available(hash), self.push(plan)).await?;
            self.await_all(&mut unavailable, Fact::Unavailable(hash), self.unload(hash)).await?;
            let number = i64::from(round);
            self.await_all(&mut capability, Fact::Changed(number), self.change(plan, round)).await?;
        }
        Ok(NewsReport {
            rounds: plan.news,
            again: available.again + unavailable.again + capability.again,
            available: Spread::of(available.expected, available.after),
            unavailable: Spread::of(unavailable.expected, unavailable.after),
            capability: Spread::of(capability.expected, capability.after),
        })
    }

    /// Makes something happen and waits until all were told.
    async fn await_all(
        &self,
        samples: &mut Samples,
        fact: Fact,
        happens: impl Future<Output = Result<(), Failed>>,
    ) -> Result<(), Failed> {
        let members = self.tally.registered().1.saturating_sub(self.tally.lost().0);
        let told = &self.tally.told;
        told.await_fact(fact);
        happens.await?;
        let all = async {
            while told.count() < members {
                sleep(LOOK_EVERY).await;
            }
        };
        // Who was not told by then is missing in the counts.
        let _ = timeout(SPREAD_WAIT_MAX, all).await;
        let came = told.take();
        samples.expected += members;
        samples.again += came.again;
        samples.after.extend(came.after);
        Ok(())
    }

    async fn push(&self, plan: &Plan) -> Result<(), Failed> {
        let push =
            PushImage { bytes: plan.image.to_vec(), signature: None, more_signatures: Vec::new(), allow_older: false };
        match self.leader.ask(&Request::PushImage(push)).await? {
            Reply::Pushed(_) => Ok(()),
            _ => Err(Failed::new(codes::INTERNAL, "the leader does not say what became of the image")),
        }
    }

    async fn unload(&self, hash: SourceHash) -> Result<(), Failed> {
        self.leader.ask(&Request::UnloadImage { image: hash.to_string() }).await.map(|_| ())
    }

    /// Another member each time, of those that are not to die.
    async fn change(&self, plan: &Plan, round: u32) -> Result<(), Failed> {
        let number = round as usize % (plan.nodes - plan.kill).max(1) as usize;
        let delta = Delta([(CHANGING.to_owned(), Some(i64::from(round).into()))].into());
        let crew = self.crews.get(number / self.places);
        let crew = crew.ok_or_else(|| Failed::new(codes::INTERNAL, "a member without a crew"))?;
        tell(crew, number % self.places, What::Change(delta)).await
    }
}

async fn tell(crew: &mpsc::Sender<ForCrew>, place: usize, what: What) -> Result<(), Failed> {
    let stopped = |_| Failed::new(codes::INTERNAL, "a crew has stopped");
    crew.send(ForCrew { place, what }).await.map_err(stopped)
}
