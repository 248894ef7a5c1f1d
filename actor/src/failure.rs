//! Why a handler could not handle its message.

use std::any::Any;
use std::fmt;

/// What a handler returns when it fails: the actor is rebuilt and the message given once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    reason: String,
    passing: bool,
    late: bool,
    rebuilt: bool,
}

impl Failure {
    /// A failure with a reason for people to read.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), passing: false, late: false, rebuilt: false }
    }

    /// A failure that has nothing to do with what failed, and may not be there at the next try.
    pub fn passing(reason: impl Into<String>) -> Self {
        Self { passing: true, ..Self::new(reason) }
    }

    /// A failure for want of time: a limit was broken, perhaps because the machine is slow.
    pub fn late(reason: impl Into<String>) -> Self {
        Self { late: true, ..Self::new(reason) }
    }

    /// The same failure of an actor that has been built anew already, inside of what is around it: whoever runs it keeps it
    /// as it is. In an image that cannot be said, and all is built anew.
    pub(crate) fn rebuilt(self) -> Self {
        Self { rebuilt: true, ..self }
    }

    /// Whether the actor has been built anew already.
    #[cfg(all(feature = "system", not(target_family = "wasm")))]
    pub(crate) fn is_rebuilt(&self) -> bool {
        self.rebuilt
    }

    /// Whether it may not be there at the next try.
    pub fn is_passing(&self) -> bool {
        self.passing
    }

    /// Whether it took too long, and nothing else is known of it.
    pub fn is_late(&self) -> bool {
        self.late
    }

    /// The failure that a caught panic stands for.
    pub fn from_panic(panic: &(dyn Any + Send)) -> Self {
        Self::new(format!("panicked: {}", panic_text(panic)))
    }

    /// The reason, taken out.
    pub fn into_reason(self) -> String {
        self.reason
    }

    /// The reason.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::new(text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// The text of a panic's payload.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a payload that is not text")
}
