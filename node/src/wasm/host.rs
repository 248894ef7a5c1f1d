//! The functions of the `host` interface: what an instance asks goes to the actor's host, bounded and checked.

use super::bindings::odeon::actor::{host, types};
use super::guest::{Breach, Guest, Phase, reason, size};
use super::limits::{DEPTH_MAX, MESSAGE_NAME_BYTES_MAX};
use odeon::{ADDRESS_BYTES, ActorStatusRequest, Address, AnyMessage, Encoded, Level, Message, Topic, Wakeup};
use odeon_capabilities::limits::KEY_BYTES_MAX;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};

/// Adds the interface to a linker.
pub(super) fn link<T: AsMut<Guest> + 'static>(linker: &mut Linker<T>) -> Result<()> {
    host::add_to_linker::<T, HasSelf<Guest>>(linker, |data| data.as_mut())?;
    types::add_to_linker::<T, HasSelf<Guest>>(linker, |data| data.as_mut())
}

impl AsMut<Guest> for Guest {
    fn as_mut(&mut self) -> &mut Guest {
        self
    }
}

impl types::Host for Guest {}

impl host::Host for Guest {
    fn my_address(&mut self) -> Result<types::Address> {
        self.spend(0)?;
        Ok(words_of(self.host("my-address")?.address()))
    }

    fn send(&mut self, to: types::Address, name: String, bytes: Vec<u8>) -> Result<()> {
        let message = self.message(types::Message { name, bytes })?;
        let host = self.host("send")?;
        match message.name() {
            ActorStatusRequest::NAME => host.request_status(address_of(to)),
            _ => host.send(address_of(to), message),
        }
        Ok(())
    }

    fn create(&mut self, request: Vec<u8>) -> Result<types::Address> {
        self.spend(request.len())?;
        let request = decode(&request, "a creation")?;
        Ok(words_of(self.host("create")?.create(request)))
    }

    fn wakeup_after(&mut self, delay_ms: u64, payload: Option<types::Message>) -> Result<u64> {
        let payload = payload.map(|payload| self.message(payload)).transpose()?;
        self.spend(0)?;
        Ok(self.host("wakeup-after")?.wakeup_after(Duration::from_millis(delay_ms), payload).number())
    }

    fn cancel_wakeup(&mut self, wakeup: u64) -> Result<()> {
        self.spend(0)?;
        self.host("cancel-wakeup")?.cancel_wakeup(Wakeup::from_number(wakeup));
        Ok(())
    }

    fn defer(&mut self) -> Result<()> {
        self.spend(0)?;
        self.host("defer")?.defer();
        Ok(())
    }

    fn resume_deferred(&mut self) -> Result<()> {
        self.spend(0)?;
        self.host("resume-deferred")?.resume_deferred();
        Ok(())
    }

    fn exit(&mut self) -> Result<()> {
        self.spend(0)?;
        self.host("exit")?.exit();
        Ok(())
    }

    fn capabilities(&mut self) -> Result<Vec<u8>> {
        self.spend(0)?;
        encode(&*self.host("capabilities")?.capabilities())
    }

    fn update_capability(&mut self, key: String, value: Option<Vec<u8>>) -> Result<()> {
        self.spend(key.len() + value.as_ref().map_or(0, Vec::len))?;
        check_key(&key)?;
        let value = value.map(|value| decode(&value, "a capability")).transpose()?;
        self.host("update-capability")?.update_capability(key, value);
        Ok(())
    }

    fn watch(&mut self, topic: types::Topic, on: bool) -> Result<()> {
        self.spend(0)?;
        let topic = match topic {
            types::Topic::Members => Topic::Members,
            types::Topic::Capabilities => Topic::Capabilities,
            types::Topic::Images => Topic::Images,
        };
        self.host("watch")?.watch(topic, on);
        Ok(())
    }

    fn register_source_authority(&mut self) -> Result<()> {
        self.spend(0)?;
        self.host("register-source-authority")?.register_source_authority();
        Ok(())
    }

    fn log(&mut self, level: types::Level, text: String) -> Result<()> {
        self.spend(text.len())?;
        let level = match level {
            types::Level::Trace => Level::Trace,
            types::Level::Debug => Level::Debug,
            types::Level::Info => Level::Info,
            types::Level::Warn => Level::Warn,
            types::Level::Error => Level::Error,
        };
        Guest::log(self, level, &text);
        Ok(())
    }

    fn capability(&mut self, key: String) -> Result<Option<Vec<u8>>> {
        self.spend(key.len())?;
        check_key(&key)?;
        let Phase::Check(keys, values) = &self.phase else {
            return Err(Breach("called capability outside of a check".into()).into());
        };
        let answer = keys.send(key).ok().and_then(|()| values.recv().ok());
        answer.ok_or_else(|| Breach("the capabilities are not there any more".into()).into())
    }

    fn failed(&mut self, text: String) -> Result<()> {
        self.failure = Some(reason(&text).to_owned());
        Ok(())
    }
}

impl Guest {
    /// A message that the instance sends, within its bounds.
    fn message(&mut self, types::Message { name, bytes }: types::Message) -> Result<AnyMessage, Breach> {
        self.spend(name.len() + bytes.len())?;
        if name.len() > MESSAGE_NAME_BYTES_MAX {
            let found = name.len();
            let max = MESSAGE_NAME_BYTES_MAX;
            return Err(self.overspend(format!("sent a message with a name of {found} bytes, more than {max}")));
        }
        let max = self.limits.message_bytes_max;
        if bytes.len() > max {
            return Err(self.overspend(format!("sent a message of {} bytes, more than {}", bytes.len(), size(max))));
        }
        Ok(AnyMessage::from_encoded(Encoded { name, bytes }))
    }
}

fn check_key(key: &str) -> Result<(), Breach> {
    if key.len() > KEY_BYTES_MAX {
        return Err(Breach(format!("named a capability of {} bytes, more than {KEY_BYTES_MAX}", key.len())));
    }
    Ok(())
}

/// Decodes what an instance handed over. The depth is bounded: it is the depth of this thread's stack.
fn decode<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    let mut decoder = rmp_serde::Deserializer::from_read_ref(bytes);
    decoder.set_max_depth(DEPTH_MAX);
    T::deserialize(&mut decoder)
        .map_err(|error| Breach(format!("handed over {what} that does not decode: {error}")).into())
}

/// Encodes what an instance is given.
pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>> {
    rmp_serde::to_vec_named(value).map_err(|error| Breach(format!("a value cannot be encoded: {error}")).into())
}

/// An address as the interface carries it.
pub(super) fn words_of(address: Address) -> types::Address {
    let bytes = address.to_bytes();
    let word = |at: usize| u64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
    types::Address { a: word(0), b: word(8), c: word(16), d: word(24) }
}

/// An address from the form in which the interface carries it.
fn address_of(words: types::Address) -> Address {
    let words = [words.a, words.b, words.c, words.d].map(u64::to_be_bytes);
    Address::from_bytes(std::array::from_fn::<u8, ADDRESS_BYTES, _>(|i| words[i / 8][i % 8]))
}
