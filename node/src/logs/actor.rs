//! The lines that actors log.

use super::{ACTOR_TARGET, Origin, Outbox, line, time};
use crate::admin::protocol::LogLine;
use odeon::{Address, Level};
use std::collections::BTreeMap;

/// Where a node's actors log: shown at the node, and from warning on in its outbox, once.
#[derive(Clone)]
pub struct ActorLog {
    outbox: Outbox,
}

impl ActorLog {
    /// For the actors of the node that `outbox` is of.
    pub fn new(outbox: Outbox) -> Self {
        Self { outbox }
    }

    /// The actor at `address`, of type `actor` and from `image`, logs `message`.
    pub fn line(&self, address: Address, actor: &str, image: Option<&str>, level: Level, message: &str) {
        let mut message = message.to_owned();
        line::cut(&mut message, super::limits::MESSAGE_BYTES_MAX);
        show(self.outbox.origin(), address, actor, image, level, &message);
        if level < Level::Warn || !self.outbox.admit(&address.to_string()) {
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

fn show(origin: &Origin, address: Address, actor: &str, image: Option<&str>, level: Level, message: &str) {
    let (node, incarnation) = (origin.name.as_str(), origin.incarnation.0);
    macro_rules! show {
        ($level:ident) => {
            tracing::event!(
                target: ACTOR_TARGET, tracing::Level::$level,
                node, incarnation, actor = %address, actor_type = actor, image, "{message}"
            )
        };
    }
    match level {
        Level::Trace => show!(TRACE),
        Level::Debug => show!(DEBUG),
        Level::Info => show!(INFO),
        Level::Warn => show!(WARN),
        Level::Error => show!(ERROR),
    }
}
