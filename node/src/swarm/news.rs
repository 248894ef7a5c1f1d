//! News: an image becomes available, is unloaded, another one is revoked, and a member changes what it can do, and how
//! each comes round.

use super::Plan;
use super::count::Tally;
use super::crew::{ForCrew, What};
use super::leader::Leader;
use super::limits::{LOOK_EVERY, SPREAD_WAIT_MAX};
use super::report::rounded;
use super::spread::Spread;
use super::told::{CHANGING, Fact};
use crate::admin::protocol::{Failed, PushImage, Reply, Request, RevokeImage};
use odeon_capabilities::Delta;
use odeon_convention::codes;
use odeon_convention::record::AuthoritySetting;
use odeon_convention::types::SourceHash;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Where a zip has the time and date of its first file (APPNOTE 6.3, 4.3.7).
const TIME_OF_FIRST: Range<usize> = 10..14;

/// How news came round: from the command or the change until the machine of each member told it to an actor.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct NewsReport {
    /// How often each kind came.
    pub(crate) rounds: u32,
    /// From `image push`.
    pub(crate) available: Spread,
    /// From `image unload`.
    pub(crate) unavailable: Spread,
    /// From `image revoke`, until the machine of each member told its node.
    pub(crate) revoked: Spread,
    /// And until the leader had the confirmations of all nodes, its own among them: the longest of all rounds, null where
    /// one was missing.
    pub(crate) revoked_confirmed_seconds: Option<f64>,
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
        self.await_all(&mut first, Fact::Available(hash), self.push(plan.image)).await?;
        if (first.after.len() as u64) < first.expected {
            let message = format!("of {} members {} watch", first.expected, first.after.len());
            return Err(Failed::new(codes::TIMED_OUT, message));
        }
        let [mut available, mut unavailable, mut revoked, mut capability] = std::array::from_fn(|_| Samples::default());
        let mut confirmed_after = Some(Duration::ZERO);
        self.await_all(&mut Samples::default(), Fact::Unavailable(hash), self.unload(hash)).await?;
        for round in 0..plan.news {
            self.await_all(&mut available, Fact::Available(hash), self.push(plan.image)).await?;
            self.await_all(&mut unavailable, Fact::Unavailable(hash), self.unload(hash)).await?;
            let after = self.revoke(plan, round, &mut revoked).await?;
            confirmed_after = confirmed_after.zip(after).map(|(so_far, after)| so_far.max(after));
            let number = i64::from(round);
            self.await_all(&mut capability, Fact::Changed(number), self.change(plan, round)).await?;
        }
        Ok(NewsReport {
            rounds: plan.news,
            again: available.again + unavailable.again + revoked.again + capability.again,
            available: Spread::of(available.expected, available.after),
            unavailable: Spread::of(unavailable.expected, unavailable.after),
            revoked: Spread::of(revoked.expected, revoked.after),
            revoked_confirmed_seconds: confirmed_after.map(|after| rounded(after.as_secs_f64(), 3)),
            capability: Spread::of(capability.expected, capability.after),
        })
    }

    /// Gives after what time the leader had all confirmations. An image that is revoked is one for ever, so it is another
    /// one each time.
    async fn revoke(&self, plan: &Plan, round: u32, revoked: &mut Samples) -> Result<Option<Duration>, Failed> {
        let bytes = other_image(plan.image, round)?;
        let hash = SourceHash(Sha256::digest(&bytes).into());
        self.await_all(&mut Samples::default(), Fact::Available(hash), self.push(&bytes)).await?;
        let reason = format!("round {round} of a swarm");
        let timeout_ms = u64::try_from(SPREAD_WAIT_MAX.as_millis()).unwrap_or(u64::MAX);
        let (image, by) = (hash.to_string(), String::new());
        let request = Request::RevokeImage(Box::new(RevokeImage { image, end: true, reason, timeout_ms, by }));
        let (since, mut after) = (Instant::now(), None);
        let revoke = async {
            let Reply::Revoked(of) = self.leader.ask(&request).await? else {
                return Err(Failed::new(codes::INTERNAL, "the leader does not say who has confirmed"));
            };
            after = of.unconfirmed.is_empty().then(|| since.elapsed());
            Ok(())
        };
        self.await_all(revoked, Fact::Revoked(hash), revoke).await?;
        Ok(after)
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

    async fn push(&self, bytes: &[u8]) -> Result<(), Failed> {
        let push =
            PushImage { bytes: bytes.to_vec(), signature: None, more_signatures: Vec::new(), allow_older: false };
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

/// The same image with another time of its first file, which may be any: so it has a hash of its own.
fn other_image(image: &[u8], round: u32) -> Result<Vec<u8>, Failed> {
    let mut bytes = image.to_vec();
    let place = bytes.get_mut(TIME_OF_FIRST).and_then(|place| <&mut [u8; 4]>::try_from(place).ok());
    let place = place.ok_or_else(|| Failed::new(codes::IMAGE_MALFORMED, "the image of the swarm has no first file"))?;
    *place = u32::from_le_bytes(*place).wrapping_add(round + 1).to_le_bytes();
    Ok(bytes)
}

async fn tell(crew: &mpsc::Sender<ForCrew>, place: usize, what: What) -> Result<(), Failed> {
    let stopped = |_| Failed::new(codes::INTERNAL, "a crew has stopped");
    crew.send(ForCrew { place, what }).await.map_err(stopped)
}
