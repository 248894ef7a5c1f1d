//! How a line looks on the node's standard error: one line of text, or one JSON object as `odeon logs --json` gives.

use super::capture;
use super::setup::Attached;
use odeon::Value;
use std::fmt::{self, Write};
use std::sync::Arc;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats events with the node's name and incarnation.
pub(super) struct Format {
    pub(super) attached: Arc<Attached>,
    pub(super) json: bool,
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, cx: &FmtContext<'_, S, N>, mut w: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = capture::read(event);
        if line.node.is_empty()
            && let Some(origin) = self.attached.origin()
        {
            line.node.clone_from(&origin.name);
            line.incarnation = origin.incarnation.0;
        }
        if self.json {
            return writeln!(w, "{}", serde_json::to_string(&line).map_err(|_| fmt::Error)?);
        }
        let level = event.metadata().level();
        write!(w, "{} {level:>5} {}#{} {}", line.time, Plain(&line.node), line.incarnation, Plain(&line.target))?;
        if let Some(actor) = line.actor {
            write!(w, " {actor}")?;
        }
        if let Some(image) = &line.image {
            write!(w, " image={}", Plain(image))?;
        }
        for span in cx.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            write!(w, " {}", span.name())?;
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>()
                && !fields.is_empty()
            {
                write!(w, "{{{}}}", Plain(fields))?;
            }
        }
        write!(w, ": {}", Plain(&line.message))?;
        for (name, value) in &line.fields {
            match value {
                Value::String(text) => write!(w, " {name}={}", Plain(text))?,
                value => write!(w, " {name}={}", serde_json::to_string(value).map_err(|_| fmt::Error)?)?,
            }
        }
        writeln!(w)
    }
}

/// Text without control characters: what an actor logs can neither begin a line of its own nor steer a terminal.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}
