//! What operators ask of the leader. Questions that a crash of the leader swallows are not asked again, but for
//! the admission of nodes, which try until they are in.

use super::process::number_of;
use super::queue::Event;
use super::truth;
use super::watch::Seen;
use super::world::World;
use odeon::NodeId;
use odeon_convention::leader::{Answer, Confirmations, Input, Operation};
use odeon_convention::limits;
use odeon_convention::record::{AuthoritySetting, Registrants, TokenFact};
use odeon_convention::types::{ImageApproval, Role};
use odeon_convention::wire::RevokedImage;
use std::collections::BTreeMap;

const JOIN_TOKEN: [u8; 32] = [1; 32];

#[derive(Debug, Default)]
pub(super) struct Operators {
    tickets: u64,
    waiting: BTreeMap<u64, Operation>,
}

impl Operators {
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn crash(&mut self) {
        self.waiting.clear();
    }

    /// Whether someone waits for another operation on the same image: their order could not be told.
    fn busy_with(&self, image: u8) -> bool {
        self.waiting.values().any(|operation| match operation {
            Operation::JudgeImage { image: other, .. } => other.hash.0 == [image; 32],
            Operation::UnloadImage { hash } => hash.0 == [image; 32],
            Operation::RevokeImage { image: other, .. } => other.hash.0 == [image; 32],
            _ => false,
        })
    }
}

impl World {
    fn ask_leader(&mut self, operation: Operation) {
        if self.leader.is_none() {
            return;
        }
        self.operators.tickets += 1;
        let ticket = self.operators.tickets;
        self.operators.waiting.insert(ticket, operation.clone());
        self.tell_leader(Input::Operation { ticket, operation });
    }

    fn token(id: [u8; 32], uses: Option<u32>) -> Operation {
        Operation::CreateToken(TokenFact { id, role: Role::Member, expires_unix_s: 1_000, uses, claims: None })
    }

    /// Every node that is not in yet asks to be let in.
    pub(super) fn admit_missing(&mut self) {
        if self.admitted.len() == self.nodes.len() {
            return;
        }
        self.ask_leader(Self::token(JOIN_TOKEN, None));
        let missing: Vec<NodeId> = self.nodes.iter().map(|n| n.id()).filter(|id| !self.admitted.contains(id)).collect();
        for node in missing {
            self.ask_leader(Operation::Admit { token: JOIN_TOKEN, node, now_unix_s: 1 });
        }
    }

    pub(super) fn operate(&mut self) {
        let image = self.shelf.any(&mut self.random);
        match self.random.below(14) {
            0..=4 if !self.operators.busy_with(image) => {
                let approved = self.random.chance(85);
                let by = "the simulator".to_owned();
                self.ask_leader(Operation::JudgeImage {
                    image: truth::image(image),
                    approved,
                    by,
                    approval: ImageApproval::default(),
                });
            }
            5..=6 if !self.operators.busy_with(image) => {
                self.ask_leader(Operation::UnloadImage { hash: truth::image(image).hash });
            }
            7 => {
                let id = [self.random.within(2, 200) as u8; 32];
                self.ask_leader(Self::token(id, Some(2)));
            }
            8 => {
                let token = [self.random.within(2, 200) as u8; 32];
                self.ask_leader(Operation::UseToken { token, now_unix_s: 1 });
            }
            9 => {
                let setting = self.some_authority();
                self.ask_leader(Operation::SetAuthority(setting));
            }
            10 => {
                let spec = Box::new(self.some_spec());
                let create = self.random.chance(50);
                self.ask_leader(if create { Operation::Create(spec) } else { Operation::Explain(spec) });
            }
            11 if !self.operators.busy_with(image) => {
                self.shelf.revoke(image);
                let image = RevokedImage { hash: truth::image(image).hash, end: self.random.chance(50) };
                let (reason, by) = (String::new(), "the simulator".to_owned());
                self.ask_leader(Operation::RevokeImage { image, reason, by });
            }
            12 => self.ask_leader(Operation::Confirmations { hash: truth::image(image).hash }),
            _ => {
                let node = self.nodes[self.random.below(self.nodes.len())].id();
                let delta = self.some_delta();
                self.ask_leader(Operation::SetCapabilities { node, delta });
            }
        }
    }

    /// Mostly that actors of every second node may be the authority.
    fn some_authority(&mut self) -> AuthoritySetting {
        if self.random.chance(20) {
            return AuthoritySetting::AcceptAll;
        }
        let some = self.nodes.iter().filter(|node| node.number.is_multiple_of(2)).map(|node| node.id());
        let nodes = some.take(limits::REGISTRANTS_MAX).collect();
        AuthoritySetting::Actor { from: Registrants::Nodes(nodes), answer_ms: limits::VERDICT_MS }
    }

    /// Who has confirmed what is revoked? Once all have, nothing may come of asking for it.
    pub(super) fn audit(&mut self) {
        for image in self.shelf.revoked().to_vec() {
            self.ask_leader(Operation::Confirmations { hash: truth::image(image).hash });
        }
        self.after(500, Event::Temptation);
    }

    pub(super) fn operator_answered(&mut self, ticket: u64, answer: Answer) {
        let Some(operation) = self.operators.waiting.remove(&ticket) else { return };
        if let (Operation::Admit { node, .. }, Answer::Admitted { .. }) = (&operation, &answer)
            && self.admitted.insert(*node)
        {
            let delay = self.random.within(0, 500);
            self.after(delay, Event::Start { node: number_of(*node) });
        }
        if let Answer::Confirmations(Confirmations { unconfirmed, .. }) = &answer {
            self.report.confirmed_by_all += u64::from(unconfirmed.is_empty());
        }
        self.saw(&Seen::OperatorAnswered { operation, answer });
    }
}
