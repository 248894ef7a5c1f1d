//! How nodes are: what actors here ask, and other nodes for theirs. Who answers is not here: see `backend/reporting`.
//!
//! Another node is asked at an address of its own where no actor can live, so it answers without disturbing any.

use super::Hosting;
use super::loading::known;
use odeon::system::Envelope;
use odeon::{Address, AnyMessage, NodeRef, NodeStatus, NodeStatusReport, NodeStatusRequest};
use odeon_convention::codes;
use std::time::Duration;
use tokio::sync::mpsc;

/// Asks that wait for their turn.
pub(crate) const STATUS_ASKS_MAX: usize = 256;

/// Somebody asks how a node is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StatusAsk {
    /// Who is answered.
    by: Address,
    /// The node that asks for one of its actors; none for an actor here.
    from: Option<NodeRef>,
    /// Which node is meant.
    pub(crate) of: NodeRef,
}

/// What is known of a node, or the number of an error and words for people.
pub(crate) type Known = Result<NodeStatus, (u16, String)>;

/// Where a node is asked how it is.
pub(super) fn desk(node: NodeRef) -> Address {
    Address::mint(node, 0, 0)
}

impl Hosting {
    /// An actor here asks. Never waits.
    pub(super) fn status_asked(&self, by: Address, of: Option<NodeRef>) {
        self.take_ask(StatusAsk { by, from: None, of: of.unwrap_or(self.me) });
    }

    /// Whether a message of another node asks how this one is. It is answered nowhere but there.
    pub(super) fn is_asked(&self, from: NodeRef, envelope: &Envelope) -> bool {
        let by = envelope.sender;
        let asks = envelope.to == desk(self.me)
            && known::<NodeStatusRequest>(&envelope.message).is_some()
            && by.node() == from
            && !by.is_promised();
        if asks {
            self.take_ask(StatusAsk { by, from: Some(from), of: self.me });
        }
        asks
    }

    fn take_ask(&self, ask: StatusAsk) {
        if self.status_asks.try_send(ask).is_err() {
            let why = format!("{STATUS_ASKS_MAX} asks for the status of nodes wait already");
            self.answer_ask(ask, Err((codes::STATUS_ASKS_WAITING, why)));
        }
    }

    /// Tells whoever asked.
    pub(crate) fn answer_ask(&self, StatusAsk { by, from, of }: StatusAsk, known: Known) {
        let (status, refusal) = match known {
            Ok(status) => (Some(status), None),
            Err(refusal) => (None, Some(refusal)),
        };
        let message = AnyMessage::new(NodeStatusReport { of, status, refusal });
        match from {
            None => _ = self.system().deliver(Envelope { to: by, sender: Address::NODE, message }),
            Some(from) => _ = self.send_to(from, by, Envelope { to: by, sender: desk(self.me), message }),
        }
    }

    /// Asks another node how it is.
    pub(crate) async fn ask_how(&self, node: NodeRef, within: Duration) -> Known {
        let (first, mut reports) = mpsc::channel(1);
        let hear = move |envelope: Envelope| {
            if let Some(report) = known::<NodeStatusReport>(&envelope.message).filter(|report| report.of == node) {
                // Whatever comes after the first one is nobody's.
                let _ = first.try_send(report.clone());
            }
        };
        let talk = self.talk(node, desk(node), NodeStatusRequest::default(), Box::new(hear));
        let mut talk = talk.map_err(|error| (codes::INTERNAL, error.to_string()))?;
        let unreachable = || Err((codes::NODE_UNREACHABLE, format!("node {node} is not there")));
        tokio::select! {
            report = reports.recv() => match report {
                Some(NodeStatusReport { status: Some(status), .. }) => Ok(status),
                Some(NodeStatusReport { refusal: Some(refusal), .. }) => Err(refusal),
                _ => unreachable(),
            },
            () = talk.undeliverable() => unreachable(),
            () = tokio::time::sleep(within) => {
                Err((codes::TIMED_OUT, format!("node {node} does not answer within {} s", within.as_secs())))
            }
        }
    }
}
