//! What the member asks its leader, and asks again on every new link until it is answered.

use super::Effect;
use super::machine::Member;
use super::state::{Ask, Link, Question};
use crate::codes;
use crate::limits;
use crate::types::{CreateOutcome, CreateSpec, Explanation, Millis, Rejection, RequestId};
use crate::wire::ToLeader;
use odeon::{NodeId, NodeRef};

impl Member {
    pub(super) fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn ask_to_create(&mut self, number: u64, ticket: u64, spec: Box<CreateSpec>, now: Millis) {
        if self.asking.len() >= limits::ASKING_MAX {
            let reason = format!("more than {} questions wait for the leader", limits::ASKING_MAX);
            let outcome = Box::new(CreateOutcome::Refused { code: codes::BAD_REQUEST, reason });
            return self.effects.push_back(Effect::Created { ticket, spec, outcome });
        }
        self.ask(number, Question::Create { ticket, spec }, now);
    }

    pub(super) fn explain(&mut self, ticket: u64, spec: Box<CreateSpec>, now: Millis) {
        if self.asking.len() >= limits::ASKING_MAX {
            let reason = format!("more than {} questions wait for the leader", limits::ASKING_MAX);
            return self.effects.push_back(unexplained(ticket, reason));
        }
        let number = self.next_number();
        self.ask(number, Question::Explain { ticket, spec }, now);
    }

    pub(super) fn locate(&mut self, node: NodeId, now: Millis) {
        let asked = |ask: &Ask| matches!(ask.what, Question::Locate { node: other } if other == node);
        if self.asking.values().any(asked) {
            return;
        }
        if self.asking.len() >= limits::ASKING_MAX {
            return self.effects.push_back(Effect::Located { node, at: None });
        }
        let number = self.next_number();
        self.ask(number, Question::Locate { node }, now);
    }

    fn ask(&mut self, number: u64, what: Question, now: Millis) {
        self.asking.insert(number, Ask { since: now, sent: false, what });
        self.send_question(number);
    }

    /// A new link: everything that is not answered is asked again.
    pub(super) fn ask_all(&mut self, _now: Millis) {
        let numbers: Vec<u64> = self.asking.keys().copied().collect();
        for number in numbers {
            self.send_question(number);
        }
    }

    fn send_question(&mut self, number: u64) {
        let Link::Registered { leader } = self.link else { return };
        let request = RequestId { node: self.me, number };
        let Some(ask) = self.asking.get_mut(&number) else { return };
        let again = std::mem::replace(&mut ask.sent, true);
        let message = match &ask.what {
            Question::Create { spec, .. } => ToLeader::Create { request, again, spec: spec.clone() },
            Question::Explain { spec, .. } => ToLeader::Explain { request, spec: spec.clone() },
            Question::Locate { node } => ToLeader::Locate { node: *node },
        };
        self.send(leader, message);
    }

    fn answered(&mut self, request: RequestId) -> Option<Question> {
        (request.node == self.me).then(|| self.asking.remove(&request.number)).flatten().map(|ask| ask.what)
    }

    pub(super) fn created(&mut self, request: RequestId, outcome: Box<CreateOutcome>) {
        match self.answered(request) {
            Some(Question::Create { ticket, spec }) => {
                self.effects.push_back(Effect::Created { ticket, spec, outcome });
            }
            Some(other) => self.put_back(request.number, other),
            // Answered before: the answer to a repetition.
            None => {}
        }
    }

    pub(super) fn explained(&mut self, request: RequestId, explanation: Box<Explanation>) {
        match self.answered(request) {
            Some(Question::Explain { ticket, .. }) => {
                self.effects.push_back(Effect::Explained { ticket, explanation });
            }
            Some(other) => self.put_back(request.number, other),
            None => {}
        }
    }

    /// An answer of the wrong kind answers nothing.
    fn put_back(&mut self, number: u64, what: Question) {
        self.asking.insert(number, Ask { since: self.absent_since, sent: true, what });
    }

    pub(super) fn located(&mut self, node: NodeId, at: Option<(NodeRef, String)>) {
        let asked = |ask: &Ask| matches!(ask.what, Question::Locate { node: other } if other == node);
        let number = self.asking.iter().find(|(_, ask)| asked(ask)).map(|(number, _)| *number);
        if let Some(number) = number {
            self.asking.remove(&number);
            self.effects.push_back(Effect::Located { node, at });
        }
    }

    /// Another node wants a link to this one, which only dials.
    pub(super) fn reach(&mut self, node: NodeRef, listen: String) {
        if node.id != self.me.id && !listen.is_empty() && listen.len() <= limits::LISTEN_BYTES_MAX {
            self.effects.push_back(Effect::Reach { node, listen });
        }
    }

    /// When the oldest question is given up, while no leader has this node in its list.
    pub(super) fn give_up_at(&self) -> Option<Millis> {
        if matches!(self.link, Link::Registered { .. }) {
            return None;
        }
        let oldest = self.asking.values().map(|ask| ask.since).min()?;
        Some(oldest.max(self.absent_since).saturating_add(self.config.leader_absent_ms))
    }

    pub(super) fn give_up(&mut self, now: Millis) {
        while self.give_up_at().is_some_and(|at| at <= now) {
            let oldest = self.asking.iter().min_by_key(|(number, ask)| (ask.since, **number));
            let Some(number) = oldest.map(|(number, _)| *number) else { return };
            if let Some(ask) = self.asking.remove(&number) {
                self.unanswered(ask);
            }
        }
    }

    fn unanswered(&mut self, ask: Ask) {
        let seconds = self.config.leader_absent_ms / 1_000;
        let mut reason = format!("no leader for {seconds} s");
        let effect = match ask.what {
            Question::Create { ticket, spec } => {
                if ask.sent {
                    reason.push_str("; it was asked before, so the actor may exist");
                }
                let outcome = Box::new(CreateOutcome::Refused { code: codes::LEADER_UNREACHABLE, reason });
                Effect::Created { ticket, spec, outcome }
            }
            Question::Explain { ticket, .. } => unexplained(ticket, reason),
            Question::Locate { node } => Effect::Located { node, at: None },
        };
        self.effects.push_back(effect);
    }
}

/// An explanation that says why there is none.
fn unexplained(ticket: u64, reason: String) -> Effect {
    let rejected = vec![Rejection { reason, nodes: 0, example: String::new() }];
    Effect::Explained { ticket, explanation: Box::new(Explanation { rejected, ..Explanation::default() }) }
}
