//! What an actor asks of its node, by way of the component's imports.

use super::bindings::odeon::actor::{host, types};
use crate::host::{CreateRequest, Host, Level};
use crate::{Address, AnyMessage, CapabilityMap, Encoded, Topic, Value, Wakeup, encoding};
use std::sync::Arc;
use std::time::Duration;

/// The node around this instance.
#[derive(Clone, Copy)]
pub struct Outside;

impl Host for Outside {
    fn address(&self) -> Address {
        address_of(host::my_address())
    }

    fn send(&self, to: Address, message: AnyMessage) {
        if let Some(message) = self.encoded(&message) {
            host::send(words_of(to), &message.name, &message.bytes);
        }
    }

    fn create(&self, request: CreateRequest) -> Address {
        match encoding::encode(&request) {
            Ok(request) => address_of(host::create(&request)),
            Err(error) => super::fail(&format!("a creation that cannot be encoded: {error}")),
        }
    }

    fn wakeup_after(&self, delay: Duration, payload: Option<AnyMessage>) -> Wakeup {
        let payload = payload.and_then(|message| self.encoded(&message));
        let payload = payload.map(|Encoded { name, bytes }| types::Message { name, bytes });
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        Wakeup::from_number(host::wakeup_after(delay_ms, payload.as_ref()))
    }

    fn cancel_wakeup(&self, wakeup: Wakeup) {
        host::cancel_wakeup(wakeup.number());
    }

    fn defer(&self) {
        host::defer();
    }

    fn resume_deferred(&self) {
        host::resume_deferred();
    }

    fn exit(&self) {
        host::exit();
    }

    fn capabilities(&self) -> Arc<CapabilityMap> {
        match encoding::decode(&host::capabilities()) {
            Ok(map) => Arc::new(map),
            Err(error) => super::fail(&format!("capabilities that do not decode: {error}")),
        }
    }

    fn update_capability(&self, key: String, value: Option<Value>) {
        match value.as_ref().map(encoding::encode).transpose() {
            Ok(value) => host::update_capability(&key, value.as_deref()),
            Err(error) => super::fail(&format!("a capability that cannot be encoded: {error}")),
        }
    }

    fn watch(&self, topic: Topic, on: bool) {
        let topic = match topic {
            Topic::Members => types::Topic::Members,
            Topic::Capabilities => types::Topic::Capabilities,
            Topic::Images => types::Topic::Images,
        };
        host::watch(topic, on);
    }

    fn register_source_authority(&self) {
        host::register_source_authority();
    }

    fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Trace => types::Level::Trace,
            Level::Debug => types::Level::Debug,
            Level::Info => types::Level::Info,
            Level::Warn => types::Level::Warn,
            Level::Error => types::Level::Error,
        };
        host::log(level, message);
    }
}

impl Outside {
    /// The message in the form that leaves the instance; one that has none is logged and goes no further.
    fn encoded(&self, message: &AnyMessage) -> Option<Encoded> {
        message.encode().map_err(|error| self.log(Level::Error, &error.to_string())).ok()
    }
}

/// An address as the interface carries it.
fn words_of(address: Address) -> types::Address {
    let [a, b, c, d] = address.to_words();
    types::Address { a, b, c, d }
}

/// An address from the form in which the interface carries it.
pub(super) fn address_of(types::Address { a, b, c, d }: types::Address) -> Address {
    Address::from_words([a, b, c, d])
}
