//! Takes the node's own warnings and errors out of `tracing`, and reads an event into a line.

use super::setup::Attached;
use super::{ACTOR_TARGET, CHOSEN_TARGET, LOCAL_TARGET, line, time};
use crate::admin::protocol::LogLine;
use odeon::{Level, Value};
use std::cell::Cell;
use std::fmt::{Debug, Write};
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

thread_local! {
    /// Set while an event is taken: one that comes from the taking itself goes no further.
    static TAKING: Cell<bool> = const { Cell::new(false) };
}

/// Ends with its scope, so that a value that panics while it is formatted does not silence the thread.
struct Taking;

impl Taking {
    fn begin() -> Option<Self> {
        (!TAKING.replace(true)).then_some(Self)
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        TAKING.set(false);
    }
}

/// Hands every warning and error of the process to the outbox that is attached.
pub(super) struct Capture {
    pub(super) attached: Arc<Attached>,
}

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > tracing::Level::WARN || stays_local(metadata.target()) {
            return;
        }
        let Some(outbox) = self.attached.outbox() else { return };
        let Some(_taking) = Taking::begin() else { return };
        if outbox.admit(metadata.target()) {
            outbox.push(read(event));
        }
    }
}

/// Whether events of `target` are shown at the node and nowhere else, or shipped by other means.
fn stays_local(target: &str) -> bool {
    let under = |prefix: &str| target.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
    is_actors(target) || under(LOCAL_TARGET) || under("odeon_node::logs")
}

/// Whether an event is a line of an actor.
fn is_actors(target: &str) -> bool {
    target == ACTOR_TARGET || target == CHOSEN_TARGET
}

/// The level in our words.
pub(super) fn level(level: &tracing::Level) -> Level {
    match *level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => Level::Trace,
    }
}

/// An event as a line; it has no number yet. An actor's line gets its actor, image and node from its fields.
pub(super) fn read(event: &Event<'_>) -> LogLine {
    let metadata = event.metadata();
    let mut line = LogLine {
        time: time::now(),
        level: level(metadata.level()),
        node: String::new(),
        incarnation: 0,
        actor: None,
        image: None,
        target: metadata.target().to_owned(),
        message: String::new(),
        fields: Default::default(),
        seq: 0,
    };
    event.record(&mut Reader(&mut line));
    if is_actors(metadata.target()) {
        from_actor(&mut line);
    }
    line::bound(&mut line);
    line
}

fn from_actor(line: &mut LogLine) {
    let mut text = |name: &str| match line.fields.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let (actor, image, node, target) = (text("actor"), text("image"), text("node"), text("actor_type"));
    line.actor = actor.and_then(|a| a.parse().ok());
    line.image = image;
    line.node = node.unwrap_or_default();
    line.target = target.unwrap_or_default();
    if let Some(Value::Integer(incarnation)) = line.fields.remove("incarnation") {
        line.incarnation = u32::try_from(incarnation).unwrap_or(0);
    }
}

struct Reader<'a>(&'a mut LogLine);

impl Reader<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.0.message = text,
            (name, value) => drop(self.0.fields.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Reader<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = Bounded::default();
        // A text that is full ends the formatting with an error: what is there is what is kept.
        let _ = write!(text, "{value:?}");
        self.put(field, Value::String(text.finish()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::String(value.to_owned()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::Integer(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, i64::try_from(value).map_or_else(|_| Value::String(value.to_string()), Value::Integer));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::Float(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Bool(value));
    }
}

/// A text that stops taking more well above the limit of a line, so that one event cannot fill the memory.
#[derive(Default)]
struct Bounded {
    text: String,
    full: bool,
}

/// Bytes that the text of one event may have before it is cut to the limit of a line.
const EVENT_BYTES_MAX: usize = 64 * 1024;

impl Bounded {
    fn finish(mut self) -> String {
        if self.full {
            self.text.push_str("… (and more)");
        }
        self.text
    }
}

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> std::fmt::Result {
        if self.text.len() + more.len() > EVENT_BYTES_MAX {
            let room = more.floor_char_boundary(EVENT_BYTES_MAX - self.text.len());
            self.text.push_str(&more[..room]);
            self.full = true;
            return Err(std::fmt::Error);
        }
        self.text.push_str(more);
        Ok(())
    }
}
