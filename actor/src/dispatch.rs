//! What `#[actor]` calls: handlers' results, and untyped values that have to find their handler.
//!
//! Not for hand-written code, though nothing here is unsafe to call.

use crate::message::{AnyMessage, Encoded, UNTYPED};
use crate::{Failure, encoding};

/// What a handler may return.
pub trait Outcome {
    /// The same for every handler.
    fn into_result(self) -> Result<(), Failure>;
}

impl Outcome for () {
    fn into_result(self) -> Result<(), Failure> {
        Ok(())
    }
}

impl<E: Into<Failure>> Outcome for Result<(), E> {
    fn into_result(self) -> Result<(), Failure> {
        self.map_err(Into::into)
    }
}

/// Has a message handled by `handler`, which takes what it has a type for: the message as it is, or, when it is a value
/// without a Rust type, as a shell or another language sends it, the first of those it may stand for that is taken.
#[inline]
pub fn dispatch(
    message: &AnyMessage,
    handled: &[&'static str],
    handler: &mut dyn FnMut(&AnyMessage) -> Option<Result<(), Failure>>,
) -> Option<Result<(), Failure>> {
    if message.is_named(UNTYPED) { candidates(message, handled).iter().find_map(handler) } else { handler(message) }
}

/// The name of what a message means: its own, or that of the one key of an untyped map, where that is one of these names.
pub(crate) fn meant(message: &AnyMessage, names: &[&'static str]) -> &'static str {
    let own = names.iter().find(|name| **name == message.name());
    let key = || {
        let whole = (message.name() == UNTYPED).then(|| message.encode().ok()).flatten()?;
        let (key, _) = encoding::only_entry(&whole.bytes)?;
        names.iter().find(|name| **name == key)
    };
    own.or_else(key).copied().unwrap_or_default()
}

/// The messages that an untyped value may stand for, the likeliest first: the content of a map whose one key is the
/// name of a handled message, then the value as it is.
///
/// Each is a message of its own: which type one decodes as is remembered in it, and must not bind other actors.
fn candidates(message: &AnyMessage, handled: &[&'static str]) -> Vec<AnyMessage> {
    let Ok(whole) = message.encode() else { return Vec::new() };
    let named = encoding::only_entry(&whole.bytes).filter(|(key, _)| handled.contains(key));
    let named = named.map(|(name, content)| Encoded { name: name.to_owned(), bytes: content.to_owned() });
    named.into_iter().chain([whole]).map(AnyMessage::from_encoded).collect()
}
