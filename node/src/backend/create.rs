//! Creating actors, and explaining where one could be.

use super::nodes::living;
use super::{NodeBackend, Outcome, failed};
use crate::admin::protocol::{CreateArguments, CreatedItem, Failed, Reply};
use crate::driver::{Event, View};
use crate::link;
use odeon::{Encoded, NodeId, UNTYPED, Value};
use odeon_convention::codes;
use odeon_convention::types::{CreateOutcome, CreateSpec};
use tokio::sync::oneshot;

/// Bytes of a message from a command: what a link takes less the addresses around it. An actor on this node is held
/// to the same, so that it does not matter where an actor lives.
const MESSAGE_BYTES_MAX: usize = link::limits::FRAME_BYTES_MAX - 64 * 1024;

impl NodeBackend {
    pub(super) async fn create(&self, view: &View, arguments: CreateArguments) -> Outcome {
        let argument = arguments.argument.as_ref().map(encode).transpose()?;
        let spec = self.spec(view, arguments).await?;
        let (end, outcome) = oneshot::channel();
        self.event(Event::Create { spec: Box::new(spec), end }).await?;
        match outcome.await.map_err(|_| super::stopping())? {
            CreateOutcome::Created { address, node, existing } => {
                if let Some(argument) = argument.filter(|_| !existing) {
                    self.hosting.tell(address, argument);
                }
                Ok(Reply::Created(CreatedItem { address, node: self.name_of(view, node).await }))
            }
            CreateOutcome::NoCompatibleNode(explanation) => Err(Failed {
                code: codes::NO_COMPATIBLE_NODE,
                message: super::actors::no_node(&explanation),
                explanation: Some(explanation),
            }),
            CreateOutcome::Refused { code, reason } => Err(failed(code, reason)),
        }
    }

    pub(super) async fn explain(&self, view: &View, arguments: CreateArguments) -> Outcome {
        if view.led.is_none() {
            self.leader(view)?;
        }
        let spec = self.spec(view, arguments).await?;
        let (end, explanation) = oneshot::channel();
        self.event(Event::Explain { spec: Box::new(spec), end }).await?;
        let late = |_| failed(codes::LEADER_UNREACHABLE, "the leader does not answer");
        let explanation = tokio::time::timeout(super::PEER_TIME_MAX, explanation).await.map_err(late)?;
        Ok(Reply::Explained(explanation.map_err(|_| super::stopping())?))
    }

    /// What a person asked for, with names made into ids and hashes.
    async fn spec(&self, view: &View, arguments: CreateArguments) -> Result<CreateSpec, Failed> {
        odeon_capabilities::Matcher::new(&arguments.requirements)
            .map_err(|e| failed(codes::BAD_REQUIREMENT, e.to_string()))?;
        let image = match &arguments.image {
            Some(text) => Some(self.find_image(view, text).await?),
            None => None,
        };
        let on = match &arguments.on {
            Some(node) => Some(self.node_id(view, node).await?),
            None => None,
        };
        Ok(CreateSpec {
            actor: arguments.actor,
            image,
            requirements: arguments.requirements,
            global_name: arguments.global_name,
            placement: arguments.placement,
            on,
            parent: None,
            promised: None,
            distinct: arguments.distinct,
        })
    }

    async fn node_id(&self, view: &View, name_or_id: &str) -> Result<NodeId, Failed> {
        if self.is_me(name_or_id) {
            return Ok(self.me.id);
        }
        let unknown = || failed(codes::NODE_UNKNOWN, format!("no node has the name or id {name_or_id:?}"));
        let nodes = self.nodes(view).await?;
        let node = nodes.iter().find(|n| n.name == name_or_id || n.id == name_or_id).ok_or_else(unknown)?;
        living(name_or_id, node.state)?;
        node.id.parse().map_err(|_| unknown())
    }
}

/// A message without a Rust type, in the form that crosses boundaries.
pub(super) fn encode(value: &Value) -> Result<Encoded, Failed> {
    let bytes = rmp_serde::to_vec_named(value).map_err(|e| failed(codes::BAD_REQUEST, e.to_string()))?;
    if bytes.len() > MESSAGE_BYTES_MAX {
        let message = format!("a message of {} bytes is larger than {MESSAGE_BYTES_MAX} bytes", bytes.len());
        return Err(failed(codes::BAD_REQUEST, message));
    }
    Ok(Encoded { name: UNTYPED.to_owned(), bytes })
}
