//! What this node hosts: for itself without the leader where it may, for others when the leader asks.
//!
//! The capabilities that count are those of the moment: they are looked at when the work begins, and again when the
//! check has answered, before anything is launched.

use super::Effect;
use super::machine::Member;
use super::state::{Claims, Job, Link, Origin, Step};
use crate::codes;
use crate::fit::{DRAINING, Wish, has_group};
use crate::limits;
use crate::types::{
    CheckOutcome, CheckVerdict, CreateOutcome, CreateSpec, ImageInfo, Millis, NativeActor, Placement, RequestId,
    SourceHash,
};
use crate::wire::{PlaceOutcome, ToLeader};
use odeon::{Address, NodeRef};

impl Member {
    pub(super) fn create(&mut self, ticket: u64, spec: Box<CreateSpec>, now: Millis) {
        if let Some(reason) = spec.image.and_then(|hash| self.revoked(hash)) {
            let outcome = Box::new(CreateOutcome::Refused { code: codes::IMAGE_REVOKED, reason });
            return self.effects.push_back(Effect::Created { ticket, spec, outcome });
        }
        let number = self.next_number();
        let request = RequestId { node: self.me, number };
        let origin = Origin::Here { ticket };
        match self.may_host_alone(&spec) {
            Some(required) => {
                let job = Job { spec, required, origin, step: Step::Fetching, rechecks: 0 };
                self.jobs.insert(request, job);
                self.check(request);
            }
            None => self.ask_to_create(number, ticket, spec, now),
        }
    }

    /// What the actor's type requires, when this node may host it without asking anyone: the creator wants it here
    /// or does not mind, nothing has to be unique, and the code is known, approved and here.
    fn may_host_alone(&self, spec: &CreateSpec) -> Option<Vec<String>> {
        let here = spec.on.map_or(spec.placement == Placement::Local, |on| on == self.me.id);
        let claims = Claims::of(spec).any();
        let alone = here && !self.facts.draining && !claims && spec.requirements.prefer.is_empty();
        if !alone {
            return None;
        }
        let types = match spec.image {
            None => &self.facts.natives,
            Some(hash) if self.images.held.contains(&hash) && self.images.approved.contains(&hash) => {
                &self.images.known.get(&hash)?.actors
            }
            Some(_) => return None,
        };
        let required = required_of(types, &spec.actor)?;
        self.lacks(spec, &required).is_empty().then_some(required)
    }

    /// Everything that this node lacks now.
    fn lacks(&self, spec: &CreateSpec, required: &[String]) -> Vec<String> {
        match Wish::parse(&spec.requirements) {
            Ok(wish) => wish.lacks(&self.facts.capabilities, required),
            Err(error) => vec![error.to_string()],
        }
    }

    /// The leader asks this node to host. However often it asks, the request is hosted once.
    ///
    /// It asks again after every registration. What it asked before it took in the one that is under way is not
    /// answered: with two answers to one question it could have gone on to another node after the first.
    pub(super) fn place(
        &mut self,
        request: RequestId,
        spec: Box<CreateSpec>,
        image: Option<Box<ImageInfo>>,
        sources: Vec<NodeRef>,
    ) {
        if !matches!(self.link, Link::Registered { .. }) {
            return;
        }
        if let Some(address) = self.placements.address(request) {
            return self.tell(ToLeader::Placed { request, outcome: PlaceOutcome::Placed { address } });
        }
        if let Some(reason) = self.placements.refusal(request).cloned() {
            return self.tell(ToLeader::Placed { request, outcome: PlaceOutcome::Refused { reason } });
        }
        if self.jobs.contains_key(&request) {
            return;
        }
        if self.facts.draining {
            return self.refuse(request, DRAINING.to_owned());
        }
        if let Some(reason) = spec.image.and_then(|hash| self.revoked(hash)) {
            return self.refuse(request, reason);
        }
        let types = image.as_ref().map_or(&self.facts.natives, |image| &image.actors);
        let Some(required) = required_of(types, &spec.actor) else {
            return self.refuse(request, format!("has no actor {:?}", spec.actor));
        };
        if let Some(lack) = self.lacks(&spec, &required).into_iter().next() {
            return self.refuse(request, lack);
        }
        if let Some(group) = spec.distinct.as_ref().filter(|group| self.has_group(group)) {
            return self.refuse(request, has_group(group));
        }
        if Claims::of(&spec).any() && self.placements.claims_full() {
            return self.refuse(request, "hosts as many actors with a name or a group as a node may".to_owned());
        }
        if spec.image != image.as_ref().map(|image| image.hash) {
            return self.refuse(request, "was not told which image the actor comes from".to_owned());
        }
        let job = Job { spec, required, origin: Origin::Leader, step: Step::Fetching, rechecks: 0 };
        self.jobs.insert(request, job);
        match image {
            Some(image) => self.fetch(request, image, sources),
            None => self.check(request),
        }
    }

