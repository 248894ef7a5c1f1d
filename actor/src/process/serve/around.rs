//! What surrounds an actor and a check in this process: the node, by way of the socket.

use super::super::frame::FromChild;
use super::super::limits::LINE_BYTES_MAX;
use super::{Answer, Asker, Served, cut};
use crate::host::{CreateRequest, Host, Level};
use crate::{Address, AnyMessage, CapabilityMap, CapabilityView, Encoded, Topic, Value, Wakeup};
use std::sync::Arc;
use std::time::Duration;

/// The capabilities of the node that a check is about.
pub(super) struct Asked<'a> {
    pub(super) served: &'a Served,
    pub(super) call: u64,
}

impl CapabilityView for Asked<'_> {
    fn value(&self, key: &str) -> Option<Value> {
        let question = FromChild::Read { call: self.call, key: key.to_owned() };
        match self.served.ask(Asker::Check(self.call), &question) {
            Some(Answer::Value(value)) => value,
            _ => None,
        }
    }
}

/// The node around an actor that handles a message.
pub(super) struct Outside {
    pub(super) served: Arc<Served>,
    pub(super) actor: u64,
    pub(super) address: Address,
}

impl Outside {
    /// The message in the form that leaves the process; one that has none is logged and goes no further.
    fn encoded(&self, message: &AnyMessage) -> Option<Encoded> {
        message.encode().map_err(|error| self.log(Level::Error, &error.to_string())).ok()
    }
}

impl Host for Outside {
    fn address(&self) -> Address {
        self.address
    }

    fn send(&self, to: Address, message: AnyMessage) {
        if let Some(Encoded { name, bytes }) = self.encoded(&message) {
            self.served.say(&FromChild::Send { actor: self.actor, to, name, bytes });
        }
    }

    fn create(&self, request: CreateRequest) -> Address {
        let question = FromChild::Create { actor: self.actor, request };
        match self.served.ask(Asker::Actor(self.actor), &question) {
            Some(Answer::Child(child)) => child,
            // The node is gone, and with it every actor.
            _ => self.address,
        }
    }

    fn wakeup_after(&self, delay: Duration, payload: Option<AnyMessage>) -> Wakeup {
        let payload = payload.and_then(|message| self.encoded(&message));
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        let question = FromChild::Wakeup { actor: self.actor, delay_ms, payload };
        match self.served.ask(Asker::Actor(self.actor), &question) {
            Some(Answer::Wakeup(wakeup)) => wakeup,
            _ => Wakeup::NEVER,
        }
    }

    fn cancel_wakeup(&self, wakeup: Wakeup) {
        self.served.say(&FromChild::CancelWakeup { actor: self.actor, wakeup: wakeup.number() });
    }

    fn defer(&self) {
        self.served.say(&FromChild::Defer { actor: self.actor });
    }

    fn resume_deferred(&self) {
        self.served.say(&FromChild::ResumeDeferred { actor: self.actor });
    }

    fn exit(&self) {
        self.served.say(&FromChild::Exit { actor: self.actor });
    }

    fn capabilities(&self) -> Arc<CapabilityMap> {
        let question = FromChild::Capabilities { actor: self.actor };
        match self.served.ask(Asker::Actor(self.actor), &question) {
            Some(Answer::Capabilities(capabilities)) => Arc::new(capabilities),
            _ => Arc::default(),
        }
    }

    fn update_capability(&self, key: String, value: Option<Value>) {
        self.served.say(&FromChild::UpdateCapability { actor: self.actor, key, value });
    }

    fn watch(&self, topic: Topic, on: bool) {
        self.served.say(&FromChild::Watch { actor: self.actor, topic, on });
    }

    fn register_source_authority(&self) {
        self.served.say(&FromChild::RegisterSourceAuthority { actor: self.actor });
    }

    fn log(&self, level: Level, message: &str) {
        let text = cut(message, LINE_BYTES_MAX);
        self.served.say(&FromChild::Log { actor: Some(self.actor), level, text });
    }
}
