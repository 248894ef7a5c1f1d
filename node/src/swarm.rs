//! `odeon swarm`: many members in one process, to see what a leader and its machine can carry.
//!
//! Each member has a key and a certificate of its own, a link of its own with both sides authenticated, and the member
//! machine of the convention. It has no folder, no admin socket and no runtime: it hosts nothing, and says so when it
//! is asked. It never stands in for a leader: that is a real process, another one than this. Start with [`run`].

mod count;
mod crew;
mod ear;
mod entry;
mod fall;
mod leader;
pub(crate) mod limits;
mod member;
mod news;
mod own;
mod phases;
mod process;
mod report;
mod restart;
mod socket;
mod spread;
mod succession;
mod told;
mod turn;

pub(crate) use phases::run;
pub(crate) use report::Report;

use crate::identity::Token;
use std::time::Duration;

/// What is to be run, checked.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Members.
    pub(crate) nodes: u32,
    /// The leader to join; none for one of its own.
    pub(crate) join: Option<Token>,
    /// The process of that leader, where it runs on this machine.
    pub(crate) leader_pid: Option<u32>,
    /// Members that join at the same time.
    pub(crate) joins_at_once: usize,
    /// How much longer a round trip takes than it does.
    pub(crate) round_trip: Duration,
    /// How long nothing happens, for the measurement of that.
    pub(crate) idle: Duration,
    /// Members that fall silent at the end.
    pub(crate) kill: u32,
    /// Leaders of its own, where it has any.
    pub(crate) leaders: u32,
    /// How often an image comes and goes and a member changes what it can do.
    pub(crate) news: u32,
    /// That image, where it is needed.
    pub(crate) image: &'static [u8],
    /// Whether the leader that leads is killed after that, one of several of its own.
    pub(crate) kill_leader: bool,
    /// Whether the leader, one of its own, is killed after that and started again.
    pub(crate) restart_leader: bool,
}