    /// Whether an actor of the group lives here, or is about to.
    fn has_group(&self, group: &str) -> bool {
        self.placements.has_group(group) || self.jobs.values().any(|job| job.spec.distinct.as_deref() == Some(group))
    }

    fn refuse(&mut self, request: RequestId, reason: String) {
        self.placements.refuse(request, reason.clone());
        self.tell(ToLeader::Placed { request, outcome: PlaceOutcome::Refused { reason } });
    }

    fn fetch(&mut self, request: RequestId, image: Box<ImageInfo>, sources: Vec<NodeRef>) {
        let hash = image.hash;
        self.bring(image, sources);
        match self.images.fetching.get_mut(&hash) {
            None => self.check(request),
            Some(waiting) if !waiting.contains(&request) => waiting.push(request),
            Some(_) => {}
        }
    }

    /// The leader expects that an actor of the image will be wanted here.
    pub(super) fn prefetch(&mut self, image: Box<ImageInfo>, sources: Vec<NodeRef>) {
        let is_registered = matches!(self.link, Link::Registered { .. });
        if is_registered && self.revoked(image.hash).is_none() {
            self.bring(image, sources);
        }
    }

    /// Has an image fetched that may be used, unless it is here or on its way.
    fn bring(&mut self, image: Box<ImageInfo>, sources: Vec<NodeRef>) {
        let hash = image.hash;
        self.images.approved.insert(hash);
        self.images.known.insert(hash, *image.clone());
        if !self.images.held.contains(&hash) && !self.images.fetching.contains_key(&hash) {
            self.images.fetching.insert(hash, Vec::new());
            self.effects.push_back(Effect::Fetch { image, sources });
        }
    }

    pub(super) fn fetched(&mut self, hash: SourceHash, failure: Option<String>, now: Millis) {
        let waiting = self.images.fetching.remove(&hash).unwrap_or_default();
        if failure.is_none() && self.revoked(hash).is_none() && self.images.held.insert(hash) {
            self.tell(ToLeader::ImageHeld { hash, held: true });
        }
        if failure.is_some() && waiting.is_empty() {
            // It was to be here early: nobody takes it for one that fetches any more.
            self.tell(ToLeader::ImageHeld { hash, held: false });
        }
        for request in waiting {
            match &failure {
                Some(why) => self.fail(request, format!("cannot fetch image {hash}: {why}"), now),
                None if self.jobs.get(&request).is_some_and(|j| j.step == Step::Fetching) => self.check(request),
                None => {}
            }
        }
    }

    /// The next placement that needs it fetches it again.
    pub(super) fn image_lost(&mut self, hash: SourceHash) {
        if self.images.held.remove(&hash) {
            self.tell(ToLeader::ImageHeld { hash, held: false });
        }
    }

    fn check(&mut self, request: RequestId) {
        let version = self.facts.capabilities_version;
        let Some(job) = self.jobs.get_mut(&request) else { return };
        self.tickets += 1;
        job.step = Step::Checking { ticket: self.tickets, version };
        self.checks.insert(self.tickets, request);
        let spec = job.spec.clone();
        self.effects.push_back(Effect::Check { ticket: self.tickets, spec });
    }

    pub(super) fn checked(&mut self, ticket: u64, outcome: CheckOutcome, now: Millis) {
        let Some(request) = self.checks.remove(&ticket) else { return };
        let version = self.facts.capabilities_version;
        let Some(job) = self.jobs.get_mut(&request) else { return };
        let moved = match job.step {
            Step::Checking { ticket: asked, version: at } if asked == ticket => at != version,
            Step::Checking { .. } | Step::Fetching | Step::Launching => return,
        };
        job.rechecks += u32::from(moved);
        if job.rechecks > limits::RECHECKS_MAX {
            return self.fail(request, "capabilities change faster than they can be checked".to_owned(), now);
        }
        let (spec, required) = (job.spec.clone(), job.required.clone());
        if let Some(lack) = self.lacks(&spec, &required).into_iter().next() {
            return self.fail(request, lack, now);
        }
        if moved {
            return self.check(request);
        }
        if let Some(hash) = spec.image
            && !self.images.approved.contains(&hash)
        {
            return self.fail(request, format!("image {hash} was unloaded"), now);
        }
        match outcome.verdict {
            CheckVerdict::Accepted => self.launch(request),
            CheckVerdict::Refused => self.fail(request, "the actor's own check refuses".to_owned(), now),
            CheckVerdict::Failed(why) => self.fail(request, format!("the actor's own check failed: {why}"), now),
            CheckVerdict::Unknown => self.fail(request, format!("has no actor {:?}", spec.actor), now),
        }
    }

