//! The commands on who leads together: `leaders list`, `add`, `remove`.

use super::fleet::word;
use super::session::unexpected;
use super::{CommandError, Session};
use crate::admin::protocol::{Reply, Request};
use clap::Subcommand;

/// What to do with the group of leaders.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum LeadersCommand {
    /// Lists who leads together and how far each has come
    List,
    /// Gives a node that joined with a leader's token its vote
    Add {
        /// The node, by name or id
        node: String,
    },
    /// Takes a leader's vote away; it stays a member
    Remove {
        /// The leader, by name or id; it may be gone for good
        node: String,
    },
}

pub(crate) async fn order(session: &mut Session<'_, '_>, command: LeadersCommand) -> Result<(), CommandError> {
    match command {
        LeadersCommand::List => list(session).await,
        LeadersCommand::Add { node } => session.order(&Request::AddLeader { node }).await,
        LeadersCommand::Remove { node } => session.order(&Request::RemoveLeader { node }).await,
    }
}

async fn list(session: &mut Session<'_, '_>) -> Result<(), CommandError> {
    match session.ask(&Request::Leaders).await? {
        Reply::Leaders(leaders) => {
            session.out.rows(&leaders, ["NAME", "ROLE", "LISTEN", "VOTES", "BEHIND", "ANSWERED", "ID"], |l| {
                let answered = l.answered_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms ago"));
                let votes = if l.votes { "yes" } else { "no" };
                let behind = l.behind.to_string();
                [l.name.clone(), word(&l.role), l.listen.clone(), votes.to_owned(), behind, answered, l.id.clone()]
            })
        }
        other => Err(unexpected(&other)),
    }
}
