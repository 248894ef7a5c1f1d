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

/// The checks of one node.
pub(crate) struct Checks(Arc<State>);

struct State {
    answers: Mutex<Memo<Question, CheckOutcome>>,
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
        let question = question(definition, requirements);
        if let Some(known) = self.0.answers.lock().find(&question, capabilities) {
            return known.clone();
        }
        if definition.image.is_none() {
            return self.run_in_thread(definition, capabilities, question);
        }
        let (outcome, is_passing) = run_here(definition, capabilities, requirements);
        if !is_passing {
            self.0.remember(question, &outcome);
        }
        outcome
    }

    /// What the check said before of a node like this; none where it has to be run.
    pub(crate) fn known(
        &self,
        definition: &Definition,
        capabilities: &CapabilityMap,
        requirements: &Requirements,
    ) -> Option<CheckOutcome> {
        self.0.answers.lock().find(&question(definition, requirements), capabilities).cloned()
    }

    fn run_in_thread(
        &self,
        definition: &Definition,
        capabilities: &Arc<CapabilityMap>,
        question: Question,
    ) -> CheckOutcome {
        if self.0.given_up.load(Ordering::Relaxed) >= GIVEN_UP_MAX {
            return failed(format!("{GIVEN_UP_MAX} checks of this node do not end, so no more are run"));
        }
        let (sender, receiver) = mpsc::sync_channel(1);
        let decided = Arc::new(AtomicBool::new(false));
        let check = {
            let (state, decided, question) = (self.0.clone(), decided.clone(), question.clone());
            let (definition, capabilities) = (definition.clone(), capabilities.clone());
            move || {
                let (outcome, _) = run_here(&definition, &capabilities, &question.2);
                if decided.swap(true, Ordering::AcqRel) {
                    state.ended_late(question, &outcome);
                } else {
                    // Who asked waits for it.
                    let _ = sender.send(outcome);
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("odeon-check".into()).spawn(check) {
            return failed(format!("no thread for the check: {error}"));
        }
        let mut outcome = receiver.recv_timeout(Duration::from_millis(CHECK_TIME_MAX_MS));
        let mut answers = self.0.answers.lock();
        if outcome.is_err() && decided.swap(true, Ordering::AcqRel) {
            // It ended in this very moment.
            outcome = receiver.recv().map_err(Into::into);
        }
        let outcome = outcome.unwrap_or_else(|_| {
            self.0.given_up.fetch_add(1, Ordering::Relaxed);
            failed(format!("its check took longer than {CHECK_TIME_MAX_MS} ms"))
        });
        // Still under the lock, so that the answer of a check that ends now comes after this one.
        answers.remember(question, outcome.read.clone(), outcome.clone());
        outcome
    }
}

impl State {
    fn remember(&self, question: Question, outcome: &CheckOutcome) {
        self.answers.lock().remember(question, outcome.read.clone(), outcome.clone());
    }

    /// A check that was given up has ended: what it says is true from now on.
    fn ended_late(&self, question: Question, outcome: &CheckOutcome) {
        let mut answers = self.answers.lock();
        self.given_up.fetch_sub(1, Ordering::Relaxed);
        answers.forget(&question);
        answers.remember(question, outcome.read.clone(), outcome.clone());
    }
}

fn question(definition: &Definition, requirements: &Requirements) -> Question {
    (definition.name.clone(), definition.image.clone(), requirements.clone())
}

/// A refusal that holds whatever the capabilities are.
fn failed(reason: String) -> CheckOutcome {
    CheckOutcome { verdict: CheckVerdict::Failed(reason), read: Reads::default() }
}

/// What a check says, and whether it may say something else of the same at the next question.
fn run_here(
    definition: &Definition,
    capabilities: &CapabilityMap,
    requirements: &Requirements,
) -> (CheckOutcome, bool) {
    let view = View(RecordingView::new(capabilities));
    let answer = catch_unwind(AssertUnwindSafe(|| (definition.check)(&view, requirements)));
    let is_passing = matches!(&answer, Ok(Err(failure)) if failure.is_passing());
    let verdict = match answer {
        Ok(Ok(true)) => CheckVerdict::Accepted,
        Ok(Ok(false)) => CheckVerdict::Refused,
        Ok(Err(failure)) => CheckVerdict::Failed(format!("its check failed: {failure}")),
        Err(panic) => CheckVerdict::Failed(format!("its check {}", Failure::from_panic(&*panic))),
    };
    (CheckOutcome { verdict, read: view.0.into_reads() }, is_passing)
}

struct View<'a>(RecordingView<'a>);

impl CapabilityView for View<'_> {
    fn value(&self, key: &str) -> Option<Value> {
        self.0.value(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(check: fn(&dyn CapabilityView, &Requirements) -> bool) -> Definition {
        Definition {
            name: "Probe".into(),
            required: Arc::new([]),
            image: None,
            build: Arc::new(|| Err(Failure::new("never built"))),
            check: Arc::new(move |capabilities, requirements| Ok(check(capabilities, requirements))),
            waits: false,
        }
    }

    fn run(check: fn(&dyn CapabilityView, &Requirements) -> bool, gpu: i64) -> CheckOutcome {
        let mut map = CapabilityMap::new();
        map.set("gpu", gpu).unwrap();
        Checks::new().run(&definition(check), &Arc::new(map), &Requirements::none())
    }

    #[test]
    fn a_check_answers_and_its_reads_are_kept() {
        let outcome = run(|c, _| c.value("gpu") == Some(Value::Integer(2)), 2);
        assert_eq!(outcome.verdict, CheckVerdict::Accepted);
        assert_eq!(outcome.read.0.get("gpu"), Some(&Some(Value::Integer(2))));
        assert_eq!(run(|c, _| c.is_true("db"), 2).verdict, CheckVerdict::Refused);
    }

    #[test]
    fn what_a_check_said_is_known_where_what_it_read_is_the_same() {
        let checks = Checks::new();
        let by_gpu = definition(|c, _| c.value("gpu") == Some(Value::Integer(2)));
        let map = |gpu: i64, zone: &str| {
            let mut map = CapabilityMap::new();
            map.set("gpu", gpu).unwrap();
            map.set("zone", zone).unwrap();
            Arc::new(map)
        };
        let known = |map: &CapabilityMap| checks.known(&by_gpu, map, &Requirements::none()).map(|known| known.verdict);
        assert_eq!(known(&map(2, "a")), None);
        checks.run(&by_gpu, &map(2, "a"), &Requirements::none());
        assert_eq!(known(&map(2, "b")), Some(CheckVerdict::Accepted));
        assert_eq!(known(&map(3, "a")), None);
    }

    #[test]
    fn a_check_that_panics_is_a_refusal_with_its_reason() {
        let CheckVerdict::Failed(reason) = run(|_, _| panic!("no way"), 1).verdict else { panic!("not failed") };
        assert!(reason.contains("no way"), "{reason}");
    }

    #[test]
    fn a_failure_that_passes_is_not_remembered() {
        let checks = Checks::new();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let of_image = Definition {
            image: Some("ab".into()),
            check: Arc::new(move |_, _| match count.fetch_add(1, Ordering::Relaxed) {
                0 => Err(Failure::passing("nobody is there")),
                1 => Err(Failure::new("no")),
                _ => Ok(true),
            }),
            ..definition(|_, _| true)
        };
        let map = Arc::new(CapabilityMap::new());
        for expected in ["nobody is there", "no", "no"] {
            let outcome = checks.run(&of_image, &map, &Requirements::none());
            assert_eq!(outcome.verdict, CheckVerdict::Failed(format!("its check failed: {expected}")));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_check_that_never_ends_is_given_up_and_not_run_again() {
        let checks = Checks::new();
        let endless = definition(|_, _| {
            loop {
                std::thread::park()
            }
        });
        let map = Arc::new(CapabilityMap::new());
        for _ in 0..3 {
            let CheckVerdict::Failed(reason) = checks.run(&endless, &map, &Requirements::none()).verdict else {
                panic!("not failed")
            };
            assert!(reason.contains("1000 ms"), "{reason}");
        }
        assert_eq!(checks.0.given_up.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_check_that_ends_late_after_all_is_believed_then() {
        static LET_GO: AtomicBool = AtomicBool::new(false);
        let checks = Checks::new();
        let slow = definition(|c, _| {
            while !LET_GO.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            c.is_true("db")
        });
        let mut map = CapabilityMap::new();
        map.set("db", true).unwrap();
        let map = Arc::new(map);
        let first = checks.run(&slow, &map, &Requirements::none());
        assert!(matches!(first.verdict, CheckVerdict::Failed(_)), "{first:?}");
        assert_eq!(checks.0.given_up.load(Ordering::Relaxed), 1);
        LET_GO.store(true, Ordering::Release);
        let started = std::time::Instant::now();
        while checks.run(&slow, &map, &Requirements::none()).verdict != CheckVerdict::Accepted {
            assert!(started.elapsed() < Duration::from_secs(20), "its answer is never taken");
        }
        assert_eq!(checks.0.given_up.load(Ordering::Relaxed), 0);
        let without = Arc::new(CapabilityMap::new());
        assert_eq!(checks.run(&slow, &without, &Requirements::none()).verdict, CheckVerdict::Refused);
    }
}
