//! The facts of the ledger, in memory: what all of its records say together. A new record and a replayed one go
//! through the same `apply`, here and on every other leader, so equal logs give equal facts.
//!
//! Their encoded form is the snapshot that stands for the records so far. It has a version of its own.

mod revoked;

pub(crate) use revoked::{Revocation, Revocations};

use crate::limits;
use crate::record::{AuthoritySetting, Record, TokenFact};
use crate::types::{AuthorityActor, ImageApproval, ImageInfo, RequestId, Role, SourceHash};
use odeon::{Address, Incarnation, NodeId, NodeRef};
use odeon_capabilities::CapabilityMap;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Changes when an encoded form of before would be read as something else.
const FORMAT: u16 = 1;

/// Everything that a ledger says up to one of its records.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// How many records were applied: the number of the last one.
    count: u64,
    pub(crate) term: u64,
    pub(crate) tokens: BTreeMap<[u8; 32], Token>,
    pub(crate) admitted: BTreeMap<NodeId, Admission>,
    pub(crate) registered: BTreeMap<NodeId, Registration>,
    /// The last starts of nodes that are gone, and how many were before them.
    gone: VecDeque<NodeRef>,
    #[serde(default)]
    gone_before: u64,
    pub(crate) images: BTreeMap<SourceHash, Judged>,
    rejected: VecDeque<SourceHash>,
    #[serde(default)]
    pub(crate) revoked: Revocations,
    pub(crate) names: BTreeMap<String, NameOwner>,
    /// Whose each name of a registered node is. Follows from `registered`.
    #[serde(skip)]
    named: BTreeMap<String, NodeId>,
    /// Follows from `names`.
    #[serde(skip)]
    names_on: BTreeMap<NodeRef, BTreeSet<String>>,
    #[serde(skip)]
    tokens_changed: Changed,
    pub(crate) authority: AuthoritySetting,
    /// Who decides on images, where an actor does.
    #[serde(default)]
    pub(crate) authority_actor: Option<AuthorityActor>,
}

/// The record with the last change that was seen here; equal facts may have come about differently.
#[derive(Debug, Clone, Copy, Default)]
struct Changed(u64);

impl PartialEq for Changed {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) fact: TokenFact,
    pub(crate) used: u32,
    /// The record that made it. A use is no new token: whoever comes while it is written comes with a known one.
    pub(crate) index: u64,
}

