//! `odeon invite`: a leader asks a node in that waits for it.

use super::session::Session;
use super::{CommandError, up, values};
use crate::admin::protocol::Request;
use clap::Args;
use std::time::Duration;

/// What the leader may take on top of the wait, to hand over what the node joins with.
const GRACE: Duration = Duration::from_secs(30);

/// The flags of `invite`.
#[derive(Debug, Clone, Args)]
pub(crate) struct InviteArguments {
    /// Where the node waits
    #[arg(value_name = "HOST:PORT", value_parser = values::host_port)]
    address: String,
    /// The code that the node printed, or the one in @FILE
    #[arg(long, value_name = "CODE", env = "ODEON_INVITE", hide_env_values = true)]
    code: String,
    /// A capability key that the node may claim, and no other; may be given many times
    #[arg(long = "claim", value_name = "KEY", value_parser = values::key)]
    claims: Vec<String>,
    /// How long to wait for a node that is not up yet
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = values::duration)]
    timeout: Duration,
}

/// `odeon invite`
pub(crate) async fn invite(session: &mut Session<'_, '_>, arguments: InviteArguments) -> Result<(), CommandError> {
    let InviteArguments { address, code, claims, timeout } = arguments;
    let code = up::token_text(&code)?.unwrap_or_default();
    let claims = (!claims.is_empty()).then_some(claims);
    // A duration flag is bounded, so its milliseconds fit.
    let request = Request::Invite { address, code, claims, timeout_ms: timeout.as_millis() as u64 };
    session.order_within(&request, Some(timeout + GRACE)).await
}
