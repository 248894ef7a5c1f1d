//! What a swarm does, one after the other: its members join, nothing happens, some of them die, all go.

use super::count::{Tally, Traffic};
use super::crew::{self, ForCrew, What};
use super::entry::Entry;
use super::fall::{self, Fall};
use super::leader::Leader;
use super::limits::{
    CLOSE_WAIT_MAX, FILES_BESIDE, LEAVE_WAIT_MAX, LOOK_EVERY, MEMBERS_PER_CREW, MEMBERS_PER_SOCKET, SETTLE,
};
use super::news::Newsroom;
use super::process::{self, Usage};
use super::report::{Idle, Report, rounded};
use super::restart::restarted;
use super::socket::Socket;
use super::succession::succeeded;
use super::{Plan, Token};
use crate::admin::protocol::Failed;
use odeon::NodeRef;
use odeon_convention::codes;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// Runs the plan and ends by itself. `tell` hears how far it is. When `interrupted` is ready everything is ended in
/// good order, and what it says is why.
pub(crate) async fn run(
    plan: &Plan,
    mut tell: impl FnMut(&str),
    interrupted: impl Future<Output = Failed>,
) -> Result<Report, Failed> {
    process::may_open(u64::from(sockets(plan.nodes - plan.kill) + sockets(plan.kill)) + FILES_BESIDE)?;
    let mut interrupted = std::pin::pin!(interrupted);
    let gathered = tokio::select! {
        gathered = Swarm::gather(plan) => gathered,
        why = &mut interrupted => Err(why),
    };
    let mut swarm = gathered?;
    let played = tokio::select! {
        played = swarm.play(plan, &mut tell) => played,
        why = &mut interrupted => Err(why),
    };
    let ended = swarm.end().await;
    let report = played?;
    ended.map(|()| report)
}

fn sockets(members: u32) -> u32 {
    members.div_ceil(MEMBERS_PER_SOCKET)
}

/// A leader, the sockets of the members, and the crews that drive them.
struct Swarm {
    leader: Leader,
    sockets: Vec<Socket>,
    /// Those of the members that are to die.
    doomed: Vec<Socket>,
    crews: Vec<mpsc::Sender<ForCrew>>,
    tally: Arc<Tally>,
}

/// What was taken and said up to a moment.
struct Sight {
    at: Instant,
    leader: Option<Usage>,
    swarm: Option<Usage>,
    said: u64,
    heard: u64,
    traffic: Traffic,
}

impl Swarm {
    async fn gather(plan: &Plan) -> Result<Self, Failed> {
        let leader = Leader::of(plan).await?;
        let address = address_of(&leader.token).await?;
        let open = |members| -> Result<Vec<Socket>, Failed> {
            let opened =
                (0..sockets(members)).map(|_| Socket::towards(address, plan.round_trip)).collect::<Result<_, _>>();
            opened.map_err(|e| Failed::new(codes::LISTEN, e.to_string()))
        };
        let crews = plan.nodes.div_ceil(MEMBERS_PER_CREW);
        Ok(Self {
            sockets: open(plan.nodes - plan.kill)?,
            doomed: open(plan.kill)?,
            crews: (0..crews).map(|_| crew::start(MEMBERS_PER_CREW as usize)).collect(),
            tally: Arc::default(),
            leader,
        })
    }

    async fn play(&mut self, plan: &Plan, tell: &mut impl FnMut(&str)) -> Result<Report, Failed> {
        let mut report = Report { nodes: plan.nodes, ..Report::default() };
        tell(&format!("{} members join, at most {} at the same time", plan.nodes, plan.joins_at_once));
        let before = self.look().await?;
        let joined = self.join(plan).await;
        self.leader.must_live()?;
        let (joins, lasted) = joined?;
        let after = self.look().await?;
        report_join(&mut report, joins, lasted, &before, &after);
        tokio::time::sleep(SETTLE).await;
        tell(&format!("joined within {} s; nothing happens for {} s", report.join_seconds, plan.idle.as_secs_f64()));
        let settled = self.look().await?;
        report_memory(&mut report, &before, &settled);
        tokio::time::sleep(plan.idle).await;
        let rested = self.look().await?;
        report_idle(&mut report, &settled, &rested);
        if plan.news > 0 {
            tell(&format!("news come {} times", plan.news));
            let (leader, tally, crews) = (&self.leader, &*self.tally, &self.crews);
            let room = Newsroom { leader, tally, crews, places: MEMBERS_PER_CREW as usize };
            report.news = Some(room.run(plan).await?);
        }
        if plan.kill > 0 {
            tell(&format!("{} members fall silent", plan.kill));
            let fall = self.kill(plan).await?;
            report_fall(&mut report, plan.kill, &fall);
        }
        if plan.kill_leader {
            tell("the leader that leads is killed");
            let living = self.living(plan);
            report.new_leader = Some(succeeded(&mut self.leader, &self.tally, living).await?);
        }
        if plan.restart_leader {
            tell("the leader is killed and started again");
            let living = self.living(plan);
            let returned = restarted(&mut self.leader, &self.tally, living).await?;
            report.leader_ready_seconds = Some(rounded(returned.ready.as_secs_f64(), 2));
            report.back_seconds = returned.back.map(|back| rounded(back.as_secs_f64(), 2));
            report.back = Some(returned.members);
        }
        self.leader.must_live()?;
        report.lost = self.tally.lost().0;
        Ok(report)
    }

