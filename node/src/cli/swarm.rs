//! `odeon swarm`: many members in one process, for capacity planning.

use super::demo::{HELLO_IMAGE, interrupted};
use super::up::token_text;
use super::{CommandError, Output, values};
use crate::identity::TokenError;
use crate::swarm::{self, Plan, limits};
use clap::Args;
use std::time::Duration;

/// The flags of `swarm`.
#[derive(Debug, Args)]
pub(super) struct SwarmFlags {
    /// How many members
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::NODES_MAX)))]
    nodes: u32,
    /// Joins the leader that made this member's token, or the one in @FILE; without it a leader is started here
    #[arg(long, value_name = "TOKEN")]
    join: Option<String>,
    /// The process of that leader, where it runs on this machine: what it takes is measured as well
    #[arg(long, value_name = "PID", requires = "join", value_parser = clap::value_parser!(u32).range(1..))]
    leader_pid: Option<u32>,
    /// How many members join at the same time
    #[arg(long, value_name = "N", default_value_t = limits::JOINS_AT_ONCE,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::NODES_MAX)))]
    joins_at_once: u32,
    /// How much longer a round trip between members and leader takes than it does
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    round_trip: Option<Duration>,
    /// How long nothing happens, to measure what that costs
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::duration)]
    idle: Duration,
    /// How many members fall silent at the end, at most half of them; 10 where there are twice as many
    #[arg(long, value_name = "N")]
    kill: Option<u32>,
    /// How many leaders are started here
    #[arg(long, value_name = "1|3|5", default_value_t = 1, conflicts_with = "join", value_parser = leaders)]
    leaders: u32,
    /// How often an image comes and goes, another is revoked and a member changes, to measure how soon all are told
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "join",
        value_parser = clap::value_parser!(u32).range(0..=i64::from(limits::NEWS_MAX)))]
    news: u32,
    /// Kills the leader that leads at the end, of three or more, to measure how soon all members know the next one
    #[arg(long, conflicts_with_all = ["join", "restart_leader"])]
    kill_leader: bool,
    /// Kills the leader that was started here at the very end and starts it again, to measure how soon all are back
    #[arg(long, conflicts_with = "join")]
    restart_leader: bool,
}

impl SwarmFlags {
    fn plan(self) -> Result<Plan, CommandError> {
        let half = self.nodes / 2;
        let kill = self.kill.unwrap_or(limits::KILL.min(half));
        if kill > half {
            return Err(CommandError::Usage(format!("--kill {kill} is more than half of {} members", self.nodes)));
        }
        if self.idle > limits::IDLE_MAX {
            return Err(CommandError::Usage(format!("--idle is longer than {} h", limits::IDLE_MAX.as_secs() / 3600)));
        }
        if self.kill_leader && self.leaders < 3 {
            return Err(CommandError::Usage(
                "--kill-leader needs --leaders 3 or 5: the others have to be a majority".into(),
            ));
        }
        if self.restart_leader && self.leaders > 1 {
            return Err(CommandError::Usage("--restart-leader is for one leader".into()));
        }
        let round_trip = self.round_trip.unwrap_or_default();
        if round_trip > limits::ROUND_TRIP_MAX {
            let message = format!("--round-trip is longer than {} s", limits::ROUND_TRIP_MAX.as_secs());
            return Err(CommandError::Usage(message));
        }
        let join = match self.join.as_deref().map(token_text).transpose()?.flatten() {
            Some(text) => Some(text.parse().map_err(|e: TokenError| CommandError::coded(e.code(), e.to_string()))?),
            None => None,
        };
        Ok(Plan {
            nodes: self.nodes,
            join,
            leader_pid: self.leader_pid,
            joins_at_once: self.joins_at_once as usize,
            round_trip,
            idle: self.idle,
            kill,
            leaders: self.leaders,
            news: self.news,
            image: HELLO_IMAGE,
            kill_leader: self.kill_leader,
            restart_leader: self.restart_leader,
        })
    }
}

fn leaders(text: &str) -> Result<u32, String> {
    let leaders = text.parse().ok().filter(|leaders| limits::LEADERS.contains(leaders));
    leaders.ok_or_else(|| format!("{text:?} is not 1, 3 or 5"))
}

/// `odeon swarm`
pub(super) async fn swarm(out: &mut Output<'_>, flags: SwarmFlags) -> Result<(), CommandError> {
    let plan = flags.plan()?;
    let report = swarm::run(&plan, |text| out.note(text), interrupted("swarm")).await?;
    out.value(&report, swarm::Report::text)
}
