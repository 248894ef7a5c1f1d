//! Why a link could not be had, and the codes with which a connection is closed.

use odeon::NodeRef;
use odeon_convention::codes;
use quinn::{ConnectionError, VarInt};
use std::net::SocketAddr;

/// Why a link could not be had.
#[derive(Debug, Clone, thiserror::Error)]
#[allow(missing_docs)]
pub enum LinkError {
    #[error("cannot listen on {address}: {reason}")]
    Listen { address: SocketAddr, reason: String },
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    #[error("there is no link to {0}")]
    NotConnected(NodeRef),
    #[error("cannot reach {address}: {reason}")]
    Unreachable { address: String, reason: String },
    #[error("{reason}")]
    Refused { code: u16, reason: String },
    #[error("the frame has {found} bytes, at most {max} are allowed")]
    FrameTooLarge { found: usize, max: usize },
    #[error("the session with {0} holds all that it may")]
    Full(NodeRef),
    #[error("{0} is over: a later start of that node is known")]
    Superseded(NodeRef),
    #[error("there are {0} sessions, no more are allowed")]
    TooManySessions(usize),
    #[error("the links are shut down")]
    ShutDown,
}

impl LinkError {
    /// The code that an operator sees.
    pub fn code(&self) -> u16 {
        match self {
            Self::Listen { .. } => codes::LISTEN,
            Self::Tls(_) => codes::INTERNAL,
            Self::Refused { code, .. } => *code,
            Self::FrameTooLarge { .. } => codes::BAD_REQUEST,
            Self::Superseded(_) => codes::SUPERSEDED,
            _ => codes::NODE_UNREACHABLE,
        }
    }
}

/// Why one side closes a connection; the number goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Close {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

/// All is well: the node goes, or the work is done.
pub(crate) const CLOSE_DONE: u16 = 0;
/// Another connection of the same pair is the one to use.
pub(crate) const CLOSE_DUPLICATE: u16 = 1;
/// The two sides do not remember the same session: dial again and start afresh.
pub(crate) const CLOSE_AFRESH: u16 = 2;

impl Close {
    pub(crate) fn new(code: u16, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }

    /// The peer broke the framing.
    pub(crate) fn violation(reason: impl Into<String>) -> Self {
        Self::new(codes::BAD_REQUEST, reason)
    }

    /// Closes the connection, unless it is closed: then the reason that it has stays.
    pub(crate) fn apply(&self, connection: &quinn::Connection) {
        if connection.close_reason().is_none() {
            connection.close(VarInt::from_u32(self.code.into()), self.reason.as_bytes());
        }
    }
}

/// The code and reason with which the peer closed a connection, when it gave one.
pub(crate) fn closed_by_peer(error: &ConnectionError) -> Option<Close> {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            let code = u16::try_from(close.error_code.into_inner()).unwrap_or(codes::INTERNAL);
            let reason: String = String::from_utf8_lossy(&close.reason).chars().take(300).collect();
            Some(Close { code, reason })
        }
        ConnectionError::ConnectionClosed(close) => tls_alert(u64::from(close.error_code)).map(of_alert),
        _ => None,
    }
}

/// What the alert with which a certificate is refused means.
pub(crate) fn of_alert(alert: u8) -> Close {
    let (code, reason) = match alert {
        44 => (codes::TOKEN_USED_UP, "the token has been used as often as it may be"),
        45 => (codes::TOKEN_EXPIRED, "the token has expired"),
        48 => (codes::TOKEN_UNKNOWN, "the leader does not know the token"),
        _ => (codes::IDENTITY, "the peer does not accept this certificate"),
    };
    Close::new(code, reason)
}

/// The TLS alert in a transport error code (RFC 9001, 4.8).
pub(crate) fn tls_alert(code: u64) -> Option<u8> {
    code.checked_sub(0x100).and_then(|alert| u8::try_from(alert).ok())
}
