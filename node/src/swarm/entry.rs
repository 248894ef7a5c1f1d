//! One member's way in: a token's handshake, a certificate from the leader, its registration over the same connection.

use super::count::Tally;
use super::crew::{ForCrew, What};
use super::ear::Ear;
use super::limits::{JOIN_PAUSE, JOIN_TRIES, REGISTER_WAIT_MAX};
use super::member::{Seat, facts};
use crate::admin::protocol::Failed;
use crate::identity::{JoinError, Joined, Token, join_in_memory};
use crate::link::{LinkConfig, Links, Vitals};
use odeon_convention::codes;
use quinn::Endpoint;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Where a member comes in, and whose place it takes.
pub(super) struct Entry {
    pub(super) token: Arc<Token>,
    pub(super) name: String,
    pub(super) number: u32,
    pub(super) socket: Endpoint,
    pub(super) vitals: Arc<Vitals>,
    pub(super) crew: mpsc::Sender<ForCrew>,
    pub(super) place: usize,
    pub(super) tally: Arc<Tally>,
}

impl Entry {
    /// Comes in, and gives how long that took, once the leader has the member in its list.
    pub(super) async fn come_in(self) -> Result<Duration, Failed> {
        let began = Instant::now();
        let Joined { identity, leaders, stays } = self.be_let_in().await?;
        let identity = Arc::new(identity);
        let ear = Arc::new(Ear::new(self.place, self.crew.clone(), self.tally.clone()));
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let config = LinkConfig::member(nowhere, identity.clone(), self.name.clone());
        let links = Links::dialling((self.socket, self.vitals), config, ear.clone());
        ear.attach(links.clone());
        let (end, registered) = oneshot::channel();
        let seed = getrandom::u64().map_err(|e| internal(format!("no random numbers: {e}")))?;
        let facts = facts(self.name.clone(), self.number);
        let seat = Seat::new(identity, facts, seed, links, (leaders, stays.connection), self.tally, end);
        let came = ForCrew { place: self.place, what: What::Came(Box::new(seat)) };
        self.crew.send(came).await.map_err(|_| internal("the crew has stopped".to_owned()))?;
        match tokio::time::timeout(REGISTER_WAIT_MAX, registered).await {
            Ok(Ok(Ok(()))) => Ok(began.elapsed()),
            Ok(Ok(Err((code, reason)))) => Err(Failed::new(code, format!("{}: {reason}", self.name))),
            Ok(Err(_)) => Err(internal(format!("{} was dropped before it was registered", self.name))),
            Err(_) => {
                let seconds = REGISTER_WAIT_MAX.as_secs();
                Err(Failed::new(codes::TIMED_OUT, format!("{} was not registered within {seconds} s", self.name)))
            }
        }
    }

    /// Tries again where the leader does not answer. What it refuses, it would refuse again.
    async fn be_let_in(&self) -> Result<Joined, Failed> {
        let mut tries = 1;
        loop {
            match join_in_memory(&self.token, &self.name, &self.socket).await {
                Ok(joined) => return Ok(joined),
                Err(JoinError::Unreachable { .. }) if tries < JOIN_TRIES => tries += 1,
                Err(error) => return Err(Failed::new(error.code(), format!("{}: {error}", self.name))),
            }
            let random = getrandom::u32().unwrap_or(0);
            tokio::time::sleep(JOIN_PAUSE.mul_f64(1.0 - 0.5 * f64::from(random) / f64::from(u32::MAX))).await;
        }
    }
}

fn internal(message: String) -> Failed {
    Failed::new(codes::INTERNAL, message)
}
