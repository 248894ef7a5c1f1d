//! A loaded image with grants: its actors, and how each is built and checked.

use super::Access;
use super::actor::{Hosted, stopping};
use super::bindings::ImagePre;
use super::inside::Inside;
use super::instance::Instance;
use super::tasks::Tasks;
use crate::wasm::WasmError;
use crate::wasm::accounts::Accounts;
use crate::wasm::guest::Phase;
use crate::wasm::host;
use crate::wasm::image::check_described;
use crate::wasm::limits::WasmLimits;
use crate::wasm::ticker::Ticker;
use odeon::{Actor, CapabilityView, Definition, Failure, Requirements};
use odeon_sourceauth::GRANTS_CAPABILITY;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

/// A component that is linked and ready for instances.
pub(super) struct Image {
    pub(super) hash: Arc<str>,
    pub(super) pre: ImagePre<Inside>,
    pub(super) limits: WasmLimits,
    pub(super) accounts: Arc<Accounts>,
    pub(super) access: Access,
    pub(super) tasks: Arc<Tasks>,
    /// Keeps the clock running for as long as there may be instances.
    _ticker: Arc<Ticker>,
}

impl Image {
    pub(super) fn new(
        hash: &str,
        pre: ImagePre<Inside>,
        limits: WasmLimits,
        accounts: Arc<Accounts>,
        ticker: Arc<Ticker>,
        access: Access,
        tasks: Arc<Tasks>,
    ) -> Arc<Self> {
        Arc::new(Self { hash: hash.into(), pre, limits, accounts, access, tasks, _ticker: ticker })
    }

    /// The image's actors, as it describes them itself.
    pub(super) fn definitions(self: &Arc<Self>) -> Result<Vec<Definition>, WasmError> {
        let image = self.clone();
        let described = self.tasks.wait(async move { Instance::alone(&image, Phase::Apart).await?.describe().await });
        let described = described.unwrap_or_else(|| Err(stopping()));
        let described = described.map_err(|failure| WasmError::describe(failure.reason()))?;
        check_described(described.iter().map(|actor| (&*actor.name, &*actor.required)))?;
        Ok(described.into_iter().map(|actor| self.definition(actor.name.into(), actor.required)).collect())
    }

    fn definition(self: &Arc<Self>, name: Arc<str>, mut required: Vec<String>) -> Definition {
        if !required.iter().any(|key| key == GRANTS_CAPABILITY) {
            required.push(GRANTS_CAPABILITY.to_owned());
        }
        let (builder, checker) = ((self.clone(), name.clone()), (self.clone(), name.clone()));
        Definition {
            name,
            required: required.into(),
            image: Some(self.hash.clone()),
            build: Arc::new(move || {
                let hosted = Hosted::new(&builder.0, &builder.1);
                // A worker does not wait: it is building an actor anew, which the next message finds out about.
                if !odeon::system::on_worker() {
                    hosted.build()?;
                }
                Ok(Box::new(hosted) as Box<dyn Actor>)
            }),
            check: Arc::new(move |capabilities, requirements| checker.0.check(&checker.1, capabilities, requirements)),
            waits: true,
        }
    }

    /// Runs an actor's check in an instance of its own. The capabilities are only borrowed: this thread reads them for it.
    fn check(
        self: &Arc<Self>,
        actor: &Arc<str>,
        capabilities: &dyn CapabilityView,
        requirements: &Requirements,
    ) -> Result<bool, Failure> {
        let requirements = rmp_serde::to_vec_named(requirements)?;
        let ((keys, asked), (answers, values)) = (sync_channel(1), sync_channel(1));
        let (says, said) = sync_channel(1);
        let (image, actor) = (self.clone(), actor.clone());
        let check = async move {
            let mut instance = Instance::alone(&image, Phase::Check(keys, values)).await?;
            instance.check(&actor, &requirements).await
        };
        // Whoever waits may be gone, as the capabilities panicked.
        self.tasks.spawn(async move { drop(says.send(check.await)) });
        for key in asked {
            let value = capabilities.value(&key).map(|value| host::encode(&value)).transpose();
            if answers.send(value.map_err(|error| Failure::new(error.to_string()))?).is_err() {
                break;
            }
        }
        said.recv().unwrap_or_else(|_| Err(stopping()))
    }
}
