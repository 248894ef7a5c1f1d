//! One run of a program in a simulation, and why it failed.

use super::{Decisions, Simulation, Trace};
use crate::failure::panic_text;
use crate::system::{ActorSystem, NoEnd};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// What became of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Why it failed, if it did.
    pub failure: Option<Reason>,
    /// What was decided otherwise than by the plain choice.
    pub decisions: Decisions,
    /// What happened; empty where nobody asked for it.
    pub trace: Trace,
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The program returned this error.
    Error(String),
    /// The program panicked: an assertion, mostly.
    Panic {
        /// The file, line and column.
        at: String,
        /// What it says.
        text: String,
    },
    /// The program took more steps than it had.
    NoEnd {
        /// The steps that it had.
        steps_max: u64,
    },
}

impl Reason {
    /// Whether another run failed in the same way, if not with the same values.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Reason::Panic { at, .. }, Reason::Panic { at: other, .. }) => at == other,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Error(text) => f.write_str(text),
            Reason::Panic { at, text } => write!(f, "panicked at {at}: {text}"),
            Reason::NoEnd { steps_max } => write!(f, "came to no end in {steps_max} steps"),
        }
    }
}

thread_local! {
    /// Whether panics of this thread are written down rather than printed: those of actors belong to the simulation.
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Has panics in this thread noted instead of printed while it lives. Other threads are not affected.
struct Quiet(bool);

impl Quiet {
    fn new() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                if QUIET.get() {
                    let at = panic.location().map_or_else(String::new, ToString::to_string);
                    LAST_PANIC.set(at);
                } else {
                    before(panic);
                }
            }));
        });
        Self(QUIET.replace(true))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        QUIET.set(self.0);
    }
}

/// Runs the program once. Without a script the seed decides.
pub(super) fn run(
    simulation: &Simulation,
    seed: u64,
    script: Option<Decisions>,
    records: bool,
    program: &dyn Fn(&ActorSystem) -> Result<(), String>,
) -> Run {
    let _quiet = Quiet::new();
    let system = simulation.system(seed, script, records);
    let Some(simulated) = system.simulation().cloned() else { unreachable!("it was started as a simulation") };
    let ended = catch_unwind(AssertUnwindSafe(|| program(&system)));
    let steps_max = simulation.settings.steps_max;
    let failure = match ended {
        // An actor that waits for an answer itself may have reached the limit.
        Ok(_) if simulated.is_over() => Some(Reason::NoEnd { steps_max }),
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(Reason::Error(error)),
        Err(panic) => Some(reason(&*panic, steps_max)),
    };
    let run = Run { failure, decisions: simulated.decisions(), trace: simulated.trace() };
    simulated.stop();
    run
}

fn reason(panic: &(dyn Any + Send), steps_max: u64) -> Reason {
    match panic.is::<NoEnd>() {
        true => Reason::NoEnd { steps_max },
        false => Reason::Panic { at: LAST_PANIC.take(), text: panic_text(panic).to_owned() },
    }
}