    /// Members that should be there when all that are to die have died.
    fn living(&self, plan: &Plan) -> u64 {
        u64::from(plan.nodes - plan.kill).saturating_sub(self.tally.lost().0)
    }

    /// How long each member took, and all.
    async fn join(&self, plan: &Plan) -> Result<(Vec<Duration>, Duration), Failed> {
        let word = getrandom::u32().map_err(|e| internal(format!("no random numbers: {e}")))?;
        let (mut joining, mut took, mut next) = (JoinSet::new(), Vec::new(), 0);
        let began = Instant::now();
        loop {
            while next < plan.nodes && joining.len() < plan.joins_at_once {
                joining.spawn(self.entry(plan, next, word)?.come_in());
                next += 1;
            }
            match joining.join_next().await {
                Some(joined) => took.push(joined.map_err(|e| internal(e.to_string()))??),
                None => return Ok((took, began.elapsed())),
            }
        }
    }

    /// Swarms that join the same leader have other names by the random `word`.
    fn entry(&self, plan: &Plan, number: u32, word: u32) -> Result<Entry, Failed> {
        let living = plan.nodes - plan.kill;
        let socket = match number.checked_sub(living) {
            None => self.sockets.get((number / MEMBERS_PER_SOCKET) as usize),
            Some(doomed) => self.doomed.get((doomed / MEMBERS_PER_SOCKET) as usize),
        };
        let socket = socket.ok_or_else(|| internal("a member without a socket".to_owned()))?;
        let (crew, place) = self.seat(number)?;
        Ok(Entry {
            token: self.leader.token.clone(),
            name: format!("swarm-{word:08x}-{number}"),
            number,
            socket: socket.endpoint.clone(),
            vitals: socket.vitals.clone(),
            crew: crew.clone(),
            place,
            tally: self.tally.clone(),
        })
    }

    fn seat(&self, number: u32) -> Result<(&mpsc::Sender<ForCrew>, usize), Failed> {
        let crew = self.crews.get((number / MEMBERS_PER_CREW) as usize);
        let crew = crew.ok_or_else(|| internal("a member without a crew".to_owned()))?;
        Ok((crew, (number % MEMBERS_PER_CREW) as usize))
    }

    async fn kill(&self, plan: &Plan) -> Result<Fall, Failed> {
        self.doomed.iter().for_each(Socket::fall_silent);
        let since = Instant::now();
        let mut dead: Vec<NodeRef> = Vec::new();
        for number in plan.nodes - plan.kill..plan.nodes {
            let (crew, place) = self.seat(number)?;
            dead.extend(asked(crew, place, What::Die).await?);
        }
        fall::known(&self.tally, &dead, self.living(plan), since).await
    }

    async fn look(&self) -> Result<Sight, Failed> {
        Ok(Sight {
            traffic: self.traffic().await?,
            at: Instant::now(),
            leader: self.leader.usage(),
            swarm: Usage::of(std::process::id()),
            said: self.tally.said.load(Ordering::Relaxed),
            heard: self.tally.heard.load(Ordering::Relaxed),
        })
    }

    async fn traffic(&self) -> Result<Traffic, Failed> {
        let mut all = Traffic::default();
        for crew in &self.crews {
            all = all + asked(crew, 0, What::Traffic).await?;
        }
        Ok(all)
    }

    /// Everything goes. A leader of one's own needs no farewell; another one is told that each member leaves.
    async fn end(self) -> Result<(), Failed> {
        if !self.leader.is_own() {
            // What is not said by then the leader finds out by itself.
            let _ = timeout(LEAVE_WAIT_MAX, self.leave()).await;
        }
        for socket in &self.sockets {
            socket.endpoint.close(0_u32.into(), b"the swarm ends");
        }
        for socket in &self.sockets {
            let _ = timeout(CLOSE_WAIT_MAX, socket.endpoint.wait_idle()).await;
        }
        self.leader.end().await
    }