    fn launch(&mut self, request: RequestId) {
        if let Some(job) = self.jobs.get_mut(&request) {
            job.step = Step::Launching;
            self.launching += 1;
            let spec = job.spec.clone();
            self.effects.push_back(Effect::Launch { request, spec });
        }
    }

    /// This node does not host it: the leader tries another, and what began here goes to the leader.
    pub(super) fn fail(&mut self, request: RequestId, reason: String, now: Millis) {
        let Some(job) = self.jobs.remove(&request) else { return };
        match job.origin {
            Origin::Leader => self.refuse(request, reason),
            Origin::Here { ticket } => self.ask_to_create(request.number, ticket, job.spec, now),
        }
    }

    pub(super) fn launched(&mut self, request: RequestId, result: Result<Address, String>, now: Millis) {
        let Some(job) = self.jobs.remove(&request) else { return };
        self.launching = self.launching.saturating_sub(usize::from(job.step == Step::Launching));
        if result.is_ok() {
            self.load_by(1);
        }
        match job.origin {
            Origin::Here { ticket } => {
                let outcome = Box::new(match result {
                    Ok(address) => CreateOutcome::Created { address, node: self.me, existing: false },
                    Err(reason) => CreateOutcome::Refused { code: codes::CREATION_FAILED, reason },
                });
                self.effects.push_back(Effect::Created { ticket, spec: job.spec, outcome });
            }
            Origin::Leader => self.launched_for_leader(request, job, result),
        }
        if self.launching == 0 {
            self.early_exits.clear();
        }
        self.confirm_revocations(now);
        if matches!(self.link, Link::Settling { .. }) {
            self.settle(now);
        }
    }

    fn launched_for_leader(&mut self, request: RequestId, job: Job, result: Result<Address, String>) {
        match result {
            Ok(address) => {
                let claims = Claims::of(&job.spec);
                let global_name = claims.global_name.clone();
                self.placements.insert(request, address, claims);
                self.tell(ToLeader::Placed { request, outcome: PlaceOutcome::Placed { address } });
                if self.early_exits.remove(&address) {
                    self.freed(address, global_name);
                }
            }
            Err(why) => self.refuse(request, format!("the constructor failed: {why}")),
        }
    }

    /// From now on this node hosts nothing new, or does so again. What is being launched is launched.
    pub(super) fn drain(&mut self, draining: bool, now: Millis) {
        if std::mem::replace(&mut self.facts.draining, draining) == draining {
            return;
        }
        self.effects.push_back(Effect::Draining { draining });
        self.tell(ToLeader::Draining { draining });
        let begun = self.jobs.iter().filter(|(_, job)| draining && job.step != Step::Launching);
        for request in begun.map(|(request, _)| *request).collect::<Vec<_>>() {
            self.fail(request, DRAINING.to_owned(), now);
        }
    }

    pub(super) fn exited(&mut self, address: Address, global_name: Option<String>) {
        self.load_by(-1);
        if self.launching > 0 && !self.placements.has(&address) {
            // Perhaps what was launched: then it is told of after its launch, which the leader has to hear of first.
            if self.early_exits.len() < limits::EARLY_EXITS_MAX {
                self.early_exits.insert(address);
            }
            return;
        }
        self.freed(address, global_name);
    }

    /// What an actor had is free again.
    fn freed(&mut self, address: Address, global_name: Option<String>) {
        if let Some((group, request)) = self.placements.exited(address) {
            self.tell(ToLeader::GroupFreed { group, request });
        }
        if let Some(name) = global_name {
            self.tell(ToLeader::NameFreed { name, address });
        }
    }
}

fn required_of(types: &[NativeActor], actor: &str) -> Option<Vec<String>> {
    types.iter().find(|t| t.name == actor).map(|t| t.required.clone())
}
