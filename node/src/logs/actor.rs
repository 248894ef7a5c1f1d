//! The lines that actors log.

use super::{ACTOR_TARGET, ActorLevels, CHOSEN_TARGET, Origin, Outbox, line, time};
use crate::admin::protocol::LogLine;
use odeon::{Address, Level};
use std::collections::BTreeMap;

/// Where a node's actors log: shown at the node, and from warning on in its outbox, once. Where a level was chosen for
/// an actor, all lines from that level on are in both, and lesser ones in neither; but warnings go to the outbox always.
#[derive(Clone)]
pub struct ActorLog {
    outbox: Outbox,
    levels: ActorLevels,
}

impl ActorLog {
    /// For the actors of the node that `outbox` is of.
    pub fn new(outbox: Outbox, levels: ActorLevels) -> Self {
        Self { outbox, levels }
    }

    /// The levels of single actors.
    pub fn levels(&self) -> &ActorLevels {
        &self.levels
    }

    /// The actor at `address`, of type `actor` and from `image`, logs `message`.
    pub fn line(&self, address: Address, actor: &str, image: Option<&str>, level: Level, message: &str) {
        let chosen = self.levels.of(address);
        let shown = chosen.is_none_or(|from| level >= from);
        let kept = level >= chosen.unwrap_or(Level::Warn).min(Level::Warn);
        if !shown && !kept {
            return;
        }
        let mut message = message.to_owned();
        line::cut(&mut message, super::limits::MESSAGE_BYTES_MAX);
        if shown {
            show(self.outbox.origin(), chosen.is_some(), address, actor, image, level, &message);
        }
        if !kept || !self.outbox.admit(&address.to_string()) {
            return;
        }
        self.outbox.push(LogLine {
            time: time::now(),
            level,
            node: String::new(),
            incarnation: 0,
            actor: Some(address),
            image: image.map(str::to_owned),
            target: actor.to_owned(),
            message,
            fields: BTreeMap::new(),
            seq: 0,
        });
    }
}

fn show(
    origin: &Origin,
    chosen: bool,
    address: Address,
    actor: &str,
    image: Option<&str>,
    level: Level,
    message: &str,
) {
    let (node, incarnation) = (origin.name.as_str(), origin.incarnation.0);
    macro_rules! show {
        ($target:ident, $level:ident) => {
            tracing::event!(
                target: $target, tracing::Level::$level,
                node, incarnation, actor = %address, actor_type = actor, image, "{message}"
            )
        };
    }
    macro_rules! at_level {
        ($target:ident) => {
            match level {
                Level::Trace => show!($target, TRACE),
                Level::Debug => show!($target, DEBUG),
                Level::Info => show!($target, INFO),
                Level::Warn => show!($target, WARN),
                Level::Error => show!($target, ERROR),
            }
        };
    }
    if chosen { at_level!(CHOSEN_TARGET) } else { at_level!(ACTOR_TARGET) }
}
