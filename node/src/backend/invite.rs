//! Inviting a node that waits for it.

use super::{NodeBackend, Outcome, failed};
use crate::admin::protocol::Reply;
use crate::identity::InviteCode;
use crate::link::invite::{self, InviteError};
use odeon_convention::codes;
use odeon_convention::types::Role;
use std::time::{Duration, Instant};

/// How long a node that is not up yet is waited for, at most.
const INVITE_TIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long a node that was invited has to come with its token.
const INVITED_TTL_S: u64 = 600;

impl NodeBackend {
    /// Dials a node that waits, and hands it a token of one use.
    pub(super) async fn invite(
        &self,
        address: &str,
        code: &str,
        claims: Option<Vec<String>>,
        timeout_ms: u64,
    ) -> Outcome {
        let code = code.parse::<InviteCode>().map_err(|e| failed(e.code(), e.to_string()))?;
        let lost = |e: InviteError| failed(e.code(), e.to_string());
        let until = Instant::now() + Duration::from_millis(timeout_ms).min(INVITE_TIME_MAX);
        let waiting = invite::dial(address, &code, until).await.map_err(lost)?;
        match self.create_token(Role::Member, INVITED_TTL_S, Some(1), claims).await? {
            Reply::Token(token) => waiting.invite(&token).await.map_err(lost)?,
            _ => return Err(failed(codes::INTERNAL, "the leader made no token")),
        }
        Ok(Reply::Done)
    }
}