impl Token {
    pub(crate) fn used_up(&self) -> bool {
        self.fact.uses.is_some_and(|uses| self.used >= uses)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Admission {
    pub(crate) role: Role,
    pub(crate) claims: Option<Vec<String>>,
    /// The highest start that was seen, alive or not.
    pub(crate) seen: Option<Incarnation>,
    /// The highest start that is gone: no word of it counts any more.
    pub(crate) gone: Option<Incarnation>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Registration {
    pub(crate) node: NodeRef,
    pub(crate) name: String,
    pub(crate) listen: String,
    pub(crate) capabilities: CapabilityMap,
    pub(crate) index: u64,
    /// The keys whose values this start of the node has changed, each with the record that did so last.
    #[serde(default)]
    pub(crate) changed: BTreeMap<String, u64>,
}

impl Registration {
    /// The keys that were changed by records after this one.
    pub(crate) fn changed_since(&self, record: u64) -> Vec<String> {
        self.changed.iter().filter(|(_, index)| **index > record).map(|(key, _)| key.clone()).collect()
    }

    /// The last record that changed its capabilities.
    pub(crate) fn changed_last(&self) -> Option<u64> {
        self.changed.values().copied().max()
    }

    /// What has changed once the capabilities are these. Of too many keys those that changed longest ago are forgotten.
    fn changed_to(self, capabilities: &CapabilityMap, index: u64) -> BTreeMap<String, u64> {
        let keys = self.capabilities.delta_to(capabilities).0.into_keys();
        let mut changed = self.changed;
        changed.extend(keys.map(|key| (key, index)));
        while changed.len() > limits::CHANGED_KEYS_MAX
            && let Some(oldest) = changed.iter().min_by_key(|(_, index)| **index).map(|(key, _)| key.clone())
        {
            changed.remove(&oldest);
        }
        changed
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Judged {
    pub(crate) image: ImageInfo,
    pub(crate) approved: bool,
    pub(crate) by: String,
    pub(crate) index: u64,
    #[serde(default)]
    pub(crate) approval: ImageApproval,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct NameOwner {
    pub(crate) request: RequestId,
    pub(crate) address: Address,
    pub(crate) node: NodeRef,
}

/// Why a snapshot of the facts cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum FactsError {
    #[error("a snapshot of format {found}, this version reads format {FORMAT}")]
    Format { found: u16 },
    #[error("{bytes} bytes are no snapshot of facts: {reason}")]
    Malformed { bytes: usize, reason: String },
    #[error("the facts cannot be encoded: {reason}")]
    Unencodable { reason: String },
}

impl Facts {
    /// The number of the last record in it; 0 for none.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The last term that began.
    pub fn term(&self) -> u64 {
        self.term
    }

    /// The tokens, each with how often it was used.
    pub fn tokens(&self) -> impl Iterator<Item = (&TokenFact, u32)> {
        self.tokens.values().map(|token| (&token.fact, token.used))
    }

    /// Another number whenever the tokens may be others than before.
    pub fn tokens_version(&self) -> u64 {
        self.tokens_changed.0
    }

    /// Where a registered node can be dialled.
    pub fn listen_of(&self, node: NodeId) -> Option<&str> {
        self.registered.get(&node).map(|r| r.listen.as_str())
    }

    /// The images that may be used at this time.
    pub fn approved_images(&self, now_unix_s: u64) -> impl Iterator<Item = &ImageInfo> {
        self.approved().filter(move |judged| !judged.approval.is_over(now_unix_s)).map(|judged| &judged.image)
    }

    /// Which authority decides on images.
    pub fn authority(&self) -> &AuthoritySetting {
        &self.authority
    }

    /// The actor that decides on images, where one does.
    pub fn authority_actor(&self) -> Option<&AuthorityActor> {
        self.authority_actor.as_ref()
    }

    /// What approved an image, run out or not.
    pub fn approval(&self, hash: SourceHash) -> Option<&ImageApproval> {
        self.images.get(&hash).filter(|judged| judged.approved).map(|judged| &judged.approval)
    }

    /// A snapshot: the format, then the facts.
    ///
    /// # Errors
    /// When the facts cannot be encoded, which no facts of records are.
    pub fn encode(&self) -> Result<Vec<u8>, FactsError> {
        let mut bytes = FORMAT.to_be_bytes().to_vec();
        rmp_serde::encode::write_named(&mut bytes, self)
            .map_err(|e| FactsError::Unencodable { reason: e.to_string() })?;
        Ok(bytes)
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When it is of another format or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, FactsError> {
        let malformed = |reason: String| FactsError::Malformed { bytes: bytes.len(), reason };
        let (format, body) = bytes.split_first_chunk().ok_or_else(|| malformed("it has no format".to_owned()))?;
        let found = u16::from_be_bytes(*format);
        if found != FORMAT {
            return Err(FactsError::Format { found });
        }
        let mut facts: Self = rmp_serde::from_slice(body).map_err(|e| malformed(e.to_string()))?;
        facts.tokens_changed.0 = facts.count;
        for (id, registration) in &facts.registered {
            facts.named.insert(registration.name.clone(), *id);
        }
        for (name, owner) in &facts.names {
            facts.names_on.entry(owner.node).or_default().insert(name.clone());
        }
        Ok(facts)
    }

    /// Takes in the next record.
    pub fn apply(&mut self, record: Record) {
        self.count += 1;
        let index = self.count;
        match record {
            Record::TermBegan { term } => self.term = self.term.max(term),
            Record::TokenCreated(fact) => {
                self.tokens_changed.0 = index;
                if self.tokens.len() >= limits::TOKENS_MAX {
                    self.tokens.retain(|_, token| !token.used_up());
                }
                self.tokens.insert(fact.id, Token { fact, used: 0, index });
            }
            Record::TokenUsed { id } => {
                self.tokens_changed.0 = index;
                if let Some(token) = self.tokens.get_mut(&id) {
                    token.used = token.used.saturating_add(1);
                }
            }
            Record::NodeAdmitted { node, role, claims } => self.admit(node, role, claims),
            Record::NodeRegistered { node, name, listen, capabilities } => {
                self.see(node.id, node.incarnation);
                self.unname(node.id);
                self.named.insert(name.clone(), node.id);
                let before = self.registered.remove(&node.id).filter(|before| before.node == node);
                let changed = before.map_or_else(BTreeMap::new, |before| before.changed_to(&capabilities, index));
                let registration = Registration { node, name, listen, capabilities, index, changed };
                self.registered.insert(node.id, registration);
            }
            Record::NodeGone { node, left: _ } => self.bury(node),
            Record::ImageJudged { image, approved, by, approval } => {
                self.judge(Judged { image, approved, by, index, approval });
            }
            Record::ImageUnloaded { hash } => {
                self.images.remove(&hash);
            }
            Record::ImageRevoked { hash, end, reason, by } => {
                self.rejected.retain(|rejected| *rejected != hash);
                let image = self.images.remove(&hash).map(|judged| judged.image);
                // What is revoked decides on nothing.
                self.authority_actor.take_if(|who| who.image == Some(hash));
                self.revoked.add(hash, Revocation { image, end, reason, by, number: 0, index });
            }
            Record::NameTaken { name, request, address, node } => {
                self.free(&name);
                self.names_on.entry(node).or_default().insert(name.clone());
                self.names.insert(name, NameOwner { request, address, node });
            }
            Record::NameFreed { name } => self.free(&name),
            Record::AuthoritySet { authority } => {
                // Said again, it takes nothing away.
                if self.authority != authority {
                    self.authority_actor = None;
                }
                self.authority = authority;
            }
            Record::AuthorityRegistered { authority } => self.authority_actor = Some(authority),
            Record::AuthorityGone { address } => {
                self.authority_actor.take_if(|who| who.address == address);
            }
            Record::IncarnationSeen { node, incarnation } => self.see(node, incarnation),
        }
    }

    fn admit(&mut self, node: NodeId, role: Role, claims: Option<Vec<String>>) {
        let (seen, gone) = self.admitted.get(&node).map_or((None, None), |a| (a.seen, a.gone));
        self.admitted.insert(node, Admission { role, claims, seen, gone });
    }

    fn see(&mut self, node: NodeId, incarnation: Incarnation) {
        if let Some(admission) = self.admitted.get_mut(&node) {
            admission.seen = admission.seen.max(Some(incarnation));
        }
    }

    /// A node's start is over: with it go its registration and the names of what lived there.
    fn bury(&mut self, node: NodeRef) {
        if let Some(admission) = self.admitted.get_mut(&node.id) {
            admission.gone = admission.gone.max(Some(node.incarnation));
        }
        if self.registered.get(&node.id).is_some_and(|r| r.node == node) {
            self.unname(node.id);
            self.registered.remove(&node.id);
        }
        for name in self.names_on.remove(&node).unwrap_or_default() {
            self.names.remove(&name);
        }
        self.authority_actor.take_if(|who| who.node == node);
        self.gone.push_back(node);
        while self.gone.len() > limits::GONE_REMEMBERED_MAX {
            self.gone.pop_front();
            self.gone_before += 1;
        }
    }

    /// How many starts of nodes are gone, ever.
    pub(crate) fn gone_upto(&self) -> u64 {
        self.gone_before + self.gone.len() as u64
    }

    /// Those after so many, as far as they are remembered.
    pub(crate) fn gone_after(&self, upto: u64) -> Vec<NodeRef> {
        let known = usize::try_from(upto.saturating_sub(self.gone_before)).unwrap_or(usize::MAX);
        self.gone.iter().skip(known).copied().collect()
    }

    /// A name belongs to who took it last: what a ledger of before says may be of two nodes.
    fn unname(&mut self, id: NodeId) {
        let name = self.registered.get(&id).map(|r| &r.name);
        if let Some(name) = name.filter(|name| self.named.get(*name) == Some(&id)) {
            self.named.remove(name);
        }
    }

    /// The registered node that has a name.
    pub(crate) fn named(&self, name: &str) -> Option<NodeId> {
        self.named.get(name).copied()
    }

    fn judge(&mut self, judged: Judged) {
        let hash = judged.image.hash;
        // A leader writes no such record. A revocation would hold all the same.
        if self.revoked.get(&hash).is_some() {
            return;
        }
        self.rejected.retain(|h| *h != hash);
        if !judged.approved {
            self.rejected.push_back(hash);
        }
        self.images.insert(hash, judged);
        while self.rejected.len() > limits::REJECTED_MAX {
            if let Some(oldest) = self.rejected.pop_front() {
                self.images.remove(&oldest);
            }
        }
    }

    fn free(&mut self, name: &str) {
        if let Some(owner) = self.names.remove(name)
            && let Some(names) = self.names_on.get_mut(&owner.node)
        {
            names.remove(name);
            if names.is_empty() {
                self.names_on.remove(&owner.node);
            }
        }
    }

    /// The global names of what lives on a node.
    pub(crate) fn names_on(&self, node: NodeRef) -> impl Iterator<Item = &String> {
        self.names_on.get(&node).into_iter().flatten()
    }

    pub(crate) fn approved(&self) -> impl Iterator<Item = &Judged> {
        self.images.values().filter(|judged| judged.approved)
    }
}
