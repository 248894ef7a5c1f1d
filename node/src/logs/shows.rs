//! What an output shows.

use super::config::Lines;
use super::{ACTOR_TARGET, ActorLevels, CHOSEN_TARGET, SetupError};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::{Context, Filter};

/// Lets through whose lines an output is for: as its filter says, and those of actors whose level was chosen.
pub(super) struct Shows {
    pub(super) filter: EnvFilter,
    pub(super) lines: Lines,
    pub(super) levels: ActorLevels,
}

/// What of an event is known before its filter is asked.
enum Of {
    Shown,
    Hidden,
    Filtered,
}

/// Reads a filter that `from` gave.
pub(super) fn parse(from: &'static str, text: &str) -> Result<EnvFilter, SetupError> {
    EnvFilter::builder().parse(text).map_err(|e| SetupError::Filter {
        from,
        found: text.to_owned(),
        why: e.to_string(),
    })
}

impl Shows {
    fn of(&self, metadata: &Metadata<'_>) -> Of {
        let chosen = metadata.target() == CHOSEN_TARGET;
        let hidden = match self.lines {
            Lines::All => false,
            Lines::Actors => !chosen && metadata.target() != ACTOR_TARGET && metadata.is_event(),
            Lines::Node => chosen || metadata.target() == ACTOR_TARGET,
        };
        match (hidden, chosen) {
            (true, _) => Of::Hidden,
            (false, true) => Of::Shown,
            (false, false) => Of::Filtered,
        }
    }
}

impl<S: Subscriber> Filter<S> for Shows {
    fn enabled(&self, metadata: &Metadata<'_>, cx: &Context<'_, S>) -> bool {
        match self.of(metadata) {
            Of::Shown => true,
            Of::Hidden => false,
            Of::Filtered => Filter::enabled(&self.filter, metadata, cx),
        }
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        match self.of(metadata) {
            Of::Shown => Interest::always(),
            Of::Hidden => Interest::never(),
            Of::Filtered => Filter::<S>::callsite_enabled(&self.filter, metadata),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        if self.levels.any() { Some(LevelFilter::TRACE) } else { Filter::<S>::max_level_hint(&self.filter) }
    }

    fn event_enabled(&self, event: &Event<'_>, cx: &Context<'_, S>) -> bool {
        match self.of(event.metadata()) {
            Of::Shown => true,
            Of::Hidden => false,
            Of::Filtered => Filter::event_enabled(&self.filter, event, cx),
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        Filter::on_new_span(&self.filter, attributes, id, cx);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        Filter::on_record(&self.filter, id, values, cx);
    }

    fn on_enter(&self, id: &Id, cx: Context<'_, S>) {
        Filter::on_enter(&self.filter, id, cx);
    }

    fn on_exit(&self, id: &Id, cx: Context<'_, S>) {
        Filter::on_exit(&self.filter, id, cx);
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        Filter::on_close(&self.filter, id, cx);
    }
}
