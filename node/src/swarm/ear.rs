//! What a member's links tell, passed on to the crew that drives it.

use super::count::Tally;
use super::crew::{ForCrew, What};
use crate::link::{Caller, Frames, LinkEvents, Links, Peer};
use odeon::NodeRef;
use quinn::{RecvStream, SendStream};
use std::sync::{Arc, OnceLock};
use tokio::sync::mpsc::{self, error::TrySendError};

/// One member's ear.
pub(super) struct Ear {
    place: usize,
    crew: mpsc::Sender<ForCrew>,
    tally: Arc<Tally>,
    links: OnceLock<Links>,
}

impl Ear {
    /// For the member in this place of that crew.
    pub(super) fn new(place: usize, crew: mpsc::Sender<ForCrew>, tally: Arc<Tally>) -> Self {
        Self { place, crew, tally, links: OnceLock::new() }
    }

    /// The links that it listens to, before anything is dialled.
    pub(super) fn attach(&self, links: Links) {
        // Set once, by whoever made both.
        let _ = self.links.set(links);
    }

    /// Tells the crew, or cuts a link that tells more than it can take: both sides begin anew.
    fn tell(&self, about: NodeRef, what: What) {
        if let Err(TrySendError::Full(_)) = self.crew.try_send(ForCrew { place: self.place, what })
            && let Some(links) = self.links.get()
        {
            links.cut(about);
        }
    }
}

impl LinkEvents for Ear {
    /// Whether it leads, a leader says itself.
    fn up(&self, _peer: Peer) {}

    fn down(&self, node: NodeRef) {
        self.tell(node, What::Down(node));
    }

    fn control(&self, from: NodeRef, bytes: Vec<u8>) {
        Tally::count(&self.tally.heard);
        self.tell(from, What::Control(from, bytes));
    }

    /// Nobody has an actor here to send to.
    fn messages(&self, _from: NodeRef, _lane: u8, _frames: Frames) {}

    /// A member of a swarm serves nothing: the stream ends.
    fn stream(&self, _from: Caller, _purpose: u8, _send: SendStream, _receive: RecvStream) {}

    fn lost(&self, _node: NodeRef, _undelivered: Vec<Vec<u8>>) {}

    fn drained(&self, _ticket: u64) {}
}