    async fn leave(&self) -> Result<(), Failed> {
        for crew in &self.crews {
            for place in 0..MEMBERS_PER_CREW as usize {
                crew.send(ForCrew { place, what: What::Leave }).await.map_err(|_| stopped())?;
            }
        }
        while self.traffic().await?.unsaid > 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

/// Asks a crew something.
async fn asked<T>(
    crew: &mpsc::Sender<ForCrew>,
    place: usize,
    what: impl FnOnce(oneshot::Sender<T>) -> What,
) -> Result<T, Failed> {
    let (end, answer) = oneshot::channel();
    crew.send(ForCrew { place, what: what(end) }).await.map_err(|_| stopped())?;
    answer.await.map_err(|_| stopped())
}

/// An address of the leader, to know what kind of socket reaches it.
async fn address_of(token: &Token) -> Result<SocketAddr, Failed> {
    let mut reason = "the token names no address".to_owned();
    for address in &token.addresses {
        match tokio::net::lookup_host(address.as_str()).await.map(|mut found| found.next()) {
            Ok(Some(address)) => return Ok(address),
            Ok(None) => reason = format!("{address} has no address"),
            Err(e) => reason = format!("{address}: {e}"),
        }
    }
    Err(Failed::new(codes::NODE_UNREACHABLE, reason))
}

fn internal(message: String) -> Failed {
    Failed::new(codes::INTERNAL, message)
}

fn stopped() -> Failed {
    internal("a crew has stopped".to_owned())
}

fn report_join(report: &mut Report, mut joins: Vec<Duration>, lasted: Duration, before: &Sight, after: &Sight) {
    let nodes = f64::from(report.nodes);
    joins.sort();
    let seconds = |at: usize| joins.get(at).map_or(0.0, |d| rounded(d.as_secs_f64(), 3));
    report.join_seconds = rounded(lasted.as_secs_f64(), 2);
    report.joins_per_second = rounded(nodes / lasted.as_secs_f64().max(f64::EPSILON), 0);
    report.join_median_seconds = seconds(joins.len() / 2);
    report.join_max_seconds = seconds(joins.len().saturating_sub(1));
    let each = |busy: Duration| rounded(busy.as_secs_f64() * 1_000.0 / nodes, 2);
    report.leader_join_cpu_ms_per_member = busy(before.leader, after.leader).map(each);
    report.swarm_join_cpu_ms_per_member = busy(before.swarm, after.swarm).map(each);
}

fn report_memory(report: &mut Report, before: &Sight, after: &Sight) {
    let nodes = u64::from(report.nodes);
    let each = |before: Option<Usage>, after: Option<Usage>| {
        Some(after?.rss_bytes.saturating_sub(before?.rss_bytes) / nodes.max(1))
    };
    report.leader_bytes_per_member = each(before.leader, after.leader);
    report.swarm_bytes_per_member = each(before.swarm, after.swarm);
}

fn report_idle(report: &mut Report, before: &Sight, after: &Sight) {
    let lasted = after.at.duration_since(before.at).as_secs_f64().max(f64::EPSILON);
    let percent = |busy: Duration| rounded(busy.as_secs_f64() * 100.0 / lasted, 1);
    report.idle_seconds = rounded(lasted, 1);
    report.leader_idle_cpu_percent = busy(before.leader, after.leader).map(percent);
    report.leader_idle_system_percent = before.leader.zip(after.leader).map(|(b, a)| percent(a.system - b.system));
    report.swarm_idle_cpu_percent = busy(before.swarm, after.swarm).map(percent);
    let each = |count: u64| rounded(count as f64 / lasted / f64::from(report.nodes), 3);
    let traffic = after.traffic - before.traffic;
    report.idle = Idle {
        words_to_leader: each(after.said - before.said),
        words_from_leader: each(after.heard - before.heard),
        datagrams_to_leader: each(traffic.datagrams_to_leader),
        datagrams_from_leader: each(traffic.datagrams_from_leader),
        stream_frames_to_leader: each(traffic.stream_frames_to_leader),
        stream_frames_from_leader: each(traffic.stream_frames_from_leader),
        acks_to_leader: each(traffic.acks_to_leader),
        acks_from_leader: each(traffic.acks_from_leader),
        pings_to_leader: each(traffic.pings_to_leader),
        lost_packets: each(traffic.lost_packets),
    };
}

fn report_fall(report: &mut Report, killed: u32, fall: &Fall) {
    report.killed = killed;
    report.dead_median_seconds = fall.first.get(fall.first.len() / 2).map(|s| rounded(*s, 2));
    report.dead_max_seconds = fall.first.last().map(|s| rounded(*s, 2));
    report.told_max_seconds = Some(rounded(fall.all, 2));
}

fn busy(before: Option<Usage>, after: Option<Usage>) -> Option<Duration> {
    after?.busy().checked_sub(before?.busy())
}
