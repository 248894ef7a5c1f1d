//! What an operator can read of a leader. A fact that is not durable yet is not shown.

use super::facts::{Judged, Revocation};
use super::machine::Leader;
use super::{ImageState, ImageView, MemberView};
use crate::codes;
use crate::record::{AuthoritySetting, TokenFact};
use crate::types::{ImageInfo, Millis, Role, SourceHash};
use odeon::NodeRef;

/// Why a text names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ImageLookupError {
    #[error("no approved image is called {text:?} or has a hash that begins so")]
    Unknown { text: String },
    #[error("{text:?} fits {found} images: {examples}")]
    Ambiguous { text: String, found: usize, examples: String },
}

impl ImageLookupError {
    /// Its code as listed in docs/errors.
    pub fn code(&self) -> u16 {
        match self {
            ImageLookupError::Unknown { .. } => codes::IMAGE_UNKNOWN,
            ImageLookupError::Ambiguous { .. } => codes::IMAGE_AMBIGUOUS,
        }
    }
}

impl Leader {
    /// The live members, then the last of those that are gone.
    pub fn members(&self, now: Millis) -> Vec<MemberView> {
        let live = self.peers.live.values().filter_map(|p| self.view_of(p.node, now));
        live.chain(self.peers.departed(now)).collect()
    }

    pub(super) fn view_of(&self, node: NodeRef, now: Millis) -> Option<MemberView> {
        let peer = self.peers.of(node)?;
        let registration = self.facts.registered.get(&node.id)?;
        (registration.index <= self.outbox.committed()).then(|| MemberView {
            name: registration.name.clone(),
            node,
            state: peer.state(),
            role: self.facts.admitted.get(&node.id).map_or(Role::Member, |a| a.role),
            listen: registration.listen.clone(),
            capabilities: registration.capabilities.clone(),
            actors: peer.actors,
            since_ms: now.saturating_sub(peer.since),
            natives: peer.linked().natives().to_vec(),
            draining: peer.draining,
        })
    }

    /// The name of a live member.
    pub fn name_of(&self, node: NodeRef) -> Option<&str> {
        self.peers.of(node)?;
        let registration = self.facts.registered.get(&node.id)?;
        (registration.index <= self.outbox.committed()).then_some(&registration.name)
    }

    /// The live member of this name or id; of those that are gone, the last one.
    pub fn member_by_name_or_id(&self, text: &str, now: Millis) -> Option<MemberView> {
        let fits = |view: &MemberView| view.name == text || view.node.id.to_string() == text;
        let live = self.peers.live.values().filter_map(|p| self.view_of(p.node, now)).find(fits);
        live.or_else(|| self.peers.departed(now).filter(fits).last())
    }

    fn judged(&self) -> impl Iterator<Item = &Judged> {
        self.facts.images.values().filter(|j| j.index <= self.outbox.committed())
    }

    /// Every image that an authority spoke on and that is not unloaded, and those that are revoked.
    pub fn images(&self) -> Vec<ImageView> {
        let judged = self.judged().map(|judged| ImageView {
            image: judged.image.clone(),
            state: match judged.approved {
                true if self.is_usable(judged) => ImageState::Approved,
                true => ImageState::Expired,
                false => ImageState::Rejected,
            },
            by: judged.by.clone(),
            nodes: self.holders(judged.image.hash),
            pushed: judged.approval.pushed,
        });
        let revoked = self.facts.revoked.iter().filter(|(_, revocation)| revocation.index <= self.outbox.committed());
        judged.chain(revoked.map(|(hash, revocation)| self.view_of_revoked(*hash, revocation))).collect()
    }

    fn view_of_revoked(&self, hash: SourceHash, revocation: &Revocation) -> ImageView {
        let unknown = || ImageInfo {
            hash,
            name: String::new(),
            version: String::new(),
            size_bytes: 0,
            actors: vec![],
            chunks: None,
        };
        let Revocation { by, reason, .. } = revocation;
        ImageView {
            image: revocation.image.clone().unwrap_or_else(unknown),
            state: ImageState::Revoked,
            by: if reason.is_empty() { by.clone() } else { format!("{by}: {reason}") },
            nodes: self.holders(hash),
            pushed: None,
        }
    }

    /// The live members that hold an image.
    pub fn held_by(&self, hash: SourceHash) -> Vec<NodeRef> {
        self.peers.holders(hash).iter().filter_map(|id| self.peers.live.get(id)).map(|peer| peer.node).collect()
    }

    fn holders(&self, hash: SourceHash) -> u32 {
        u32::try_from(self.peers.holders(hash).len()).unwrap_or(u32::MAX)
    }

    /// An approved image by its whole hash.
    pub fn image(&self, hash: SourceHash) -> Option<&ImageInfo> {
        self.judged().find(|j| j.approved && j.image.hash == hash).map(|j| &j.image)
    }

    /// An approved image by the first digits of its hash, by `name@version`, or by its name: then the newest version.
    pub fn find_image(&self, text: &str) -> Result<&ImageInfo, ImageLookupError> {
        let approved = || self.judged().filter(|j| j.approved).map(|j| &j.image);
        let named = match text.rsplit_once('@') {
            Some((name, version)) => approved().filter(|i| i.name == name && i.version == version).collect(),
            None => newest(approved().filter(|i| i.name == text).collect()),
        };
        let found = if named.is_empty() { by_prefix(text, approved()) } else { named };
        match found.as_slice() {
            [one] => Ok(one),
            [] => Err(ImageLookupError::Unknown { text: text.chars().take(80).collect() }),
            many => Err(ImageLookupError::Ambiguous {
                text: text.to_owned(),
                found: many.len(),
                examples: many.iter().take(3).map(|i| i.hash.to_string()).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// The tokens, each with how often it was used.
    pub fn tokens(&self) -> impl Iterator<Item = (&TokenFact, u32)> {
        let committed = self.outbox.committed();
        self.facts.tokens.values().filter(move |t| t.index <= committed).map(|t| (&t.fact, t.used))
    }

    /// Which authority decides on images.
    pub fn authority(&self) -> &AuthoritySetting {
        &self.facts.authority
    }

    /// Counted up by every start of a leader.
    pub fn term(&self) -> u64 {
        self.facts.term
    }
}

fn by_prefix<'a>(text: &str, images: impl Iterator<Item = &'a ImageInfo>) -> Vec<&'a ImageInfo> {
    let digits = text.to_ascii_lowercase();
    if digits.len() < 4 {
        return Vec::new();
    }
    images.filter(|i| i.hash.to_string().starts_with(&digits)).collect()
}

/// Those of the highest version.
fn newest(images: Vec<&ImageInfo>) -> Vec<&ImageInfo> {
    let best = images.iter().map(|i| version_key(&i.version)).max();
    images.into_iter().filter(|i| Some(version_key(&i.version)) == best).collect()
}

/// Numbers compare as numbers and are newer than the end, which is newer than text: 1.0-rc1 < 1.0 < 1.0.1 < 1.0.10.
fn version_key(version: &str) -> Vec<(u8, u64, &str)> {
    let parts = version.split(['.', '-', '+']);
    let parts = parts.map(|part| part.parse().map_or((0, 0, part), |number| (2, number, "")));
    parts.chain([(1, 0, "")]).collect()
}
