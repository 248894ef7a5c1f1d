//! What a swarm found out: the value that is printed as JSON, and the same as text.

use super::news::NewsReport;
use super::succession::Succession;
use serde::Serialize;
use std::fmt::Write;

/// What a swarm found out. What could not be measured is null.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Report {
    /// Members that joined.
    pub(crate) nodes: u32,
    /// From the first try to the last registration.
    pub(crate) join_seconds: f64,
    pub(crate) joins_per_second: f64,
    /// How long one member took, of those that joined at the same time.
    pub(crate) join_median_seconds: f64,
    pub(crate) join_max_seconds: f64,
    /// Processor time of the leader for one member that joins.
    pub(crate) leader_join_cpu_ms_per_member: Option<f64>,
    /// Resident memory that the leader has more of, for each member.
    pub(crate) leader_bytes_per_member: Option<u64>,
    /// Of one processor, while nothing happens.
    pub(crate) leader_idle_cpu_percent: Option<f64>,
    /// The part of it that the kernel takes.
    pub(crate) leader_idle_system_percent: Option<f64>,
    /// The same of the members, all together.
    pub(crate) swarm_join_cpu_ms_per_member: Option<f64>,
    pub(crate) swarm_bytes_per_member: Option<u64>,
    pub(crate) swarm_idle_cpu_percent: Option<f64>,
    pub(crate) idle_seconds: f64,
    /// What passes between one member and the leader in a second while nothing happens.
    pub(crate) idle: Idle,
    /// Members that fell silent, and how long it took until the others were told that each is dead.
    pub(crate) killed: u32,
    pub(crate) dead_median_seconds: Option<f64>,
    pub(crate) dead_max_seconds: Option<f64>,
    /// The same until the last of the others was told.
    pub(crate) told_max_seconds: Option<f64>,
    /// From the kill of the leader until it was ready again, and from then until all members were registered with it.
    pub(crate) leader_ready_seconds: Option<f64>,
    pub(crate) back_seconds: Option<f64>,
    /// Members that were registered with it by then, or when the wait was given up.
    pub(crate) back: Option<u64>,
    /// How news came round, and another leader; null where that was not asked for.
    pub(crate) news: Option<NewsReport>,
    pub(crate) new_leader: Option<Succession>,
    /// Members that the leader did not keep: 0, or the leader had more than it can carry.
    pub(crate) lost: u64,
}

/// What passes between one member and the leader in a second.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Idle {
    pub(crate) words_to_leader: f64,
    pub(crate) words_from_leader: f64,
    pub(crate) datagrams_to_leader: f64,
    pub(crate) datagrams_from_leader: f64,
    pub(crate) stream_frames_to_leader: f64,
    pub(crate) stream_frames_from_leader: f64,
    pub(crate) acks_to_leader: f64,
    pub(crate) acks_from_leader: f64,
    pub(crate) pings_to_leader: f64,
    pub(crate) lost_packets: f64,
}

/// To this many decimals: what is measured here is not known more exactly.
pub(super) fn rounded(value: f64, decimals: i32) -> f64 {
    let factor = 10_f64.powi(decimals);
    (value * factor).round() / factor
}

impl Report {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |what: &str, value: String| {
            // A string takes everything.
            let _ = writeln!(text, "{what:<34}{value}");
        };
        line("members", self.nodes.to_string());
        line("joined within", format!("{} s, {} a second", self.join_seconds, self.joins_per_second));
        line("one join", format!("median {} s, at most {} s", self.join_median_seconds, self.join_max_seconds));
        line("leader, a join", unit(self.leader_join_cpu_ms_per_member, "ms of CPU"));
        line("leader, memory a member", unit(self.leader_bytes_per_member, "bytes"));
        line("leader, idle", unit(self.leader_idle_cpu_percent, "% of a core"));
        line("leader, idle, in the kernel", unit(self.leader_idle_system_percent, "% of a core"));
        line("swarm, a join", unit(self.swarm_join_cpu_ms_per_member, "ms of CPU"));
        line("swarm, memory a member", unit(self.swarm_bytes_per_member, "bytes"));
        line("swarm, idle", unit(self.swarm_idle_cpu_percent, "% of a core"));
        let idle = &self.idle;
        line("a member and second, datagrams", both(idle.datagrams_to_leader, idle.datagrams_from_leader));
        line("a member and second, words", both(idle.words_to_leader, idle.words_from_leader));
        line("a member and second, pings", format!("{} to the leader", idle.pings_to_leader));
        line("killed", self.killed.to_string());
        if self.killed > 0 {
            line("dead after", format!("{}, at most {}", s(self.dead_median_seconds), s(self.dead_max_seconds)));
            line("known to all after", format!("at most {}", s(self.told_max_seconds)));
        }
        if let Some(back) = self.back {
            line("leader ready again after a kill", s(self.leader_ready_seconds));
            line("all members back after", s(self.back_seconds));
            line("members back", back.to_string());
        }
        if let Some(news) = &self.news {
            line("an image became available", news.available.text());
            line("an image was unloaded", news.unavailable.text());
            line("an image was revoked", news.revoked.text());
            line("and all had confirmed after", s(news.revoked_confirmed_seconds));
            line("a member changed", news.capability.text());
            line("told twice", news.again.to_string());
        }
        if let Some(new) = &self.new_leader {
            line("another leader led after a kill", format!("{} s", new.leads_after_seconds));
            line("heard of it, from then", new.heard.text());
            line("registered with it, from then", new.registered.text());
            line("heard of it, from the kill", new.heard_after_kill.text());
            line("registered with it, from the kill", new.registered_after_kill.text());
        }
        line("lost", self.lost.to_string());
        text.truncate(text.trim_end().len());
        text
    }
}

fn both(to: f64, from: f64) -> String {
    format!("{to} to the leader, {from} from it")
}

fn s(seconds: Option<f64>) -> String {
    unit(seconds, "s")
}

fn unit<T: ToString>(value: Option<T>, unit: &str) -> String {
    value.map_or("not known".to_owned(), |value| format!("{} {unit}", value.to_string()))
}
