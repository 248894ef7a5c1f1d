//! Runs actors' own checks so that none of them can harm the node, and remembers what they answered.
//!
//! A check of an image is bounded by its runtime. A check that is linked into the node cannot be stopped: it runs
//! in a thread of its own, is given up after a time limit, and is not run again. If it ends after all, its answer is
//! taken then: it may have been the machine that was slow.

use odeon::{CapabilityMap, CapabilityView, Definition, Failure, Requirements, Value};
use odeon_capabilities::{Memo, MemoLimits, Reads, RecordingView};
use odeon_convention::types::{CheckOutcome, CheckVerdict};
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// How long a check may take.
const CHECK_TIME_MAX_MS: u64 = 1000;
/// Threads with checks that were given up and have not ended; beyond it no check that is linked in is run any more.
const GIVEN_UP_MAX: usize = 16;
/// Answers that are remembered.
const REMEMBERED_MAX: usize = 4096;
/// Bytes of what those answers were read from.
const REMEMBERED_BYTES_MAX: usize = 16 * 1024 * 1024;

type Question = (Arc<str>, Option<Arc<str>>, Requirements);

/// What came of a check.
#[derive(Clone)]
pub(super) struct Said {
    pub(super) outcome: CheckOutcome,
    /// Whether that is the check's own word. One that took too long, or was not there, has said nothing.
    pub(super) is_word: bool,
}

/// The checks of one node.
pub(crate) struct Checks(Arc<State>);

struct State {
    answers: Mutex<Memo<Question, Said>>,
    given_up: AtomicUsize,
}

impl Checks {
    pub(crate) fn new() -> Self {
        let limits = MemoLimits { entries_max: REMEMBERED_MAX, bytes_max: REMEMBERED_BYTES_MAX };
        Self(Arc::new(State { answers: Mutex::new(Memo::new(limits)), given_up: AtomicUsize::new(0) }))
    }

    /// What the check of `definition` says of a node with `capabilities`. Returns within the time limit.
    pub(crate) fn run(
        &self,
        definition: &Definition,
        capabilities: &Arc<CapabilityMap>,
        requirements: &Requirements,
    ) -> CheckOutcome {
        self.ask(definition, capabilities, requirements, false).outcome
    }

    /// The same, and whether it is the check's word. `again` runs the check of an image once more that took too long
    /// before; one that is linked in may still be running.
    pub(super) fn ask(
        &self,
        definition: &Definition,
        capabilities: &Arc<CapabilityMap>,
        requirements: &Requirements,
        again: bool,
    ) -> Said {
        let question = question(definition, requirements);
        let of_image = definition.image.is_some();
        if let Some(known) = self.0.answers.lock().find(&question, capabilities)
            && (known.is_word || !again || !of_image)
        {
            return known.clone();
        }
        if !of_image {
            return self.run_in_thread(definition, capabilities, question);
        }
        let (said, is_passing) = run_here(definition, capabilities, requirements);
        if !is_passing {
            self.0.remember(question, &said);
        }
        said
    }

    /// What the check said before of a node like this; none where it has to be run.
    pub(crate) fn known(
        &self,
        definition: &Definition,
        capabilities: &CapabilityMap,
        requirements: &Requirements,
    ) -> Option<CheckOutcome> {
        self.0.answers.lock().find(&question(definition, requirements), capabilities).map(|known| known.outcome.clone())
    }

    fn run_in_thread(&self, definition: &Definition, capabilities: &Arc<CapabilityMap>, question: Question) -> Said {
        if self.0.given_up.load(Ordering::Relaxed) >= GIVEN_UP_MAX {
            return failed(format!("{GIVEN_UP_MAX} checks of this node do not end, so no more are run"));
        }
        let (sender, receiver) = mpsc::sync_channel(1);
        let decided = Arc::new(AtomicBool::new(false));
        let check = {
            let (state, decided, question) = (self.0.clone(), decided.clone(), question.clone());
            let (definition, capabilities) = (definition.clone(), capabilities.clone());
            move || {
                let (said, _) = run_here(&definition, &capabilities, &question.2);
                if decided.swap(true, Ordering::AcqRel) {
                    state.ended_late(question, &said);
                } else {
                    // Who asked waits for it.
                    let _ = sender.send(said);
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("odeon-check".into()).spawn(check) {
            return failed(format!("no thread for the check: {error}"));
        }
        let mut said = receiver.recv_timeout(Duration::from_millis(CHECK_TIME_MAX_MS));
        let mut answers = self.0.answers.lock();
        if said.is_err() && decided.swap(true, Ordering::AcqRel) {
            // It ended in this very moment.
            said = receiver.recv().map_err(Into::into);
        }
        let said = said.unwrap_or_else(|_| {
            self.0.given_up.fetch_add(1, Ordering::Relaxed);
            failed(format!("its check took longer than {CHECK_TIME_MAX_MS} ms"))
        });
        // Still under the lock, so that the answer of a check that ends now comes after this one.
        answers.remember(question, said.outcome.read.clone(), said.clone());
        said
    }
}

impl State {
    fn remember(&self, question: Question, said: &Said) {
        self.answers.lock().remember(question, said.outcome.read.clone(), said.clone());
    }

    /// A check that was given up has ended: what it says is true from now on.
    fn ended_late(&self, question: Question, said: &Said) {
        let mut answers = self.answers.lock();
        self.given_up.fetch_sub(1, Ordering::Relaxed);
        answers.forget(&question);
        answers.remember(question, said.outcome.read.clone(), said.clone());
    }
}

fn question(definition: &Definition, requirements: &Requirements) -> Question {
    (definition.name.clone(), definition.image.clone(), requirements.clone())
}

/// A refusal that holds whatever the capabilities are, and is no word of the check.
fn failed(reason: String) -> Said {
    let outcome = CheckOutcome { verdict: CheckVerdict::Failed(reason), read: Reads::default() };
    Said { outcome, is_word: false }
}

/// What a check says, and whether it may say something else of the same at the next question.
fn run_here(definition: &Definition, capabilities: &CapabilityMap, requirements: &Requirements) -> (Said, bool) {
    let view = View(RecordingView::new(capabilities));
    let answer = catch_unwind(AssertUnwindSafe(|| (definition.check)(&view, requirements)));
    let is_passing = matches!(&answer, Ok(Err(failure)) if failure.is_passing());
    let is_word = !is_passing && !matches!(&answer, Ok(Err(failure)) if failure.is_late());
    let verdict = match answer {
        Ok(Ok(true)) => CheckVerdict::Accepted,
        Ok(Ok(false)) => CheckVerdict::Refused,
        Ok(Err(failure)) => CheckVerdict::Failed(format!("its check failed: {failure}")),
        Err(panic) => CheckVerdict::Failed(format!("its check {}", Failure::from_panic(&*panic))),
    };
    let outcome = CheckOutcome { verdict, read: view.0.into_reads() };
    (Said { outcome, is_word }, is_passing)
}

struct View<'a>(RecordingView<'a>);

impl CapabilityView for View<'_> {
    fn value(&self, key: &str) -> Option<Value> {
        self.0.value(key)
    }
}

#[cfg(test)]
mod tests;
