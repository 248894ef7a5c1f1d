//! Who was turned away and why: counted always, logged once a source and reason a minute.

use super::limits::{REFUSAL_LOG_PAUSE, REFUSAL_SOURCES_MAX};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// Why somebody was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// A datagram that no peer would send.
    NotQuic,
    /// A handshake that did not come to its end in time.
    HandshakeTimeout,
    /// A handshake that failed otherwise.
    HandshakeFailed,
    /// More handshakes at once than are allowed.
    TooManyHandshakes,
    /// No certificate, or one that neither the CA signed nor a token stands behind.
    UnknownCertificate,
    /// A certificate or token whose time is over.
    Expired,
    /// A token that was used as often as it may be.
    TokenUsedUp,
    /// A peer that says it is somebody else than its certificate says.
    Identity,
    /// A peer with another protocol version.
    Version,
    /// A peer that breaks the framing.
    Violation,
    /// A start of a node of which a later one is known.
    Superseded,
    /// A join or an operator that the leader's record does not admit.
    NotAdmitted,
    /// Somebody who dialled a node that only dials.
    OutboundOnly,
}

impl Refusal {
    /// Its name in logs and in `odeon status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotQuic => "not_quic",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::HandshakeFailed => "handshake_failed",
            Self::TooManyHandshakes => "too_many_handshakes",
            Self::UnknownCertificate => "unknown_certificate",
            Self::Expired => "expired",
            Self::TokenUsedUp => "token_used_up",
            Self::Identity => "identity",
            Self::Version => "version",
            Self::Violation => "violation",
            Self::Superseded => "superseded",
            Self::NotAdmitted => "not_admitted",
            Self::OutboundOnly => "outbound_only",
        }
    }
}

#[derive(Default)]
pub(crate) struct Refusals(Mutex<State>);

#[derive(Default)]
struct State {
    counts: BTreeMap<Refusal, u64>,
    logged: HashMap<(IpAddr, Refusal), Instant>,
}

impl Refusals {
    pub(crate) fn counts(&self) -> BTreeMap<Refusal, u64> {
        self.0.lock().counts.clone()
    }

    pub(crate) fn note(&self, source: SocketAddr, refusal: Refusal, reason: &str) {
        if self.count(source.ip(), refusal, Instant::now()) {
            tracing::warn!(%source, refusal = refusal.name(), reason, "turned a peer away");
        }
    }

    /// Counts it and says whether it is to be logged.
    fn count(&self, source: IpAddr, refusal: Refusal, now: Instant) -> bool {
        let mut state = self.0.lock();
        *state.counts.entry(refusal).or_default() += 1;
        let recent = |at: &Instant| now.duration_since(*at) < REFUSAL_LOG_PAUSE;
        if state.logged.get(&(source, refusal)).is_some_and(recent) {
            return false;
        }
        if state.logged.len() >= REFUSAL_SOURCES_MAX {
            state.logged.retain(|_, at| recent(at));
            if state.logged.len() >= REFUSAL_SOURCES_MAX {
                return false;
            }
        }
        state.logged.insert((source, refusal), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_source_and_reason_is_counted_always_and_logged_once_a_minute() {
        let refusals = Refusals::default();
        let (a, b) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let now = Instant::now();
        assert!(refusals.count(a, Refusal::NotQuic, now));
        assert!(!refusals.count(a, Refusal::NotQuic, now + Duration::from_secs(59)));
        assert!(refusals.count(a, Refusal::Expired, now));
        assert!(refusals.count(b, Refusal::NotQuic, now));
        assert!(refusals.count(a, Refusal::NotQuic, now + Duration::from_secs(61)));
        assert_eq!(refusals.counts()[&Refusal::NotQuic], 4);
    }
}
