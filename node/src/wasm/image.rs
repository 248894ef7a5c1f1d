//! A loaded image: its actors, and how each is built and checked.

use super::WasmError;
use super::accounts::Accounts;
use super::bindings::ImagePre;
use super::guest::{Guest, Phase};
use super::host;
use super::instance::Instance;
use super::limits::{ACTOR_NAME_BYTES_MAX, ACTORS_MAX, REQUIRED_MAX, WasmLimits};
use super::own::Own;
use super::shared::{Shared, Tenant};
use super::ticker::Ticker;
use odeon::{Actor, CapabilityView, Definition, Failure, Requirements};
use odeon_capabilities::limits::KEY_BYTES_MAX;
use odeon_sourceauth::Isolation;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// A component that is linked and ready for instances.
pub(super) struct Image {
    pub(super) hash: Arc<str>,
    pub(super) pre: ImagePre<Guest>,
    pub(super) limits: WasmLimits,
    pub(super) accounts: Arc<Accounts>,
    pub(super) isolation: Isolation,
    /// Empty where each actor has an instance of its own.
    pub(super) shared: Shared,
    /// Keeps the clock running for as long as there may be instances.
    pub(super) ticker: Arc<Ticker>,
}

impl Image {
    /// The image's actors, as it describes them itself.
    pub(super) fn definitions(self: &Arc<Image>) -> Result<Vec<Definition>, WasmError> {
        let described = Instance::new(self, Phase::Apart, self.limits.check_ms)
            .and_then(|mut instance| instance.describe())
            .map_err(|failure| WasmError::describe(failure.reason()))?;
        check_described(described.iter().map(|actor| (&*actor.name, &*actor.required)))?;
        Ok(described.into_iter().map(|actor| self.definition(actor.name.into(), actor.required.into())).collect())
    }

    fn definition(self: &Arc<Image>, name: Arc<str>, required: Arc<[String]>) -> Definition {
        let (builder, checker) = ((self.clone(), name.clone()), (self.clone(), name.clone()));
        Definition {
            name,
            required,
            image: Some(self.hash.clone()),
            build: Arc::new(move || {
                let (image, actor) = &builder;
                Ok(match image.isolation {
                    Isolation::Actor => Box::new(Own::new(image, actor)?) as Box<dyn Actor>,
                    Isolation::Image => Box::new(Tenant::new(image, actor)?),
                })
            }),
            check: Arc::new(move |capabilities, requirements| {
                let (image, actor) = &checker;
                image.check(actor, capabilities, requirements)
            }),
            waits: false,
        }
    }

    /// Runs an actor's check in an instance of its own. The instance runs on a thread of its own as well, because
    /// the capabilities are only borrowed: this thread reads them for it.
    fn check(
        self: &Arc<Image>,
        actor: &Arc<str>,
        capabilities: &dyn CapabilityView,
        requirements: &Requirements,
    ) -> Result<bool, Failure> {
        let requirements = rmp_serde::to_vec_named(requirements)?;
        let (keys, asked) = sync_channel(1);
        let (answers, values) = sync_channel(1);
        let (image, actor) = (self.clone(), actor.clone());
        let checker = thread::Builder::new()
            .name("odeon-check".into())
            .spawn(move || image.check_apart(&actor, &requirements, keys, values))
            .map_err(|error| Failure::passing(format!("no thread for the check: {error}")))?;
        for key in asked {
            let value = capabilities.value(&key).map(|value| host::encode(&value)).transpose();
            let value = value.map_err(|e| Failure::new(e.to_string()))?;
            if answers.send(value).is_err() {
                break;
            }
        }
        checker.join().unwrap_or_else(|panic| Err(Failure::from_panic(&*panic)))
    }

    fn check_apart(
        self: &Arc<Image>,
        actor: &str,
        requirements: &[u8],
        keys: SyncSender<String>,
        values: Receiver<Option<Vec<u8>>>,
    ) -> Result<bool, Failure> {
        Instance::new(self, Phase::Check(keys, values), self.limits.check_ms)?.check(actor, requirements)
    }
}

/// Whether an image may have these actors: each a name, and the capabilities that it requires.
pub(super) fn check_described<'a>(
    described: impl ExactSizeIterator<Item = (&'a str, &'a [String])>,
) -> Result<(), WasmError> {
    if !(1..=ACTORS_MAX).contains(&described.len()) {
        return Err(WasmError::describe(format!("found {} actors, expected 1 to {ACTORS_MAX}", described.len())));
    }
    let mut names = HashSet::with_capacity(described.len());
    for (name, required) in described {
        check_name("an actor", name, ACTOR_NAME_BYTES_MAX)?;
        if !names.insert(name) {
            return Err(WasmError::describe(format!("found two actors named {name:?}")));
        }
        if required.len() > REQUIRED_MAX {
            let found = required.len();
            return Err(WasmError::describe(format!("found {found} required capabilities, at most {REQUIRED_MAX}")));
        }
        required.iter().try_for_each(|key| check_name("a required capability", key, KEY_BYTES_MAX))?;
    }
    Ok(())
}

fn check_name(what: &str, name: &str, max: usize) -> Result<(), WasmError> {
    if name.is_empty() || name.len() > max {
        let found = name.len();
        return Err(WasmError::describe(format!("found {what} with a name of {found} bytes, expected 1 to {max}")));
    }
    Ok(())
}
