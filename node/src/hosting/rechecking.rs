//! Actors that may not be here any more since this node's capabilities have changed: they are asked to exit.
//!
//! One check answers for all actors that are alike. Checks run one after the other in a thread of their own; those that wait
//! for a process have another one, where they hold up no others. A check that gives no word, since it took too long or
//! its process died, ends nobody: it is asked again until it does. Start with [`Hosting::keep_rechecking`].

use super::Hosting;
use hashbrown::HashSet;
use odeon::system::Alike;
use odeon::{Address, CapabilityMap, Definition, Value};
use odeon_capabilities::Matcher;
use odeon_convention::types::CheckVerdict;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// When a check that has given no word is asked again. The pause doubles.
const AGAIN_MIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(60);
/// Of the time, what is spent on asking again at most: one part in so many.
const AGAIN_PART: u32 = 10;

/// Wakes those that look.
#[derive(Default)]
pub(super) struct Look(watch::Sender<()>);

/// What a look found that the next one has to know.
#[derive(Default)]
struct Found {
    /// Who was asked to exit and is still there.
    asked: HashSet<Address>,
    /// Of which types nothing is known, by image and name.
    silent: HashSet<(Option<Arc<str>>, Arc<str>)>,
}

/// Whether actors that are alike may stay.
enum Word {
    Stay,
    Go(String),
    /// Nobody knows, for this reason.
    None(String),
}

impl Hosting {
    /// Actors that these do not suit any more are asked to exit, soon.
    pub(crate) fn set_capabilities(&self, capabilities: CapabilityMap) {
        *self.capabilities.write() = Arc::new(capabilities);
        self.look_again();
    }

    /// What the node has now, as actors see it.
    pub(crate) fn capabilities(&self) -> Arc<CapabilityMap> {
        self.capabilities.read().clone()
    }

    /// Looks at the actors after every change of the capabilities, as long as this is there.
    pub(crate) fn keep_rechecking(self: &Arc<Self>) {
        for waits in [false, true] {
            tokio::spawn(keep_looking(Arc::downgrade(self), self.look.0.subscribe(), waits));
        }
    }

    /// Has all actors looked at. One look answers for all that is asked for before it begins.
    pub(super) fn look_again(&self) {
        self.look.0.send_replace(());
    }

    /// Looks at all actors whose checks wait for a process, or at all others. `again`: since checks gave no word.
    fn recheck(&self, waits: bool, again: bool, before: &Found) -> Found {
        let mut found = Found::default();
        let own = self.own_authority().map(|_| self.own_family(&self.system().actors())).unwrap_or_default();
        for mut alike in self.system().alike() {
            let image = alike.image.as_deref();
            let definition = self.definitions.find_for(image, image, &alike.actor);
            // The node's own authority was created whatever it requires.
            alike.actors.retain(|actor| !own.contains(actor));
            if definition.as_ref().is_some_and(|definition| definition.waits) != waits || alike.actors.is_empty() {
                continue;
            }
            // A process that did not answer will not do so for its other types.
            let is_silent = waits && found.silent.iter().any(|(silent, _)| *silent == alike.image);
            let capabilities = self.capabilities();
            let word = match lack(&alike, definition.as_ref(), &capabilities) {
                Some(why) => Word::Go(why),
                None if is_silent => Word::None("its process has not answered".to_owned()),
                None => self.word_on(&alike, definition.as_ref(), &capabilities, again),
            };
            // By now they are others, and another look follows: what counts is the last state.
            if !Arc::ptr_eq(&capabilities, &self.capabilities.read()) {
                continue;
            }
            match word {
                Word::Stay => {}
                Word::Go(why) => self.let_go(alike, &why, before, &mut found),
                Word::None(why) => {
                    let Alike { actor, image, .. } = alike;
                    if !before.silent.contains(&(image.clone(), actor.clone())) {
                        let of = image.as_deref().unwrap_or_default();
                        let then = "they stay, and it is asked again";
                        tracing::warn!(actor = &*actor, image = of, why, then, "nobody knows whether actors may stay");
                    }
                    found.silent.insert((image, actor));
                }
            }
        }
        found
    }

    /// What the check of these actors says.
    fn word_on(
        &self,
        alike: &Alike,
        definition: Option<&Definition>,
        capabilities: &Arc<CapabilityMap>,
        again: bool,
    ) -> Word {
        // The code of an image that was revoked is asked nothing any more.
        let Some(definition) = definition else { return Word::Stay };
        let said = self.checks.ask(definition, capabilities, &alike.requirements, again);
        match said.outcome.verdict {
            CheckVerdict::Accepted | CheckVerdict::Unknown => Word::Stay,
            CheckVerdict::Refused => Word::Go("the actor's own check refuses".to_owned()),
            CheckVerdict::Failed(why) if said.is_word => Word::Go(why),
            CheckVerdict::Failed(why) => Word::None(why),
        }
    }

    fn let_go(&self, alike: Alike, why: &str, before: &Found, found: &mut Found) {
        let Alike { actor, image, actors, .. } = alike;
        let unasked: Vec<Address> = actors.iter().copied().filter(|one| !before.asked.contains(one)).collect();
        if !unasked.is_empty() {
            let (count, image) = (unasked.len(), image.as_deref().unwrap_or_default());
            tracing::info!(
                actor = &*actor,
                image,
                count,
                why,
                "actors exit: the node's capabilities do not suit them any more"
            );
        }
        unasked.into_iter().for_each(|one| self.system().ask_to_leave(one));
        found.asked.extend(actors);
    }
}

/// What the node lacks now of what it had to have at the creation of these actors. What made it better does not count.
fn lack(alike: &Alike, definition: Option<&Definition>, capabilities: &CapabilityMap) -> Option<String> {
    let refusals = Matcher::new(&alike.requirements).map(|matcher| matcher.refusals(capabilities));
    if let Some(refusal) = refusals.unwrap_or_default().first() {
        return Some(refusal.to_string());
    }
    let is_there = |key: &String| capabilities.value(key).is_some_and(Value::is_true);
    let lack = definition?.required.iter().find(|key| !is_there(key))?;
    Some(format!("lacks capability {lack:?}"))
}

async fn keep_looking(hosting: Weak<Hosting>, mut look: watch::Receiver<()>, waits: bool) {
    let mut before = Found::default();
    let (mut again_at, mut pause) = (None, AGAIN_MIN);
    loop {
        let again = tokio::select! {
            woken = look.changed() => match woken {
                Ok(()) => false,
                // The hosting is gone.
                Err(_) => return,
            },
            () = until(again_at) => true,
        };
        let Some(hosting) = hosting.upgrade() else { return };
        let begun = Instant::now();
        let looked = tokio::task::spawn_blocking(move || hosting.recheck(waits, again, &before));
        let Ok(found) = looked.await else { return };
        before = found;
        if before.silent.is_empty() {
            (again_at, pause) = (None, AGAIN_MIN);
        } else if again || again_at.is_none() {
            again_at = Some(Instant::now() + pause.max(begun.elapsed() * (AGAIN_PART - 1)));
            pause = (pause * 2).min(AGAIN_MAX);
        }
    }
}

/// Returns at that time; never where there is none.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
