//! Asking many nodes the same thing at once.

use super::{NodeBackend, Outcome, failed};
use crate::admin::protocol::Request;
use futures_util::{StreamExt, stream};
use odeon::NodeRef;
use odeon_convention::codes;
use std::time::Duration;

/// How many nodes are asked at a time.
const ASKED_AT_ONCE: usize = 64;

impl NodeBackend {
    /// Asks other nodes, given with their names, what `request` makes of the name, each for `within` at most. The answers
    /// come in the order of the nodes.
    pub(super) async fn ask_each(
        &self,
        nodes: Vec<(NodeRef, String)>,
        within: Duration,
        request: impl Fn(&str) -> Request,
    ) -> Vec<(NodeRef, String, Outcome)> {
        let asked = nodes.into_iter().map(|(node, name)| {
            let (backend, request) = (self.clone(), request(&name));
            async move {
                let answer = tokio::time::timeout(within, backend.hand_on(node, &request, None)).await;
                let late = |_| Err(failed(codes::NODE_UNREACHABLE, format!("node {node} does not answer")));
                (node, name, answer.unwrap_or_else(late))
            }
        });
        stream::iter(asked).buffered(ASKED_AT_ONCE).collect().await
    }
}
