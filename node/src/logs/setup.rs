//! Sets `tracing` up for the process.

use super::capture::Capture;
use super::format::Format;
use super::{Origin, Outbox};
use parking_lot::RwLock;
use std::io;
use std::sync::Arc;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// The environment variable that says which events are shown, in the syntax of `tracing`'s env filter.
pub const FILTER_VARIABLE: &str = "ODEON_LOG";

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SetupError {
    #[error("{FILTER_VARIABLE} is {found:?}, which is no filter like info or odeon_node=debug,warn: {why}")]
    Filter { found: String, why: String },
    #[error("logging was set up before in this process")]
    Twice(#[source] TryInitError),
}

/// What is known of the node once it runs; its first lines come earlier.
#[derive(Default)]
pub(super) struct Attached(RwLock<Option<Outbox>>);

impl Attached {
    pub(super) fn outbox(&self) -> Option<Outbox> {
        self.0.read().clone()
    }

    pub(super) fn origin(&self) -> Option<Origin> {
        self.0.read().as_ref().map(|o| o.origin().clone())
    }
}

/// The process's logging.
#[derive(Clone)]
pub struct LogSetup {
    attached: Arc<Attached>,
}

impl LogSetup {
    /// From now on the process's lines carry the name and incarnation of the outbox's node, and its warnings and
    /// errors go into the outbox. A process with several nodes attaches the one that speaks for it.
    pub fn attach(&self, outbox: Outbox) {
        *self.attached.0.write() = Some(outbox);
    }

    /// The process's warnings and errors go nowhere else any more.
    pub fn detach(&self) {
        *self.attached.0.write() = None;
    }
}

/// Shows events on standard error, from level info on or as `ODEON_LOG` says, as text or as JSON, and takes warnings
/// and errors for the outbox that is attached later.
pub fn init(json: bool) -> Result<LogSetup, SetupError> {
    let filter = std::env::var(FILTER_VARIABLE).ok();
    let (setup, subscriber) = build(json, filter.as_deref(), io::stderr)?;
    subscriber.try_init().map_err(SetupError::Twice)?;
    Ok(setup)
}

/// The same without making it the process's own, writing to `writer`.
pub(super) fn build<W>(
    json: bool,
    filter: Option<&str>,
    writer: W,
) -> Result<(LogSetup, impl tracing::Subscriber + Send + Sync + use<W>), SetupError>
where
    W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = match filter.filter(|f| !f.trim().is_empty()) {
        // The consensus library tells of every vote; what matters of them, the driver says.
        None => EnvFilter::new("info,openraft=error"),
        Some(text) => EnvFilter::builder()
            .parse(text)
            .map_err(|e| SetupError::Filter { found: text.to_owned(), why: e.to_string() })?,
    };
    let attached = Arc::new(Attached::default());
    let format = Format { attached: attached.clone(), json };
    let shown =
        tracing_subscriber::fmt::layer().with_ansi(false).event_format(format).with_writer(writer).with_filter(filter);
    // Whatever is shown, warnings are taken; but not those of the consensus library, several a second for a leader that
    // is away, of which the convention says what matters.
    let taken = Targets::new().with_default(LevelFilter::WARN).with_target("openraft", LevelFilter::ERROR);
    let taken = Capture { attached: attached.clone() }.with_filter(taken);
    Ok((LogSetup { attached }, tracing_subscriber::registry().with(shown).with(taken)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::protocol::LogLine;
    use crate::logs::outbox::tests::origin;
    use crate::logs::{ActorLog, LOCAL_TARGET, OutboxLimits, limits};
    use odeon::{Address, Incarnation, Level, NodeId, NodeRef, Value};
    use parking_lot::Mutex;
    use tracing::{error, info, warn};

    /// A part of the node; these tests themselves have a target that stays local.
    const NODE: &str = "odeon_node::links";

    #[derive(Clone, Default)]
    struct Shown(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Shown {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Bench {
        _folder: tempfile::TempDir,
        outbox: Outbox,
        shown: Shown,
    }

    impl Bench {
        fn run(json: bool, filter: Option<&str>, work: impl FnOnce(&Outbox)) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let outbox = Outbox::open(folder.path(), origin(3), OutboxLimits::default()).unwrap();
            let shown = Shown::default();
            let (setup, subscriber) = build(json, filter, {
                let s = shown.clone();
                move || s.clone()
            })
            .unwrap();
            setup.attach(outbox.clone());
            tracing::subscriber::with_default(subscriber, || work(&outbox));
            Self { _folder: folder, outbox, shown }
        }

        fn text(&self) -> String {
            String::from_utf8(self.shown.0.lock().clone()).unwrap()
        }

        fn taken(&self) -> Vec<LogLine> {
            self.outbox.batch(1 << 20).map_or(vec![], |b| b.lines)
        }
    }

    fn address() -> Address {
        Address::mint(NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(3) }, 1, 99)
    }

    #[test]
    fn warnings_and_errors_are_taken_and_lesser_events_only_shown() {
        let bench = Bench::run(false, None, |_| {
            info!(target: NODE, "an info");
            warn!(target: NODE, peer = "member-2", count = 7u64, ok = false, "a warning");
            error!(target: NODE, "an error");
            tracing::debug!(target: NODE, "a debug");
        });
        let taken = bench.taken();
        assert_eq!(taken.iter().map(|l| l.message.as_str()).collect::<Vec<_>>(), ["a warning", "an error"]);
        assert_eq!(taken[0].fields["count"], Value::Integer(7));
        assert_eq!((taken[0].node.as_str(), taken[0].incarnation, taken[0].seq), ("member-1", 3, 1));
        let text = bench.text();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.lines().all(|l| l.contains(" member-1#3 ")), "{text}");
        assert!(text.contains("a warning count=7 ok=false peer=member-2"), "{text}");
    }

    #[test]
    fn a_filter_hides_lines_but_warnings_are_taken_all_the_same() {
        let bench = Bench::run(false, Some("off"), |_| warn!(target: NODE, "a warning"));
        assert_eq!(bench.text(), "");
        assert_eq!(bench.taken().len(), 1);
        assert!(matches!(build(false, Some("a=b=c"), io::stderr), Err(SetupError::Filter { .. })));
    }

    #[test]
    fn an_actors_line_is_shown_with_its_node_and_taken_once() {
        let bench = Bench::run(false, None, |outbox| {
            let log = ActorLog::new(outbox.clone());
            log.line(address(), "Hello", Some("abc123"), Level::Info, "only shown");
            log.line(address(), "Hello", Some("abc123"), Level::Warn, "taken\nand shown");
        });
        let taken = bench.taken();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].actor, Some(address()));
        assert_eq!((taken[0].target.as_str(), taken[0].image.as_deref()), ("Hello", Some("abc123")));
        assert_eq!(taken[0].message, "taken\nand shown");
        let text = bench.text();
        assert_eq!(text.lines().count(), 2, "a line break does not begin a line: {text}");
        let expected = format!("WARN member-1#3 Hello {} image=abc123: taken\\nand shown", address());
        assert!(text.contains(&expected), "{text}");
    }

    #[test]
    fn json_lines_have_the_shape_of_the_query() {
        let bench = Bench::run(true, None, |outbox| {
            warn!(target: NODE, n = 1, "a warning");
            ActorLog::new(outbox.clone()).line(address(), "Hello", None, Level::Info, "hi");
        });
        let lines: Vec<LogLine> = bench.text().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(
            (lines[0].message.as_str(), lines[0].node.as_str(), lines[0].incarnation),
            ("a warning", "member-1", 3)
        );
        assert_eq!(
            (lines[1].actor, lines[1].target.as_str(), lines[1].node.as_str()),
            (Some(address()), "Hello", "member-1")
        );
    }

    #[test]
    fn a_warning_about_shipping_or_from_within_the_taking_is_not_taken() {
        struct Loud;
        impl std::fmt::Debug for Loud {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                warn!(target: NODE, "a warning while formatting");
                f.write_str("loud")
            }
        }
        let bench = Bench::run(false, Some("off"), |_| {
            warn!(target: LOCAL_TARGET, "the leader is away");
            warn!(target: "odeon_node::logs::outbox", "the spool is full");
            warn!(target: "odeon_node::logs_of_others", value = ?Loud, "mine");
        });
        let taken = bench.taken();
        assert_eq!(taken.iter().map(|l| l.message.as_str()).collect::<Vec<_>>(), ["mine"]);
        assert_eq!(taken[0].fields["value"], Value::String("loud".into()));
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_with_a_mark() {
        let long = "x".repeat(1_000_000);
        let bench = Bench::run(false, Some("off"), |outbox| {
            warn!(target: NODE, "{long}");
            ActorLog::new(outbox.clone()).line(address(), "Hello", None, Level::Warn, &long);
        });
        for line in bench.taken() {
            assert!(line.message.len() <= limits::MESSAGE_BYTES_MAX);
            assert!(line.message.contains("(cut, "), "{}", &line.message[8_000..]);
        }
        assert_eq!(bench.taken().len(), 2);
    }
}
