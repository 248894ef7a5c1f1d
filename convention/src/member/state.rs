//! What a member knows: its link, what it waits for, and what it hosts.

use crate::limits;
use crate::types::{CreateSpec, Hosted, ImageInfo, Millis, RequestId, SourceHash};
use odeon::{Address, NodeId, NodeRef};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Where the member stands with its leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Down,
    /// The link is up, but the moment to register has not come, or launches that another leader may have asked for have
    /// to end first, so that the registration tells of them.
    Settling {
        leader: NodeRef,
        until: Millis,
    },
    Registering {
        leader: NodeRef,
    },
    Registered {
        leader: NodeRef,
    },
    /// The leader does not take the member as it is; it goes on renewing when a change here can help.
    Refused {
        leader: NodeRef,
        curable: bool,
    },
}

impl Link {
    pub(super) fn leader(self) -> Option<NodeRef> {
        match self {
            Link::Down => None,
            Link::Settling { leader, .. }
            | Link::Registering { leader }
            | Link::Registered { leader }
            | Link::Refused { leader, .. } => Some(leader),
        }
    }

    /// The leader to whom changes can be told as they happen, because the registration went before them.
    pub(super) fn told(self) -> Option<NodeRef> {
        match self {
            Link::Registering { leader } | Link::Registered { leader } => Some(leader),
            Link::Down | Link::Settling { .. } | Link::Refused { .. } => None,
        }
    }

    /// A registration is still to come.
    pub(super) fn settles(self) -> bool {
        matches!(self, Link::Settling { .. })
    }

    pub(super) fn renews(self) -> Option<NodeRef> {
        match self {
            Link::Refused { curable: false, .. } => None,
            other => other.leader(),
        }
    }
}

/// Something that only the leader can answer.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) since: Millis,
    /// Whether it was sent before, so that it may have been done.
    pub(super) sent: bool,
    pub(super) what: Question,
}

#[derive(Debug)]
pub(super) enum Question {
    Create { ticket: u64, spec: Box<CreateSpec> },
    Explain { ticket: u64, spec: Box<CreateSpec> },
    Locate { node: NodeId },
}

/// A creation that this node is about to host.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) spec: Box<CreateSpec>,
    pub(super) required: Vec<String>,
    pub(super) origin: Origin,
    pub(super) step: Step,
    pub(super) rechecks: u32,
}

/// Who wants it hosted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Somebody here, without the leader.
    Here {
        ticket: u64,
    },
    Leader,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Fetching,
    /// The check runs against this version of the capabilities.
    Checking {
        ticket: u64,
        version: u64,
    },
    Launching,
}

/// What this node hosts for others, and what it refused to.
#[derive(Debug, Default)]
pub(super) struct Placements {
    done: BTreeMap<RequestId, Done>,
    order: VecDeque<RequestId>,
    at: hashbrown::HashMap<Address, RequestId>,
    /// How many of them have a claim.
    claiming: usize,
    groups: BTreeMap<String, RequestId>,
    refused: BTreeMap<RequestId, String>,
    refused_order: VecDeque<RequestId>,
}

#[derive(Debug)]
struct Done {
    address: Address,
    /// None once the actor is gone: the request stays known, so that it is not created a second time.
    claims: Claims,
}

/// What an actor has while it lives, and others have not.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims {
    /// In the whole convention.
    pub(super) global_name: Option<String>,
    /// On this node.
    pub(super) group: Option<String>,
}

impl Claims {
    pub(super) fn of(spec: &CreateSpec) -> Self {
        Self { global_name: spec.global_name.clone(), group: spec.distinct.clone() }
    }

    pub(super) fn any(&self) -> bool {
        self.global_name.is_some() || self.group.is_some()
    }
}

impl Placements {
    pub(super) fn insert(&mut self, request: RequestId, address: Address, claims: Claims) {
        self.claiming += usize::from(claims.any());
        if let Some(group) = &claims.group {
            self.groups.insert(group.clone(), request);
        }
        self.at.insert(address, request);
        self.done.insert(request, Done { address, claims });
        self.order.push_back(request);
        // Claims are never forgotten while their actors live; they are bounded when a placement is taken.
        while self.order.len() > limits::PLACEMENTS_REMEMBERED_MAX + self.claiming {
            let Some(oldest) = self.order.pop_front() else { break };
            match self.done.get(&oldest) {
                Some(done) if done.claims.any() => self.order.push_back(oldest),
                _ => self.forget(oldest),
            }
        }
    }

    pub(super) fn claims_full(&self) -> bool {
        self.claiming >= limits::HOSTED_MAX - limits::PLACEMENTS_REMEMBERED_MAX
    }

    fn forget(&mut self, request: RequestId) {
        if let Some(done) = self.done.remove(&request) {
            self.at.remove(&done.address);
        }
    }

    /// Whether an actor of the group lives here.
    pub(super) fn has_group(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    /// Whether the actor was placed here.
    pub(super) fn has(&self, address: &Address) -> bool {
        self.at.contains_key(address)
    }

    pub(super) fn address(&self, request: RequestId) -> Option<Address> {
        self.done.get(&request).map(|done| done.address)
    }

    /// The actor is gone. Gives the creation whose group is free with that.
    pub(super) fn exited(&mut self, address: Address) -> Option<(String, RequestId)> {
        let request = *self.at.get(&address)?;
        let claims = std::mem::take(&mut self.done.get_mut(&request)?.claims);
        self.claiming -= usize::from(claims.any());
        let group = claims.group?;
        self.groups.remove(&group);
        Some((group, request))
    }

    pub(super) fn list(&self) -> Vec<Hosted> {
        let hosted = |(request, done): (&RequestId, &Done)| Hosted {
            request: *request,
            address: done.address,
            global_name: done.claims.global_name.clone(),
            distinct: done.claims.group.clone(),
        };
        self.done.iter().map(hosted).collect()
    }

    pub(super) fn refuse(&mut self, request: RequestId, reason: String) {
        if self.refused.insert(request, reason).is_none() {
            self.refused_order.push_back(request);
        }
        while self.refused_order.len() > limits::REFUSALS_REMEMBERED_MAX {
            if let Some(oldest) = self.refused_order.pop_front() {
                self.refused.remove(&oldest);
            }
        }
    }

    pub(super) fn refusal(&self, request: RequestId) -> Option<&String> {
        self.refused.get(&request)
    }

    /// Another leader asks anew: what was refused to the one before may be accepted now.
    pub(super) fn forget_refusals(&mut self) {
        self.refused.clear();
        self.refused_order.clear();
    }
}

/// What is known of images.
#[derive(Debug, Default)]
pub(super) struct Images {
    /// Listed by the leader: actors may be created from these.
    pub(super) approved: BTreeSet<SourceHash>,
    /// In the store, verified.
    pub(super) held: BTreeSet<SourceHash>,
    /// What is in them, of those that the leader described.
    pub(super) known: BTreeMap<SourceHash, ImageInfo>,
    /// Who waits for those that are on their way.
    pub(super) fetching: BTreeMap<SourceHash, Vec<RequestId>>,
}
