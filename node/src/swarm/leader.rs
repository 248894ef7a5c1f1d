//! The leaders that a swarm joins: one that was named, or processes of its own in a folder that goes with it.

use super::Plan;
use super::limits::{LEADS_WAIT_MAX, LOOK_EVERY, TOKEN_TTL_S};
use super::own::{Own, cannot_start};
use super::process::Usage;
use crate::admin::protocol::{Failed, NodeRole, Reply, Request};
use crate::identity::{Token, TokenError};
use odeon::Value;
use odeon_convention::codes;
use odeon_convention::types::Role;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

/// Whom the members join.
pub(super) struct Leader {
    pub(super) token: Arc<Token>,
    pid: Option<u32>,
    own: Option<Group>,
}

/// Those of this swarm that live, the founder first as long as it does.
struct Group {
    folder: TempDir,
    leaders: Vec<Own>,
}

impl Leader {
    /// The one that the plan names, or as many as it wants, started now.
    pub(super) async fn of(plan: &Plan) -> Result<Self, Failed> {
        if let Some(token) = &plan.join {
            return Ok(Self { token: Arc::new(token.clone()), pid: plan.leader_pid, own: None });
        }
        let group = Group::start(plan.leaders).await?;
        let token = group.token(Role::Member).await?;
        let token = token.parse().map_err(|e: TokenError| Failed::new(e.code(), e.to_string()))?;
        let pid = group.leaders.first().and_then(Own::pid);
        Ok(Self { token: Arc::new(token), pid, own: Some(group) })
    }

    /// Kills one of its own without a word, and starts it again from its folder where it was.
    pub(super) async fn restart(&mut self) -> Result<(), Failed> {
        let Some(own) = self.own.as_mut().and_then(|own| own.leaders.first_mut()) else { return Ok(()) };
        own.restart(self.token.addresses.first().map_or("127.0.0.1:0", String::as_str)).await?;
        self.pid = own.pid();
        Ok(())
    }

    /// Kills the one that leads without a word. The others remain.
    pub(super) async fn kill(&mut self) -> Result<(), Failed> {
        let Some(own) = &mut self.own else { return Ok(()) };
        let at = own.leading().await?;
        own.leaders.remove(at).kill().await
    }

    /// When one of them began to lead. It is looked at again and again: this is when it was asked last and did not lead
    /// yet, so what is measured from then on is not too short.
    pub(super) async fn until_one_leads(&mut self) -> Result<Instant, Failed> {
        let Some(own) = &self.own else { return Err(internal("the leader is not one of this swarm")) };
        let (since, pid) = timeout(LEADS_WAIT_MAX, own.until_one_leads())
            .await
            .map_err(|_| Failed::new(codes::TIMED_OUT, "no other leader leads"))?;
        self.pid = pid;
        Ok(since)
    }

    /// Asks one of its own, which passes on what another one has to answer.
    pub(super) async fn ask(&self, request: &Request) -> Result<Reply, Failed> {
        let own = self.own.as_ref().and_then(|own| own.leaders.first());
        own.ok_or_else(|| internal("the leader is not one of this swarm"))?.ask(request).await
    }

    /// Whether it goes with the swarm.
    pub(super) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// What it takes; none where it does not run on this machine, as far as is known.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.pid.and_then(Usage::of)
    }

    /// Fails when one has ended that was not killed.
    pub(super) fn must_live(&mut self) -> Result<(), Failed> {
        let Some(own) = &mut self.own else { return Ok(()) };
        own.leaders.iter_mut().try_for_each(Own::must_live)
    }

    /// Ends those that go with the swarm, and removes their folder.
    pub(super) async fn end(self) -> Result<(), Failed> {
        let Some(Group { folder, leaders }) = self.own else { return Ok(()) };
        for leader in leaders.into_iter().rev() {
            leader.end().await;
        }
        let path = folder.path().to_owned();
        folder.close().map_err(|e| internal(format!("{} cannot be removed: {e}", path.display())))
    }
}

impl Group {
    async fn start(leaders: u32) -> Result<Self, Failed> {
        let folder = tempfile::Builder::new().prefix("odeon-swarm-").tempdir().map_err(cannot_start)?;
        let founder = Own::start(folder.path(), "leader", None).await?;
        let mut group = Self { folder, leaders: vec![founder] };
        for number in 2..=leaders {
            let (name, token) = (format!("leader-{number}"), group.token(Role::Leader).await?);
            let leader = Own::start(group.folder.path(), &name, Some(&token)).await?;
            group.leaders.push(leader);
            group.founder()?.ask(&Request::AddLeader { node: name }).await?;
        }
        Ok(group)
    }

    fn founder(&self) -> Result<&Own, Failed> {
        self.leaders.first().ok_or_else(|| internal("there is no leader"))
    }

    async fn token(&self, role: Role) -> Result<String, Failed> {
        let founder = self.founder()?;
        match founder.ask(&Request::CreateToken { role, ttl_s: TOKEN_TTL_S, uses: None, claims: None }).await {
            Ok(Reply::Token(text)) => Ok(text),
            Ok(_) => Err(founder.with_last_words(internal("the leader gave no token"))),
            Err(failed) => Err(founder.with_last_words(failed)),
        }
    }

    /// The place of the one that leads.
    async fn leading(&self) -> Result<usize, Failed> {
        let Reply::Leaders(listed) = self.founder()?.ask(&Request::Leaders).await? else {
            return Err(internal("the leader does not say who leads"));
        };
        let leads = listed.iter().find(|leader| leader.role == NodeRole::Leader);
        let at = leads.and_then(|leads| self.leaders.iter().position(|own| own.name == leads.name));
        at.ok_or_else(|| internal("none of the leaders leads"))
    }

    async fn until_one_leads(&self) -> (Instant, Option<u32>) {
        let mut did_not = vec![Instant::now(); self.leaders.len()];
        loop {
            for (leader, did_not) in self.leaders.iter().zip(&mut did_not) {
                let asked = Instant::now();
                // One that is busy answers the next time.
                match leader.ask(&Request::Status { of: None }).await {
                    Ok(Reply::Status(status)) if says_it_leads(&status) => return (*did_not, leader.pid()),
                    Ok(_) => *did_not = asked,
                    Err(_) => {}
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

fn says_it_leads(status: &Value) -> bool {
    matches!(status, Value::Map(entries) if entries.get("leads") == Some(&Value::Bool(true)))
}

fn internal(message: impl Into<String>) -> Failed {
    Failed::new(codes::INTERNAL, message)
}
