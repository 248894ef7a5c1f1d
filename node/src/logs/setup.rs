//! Sets `tracing` up for the process.

use super::capture::Capture;
use super::config::{Output, Shape, To};
use super::file::LogFile;
use super::format::Format;
use super::shows::{self, Shows};
use super::{ActorLevels, LogConfig, Origin, Outbox};
use parking_lot::RwLock;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry};

/// The environment variable that says which events are shown, in the syntax of `tracing`'s env filter.
pub const FILTER_VARIABLE: &str = "ODEON_LOG";

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SetupError {
    #[error("{from} is {found:?}, which is no filter like info or odeon_node=debug,warn: {why}")]
    Filter { from: &'static str, found: String, why: String },
    #[error("the log file {path}")]
    File { path: PathBuf, source: io::Error },
    #[error("journald does not take lines at its socket")]
    Journald(#[source] io::Error),
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
    levels: ActorLevels,
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

    /// The levels of single actors.
    pub fn levels(&self) -> &ActorLevels {
        &self.levels
    }
}

/// Shows events where the configuration says, from level info on or as its filters or `ODEON_LOG` say, and takes
/// warnings and errors for the outbox that is attached later.
pub fn init(config: &LogConfig) -> Result<LogSetup, SetupError> {
    let filter = std::env::var(FILTER_VARIABLE).ok();
    let (setup, subscriber) = build(config, filter.as_deref())?;
    subscriber.try_init().map_err(SetupError::Twice)?;
    Ok(setup)
}

/// The same without making it the process's own.
fn build(
    config: &LogConfig,
    filter: Option<&str>,
) -> Result<(LogSetup, impl tracing::Subscriber + Send + Sync + use<>), SetupError> {
    let setup = LogSetup { attached: Arc::default(), levels: ActorLevels::default() };
    let outputs = config.outputs.iter().map(|output| setup.layer(output, filter)).collect::<Result<Vec<_>, _>>()?;
    let taken = setup.taken();
    Ok((setup, tracing_subscriber::registry().with(outputs).with(taken)))
}

type Shown = Box<dyn Layer<Registry> + Send + Sync>;

impl LogSetup {
    fn layer(&self, output: &Output, filter: Option<&str>) -> Result<Shown, SetupError> {
        let shows = self.shows(output, filter)?;
        Ok(match &output.to {
            To::Stderr(shape) => self.lines(*shape, io::stderr, shows),
            To::File { path, shape, max_mib, keep } => {
                let file = LogFile::open(path, max_mib * 1024 * 1024, *keep)
                    .map_err(|source| SetupError::File { path: path.clone(), source })?;
                self.lines(*shape, file, shows)
            }
            To::Journald => {
                let journald = tracing_journald::layer().map_err(SetupError::Journald)?;
                journald.with_field_prefix(Some("ODEON".to_owned())).with_filter(shows).boxed()
            }
        })
    }

    fn lines<W>(&self, shape: Shape, writer: W, shows: Shows) -> Shown
    where
        W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    {
        let format = Format { attached: self.attached.clone(), json: shape == Shape::Json };
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).event_format(format).with_writer(writer);
        layer.with_filter(shows).boxed()
    }

    fn shows(&self, output: &Output, filter: Option<&str>) -> Result<Shows, SetupError> {
        let filter = match (&output.filter, filter.filter(|f| !f.trim().is_empty())) {
            (Some(text), _) => shows::parse("filter", text)?,
            (None, Some(text)) => shows::parse(FILTER_VARIABLE, text)?,
            // The consensus library tells of every vote; what matters of them, the driver says.
            (None, None) => EnvFilter::new("info,openraft=error"),
        };
        Ok(Shows { filter, lines: output.lines, levels: self.levels.clone() })
    }

    /// Whatever is shown, warnings are taken; but not those of the consensus library, several a second for a leader that
    /// is away, of which the convention says what matters.
    fn taken<S: tracing::Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let taken = Targets::new().with_default(LevelFilter::WARN).with_target("openraft", LevelFilter::ERROR);
        Capture { attached: self.attached.clone() }.with_filter(taken)
    }
}

#[cfg(test)]
mod tests;
