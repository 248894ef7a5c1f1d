//! `odeon invite`: a leader asks a node in that waits for it; what of that is under way, and how it is taken back.

use super::session::{Session, unexpected};
use super::{CommandError, up, values};
use crate::admin::protocol::{InvitationItem, Reply, Request};
use clap::Args;
use std::time::Duration;

/// What the leader may take on top of the wait, to hand over what the node joins with.
const GRACE: Duration = Duration::from_secs(30);

/// The flags of `invite`.
#[derive(Debug, Clone, Args)]
pub(crate) struct InviteArguments {
    /// Where the node waits
    #[arg(value_name = "HOST:PORT", value_parser = values::host_port, required_unless_present_any = ["list", "cancel"])]
    address: Option<String>,
    /// The code that the node printed, or the one in @FILE
    #[arg(
        long, value_name = "CODE", env = "ODEON_INVITE", hide_env_values = true,
        required_unless_present_any = ["list", "cancel"],
    )]
    code: Option<String>,
    /// A capability key that the node may claim, and no other; may be given many times
    #[arg(long = "claim", value_name = "KEY", value_parser = values::key)]
    claims: Vec<String>,
    /// How long to wait for a node that is not up yet
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = values::duration)]
    timeout: Duration,
    /// Lists the nodes that the leader dials and that are not there yet, instead
    #[arg(long, conflicts_with_all = ["address", "cancel", "claims", "timeout"])]
    list: bool,
    /// Has the leader dial this address no more, instead
    #[arg(
        long, value_name = "HOST:PORT", value_parser = values::host_port,
        conflicts_with_all = ["address", "claims", "timeout"],
    )]
    cancel: Option<String>,
}

/// `odeon invite`
pub(crate) async fn invite(session: &mut Session<'_, '_>, arguments: InviteArguments) -> Result<(), CommandError> {
    let InviteArguments { address, code, claims, timeout, list: lists, cancel } = arguments;
    if lists {
        return list(session).await;
    }
    if let Some(address) = cancel {
        return session.order(&Request::CancelInvite { address }).await;
    }
    let code = up::token_text(&code.unwrap_or_default())?.unwrap_or_default();
    let claims = (!claims.is_empty()).then_some(claims);
    // A duration flag is bounded, so its milliseconds fit.
    let timeout_ms = timeout.as_millis() as u64;
    let request = Request::Invite { address: address.unwrap_or_default(), code, claims, timeout_ms };
    session.order_within(&request, Some(timeout + GRACE)).await
}

async fn list(session: &mut Session<'_, '_>) -> Result<(), CommandError> {
    match session.ask(&Request::Invitations).await? {
        Reply::Invitations(invitations) => {
            session.out.rows(&invitations, ["ADDRESS", "SINCE", "UNTIL", "CLAIMS"], |i: &InvitationItem| {
                let claims = i.claims.as_ref().map_or_else(|| "any".to_owned(), |claims| claims.join(", "));
                [i.address.clone(), i.since.clone(), i.until.clone(), claims]
            })
        }
        other => Err(unexpected(&other)),
    }
}
