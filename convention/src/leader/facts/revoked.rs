//! The images that are revoked. A revocation is final and is never forgotten, and they are counted: a number says which
//! of them a member was told of, and which it has confirmed.

use crate::types::{ImageInfo, SourceHash};
use crate::wire::RevokedImage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Revocations {
    by_hash: BTreeMap<SourceHash, Revocation>,
    /// How many records of revocations there were.
    count: u64,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Revocation {
    /// What was known of the image by then, but for its actor types.
    pub(crate) image: Option<ImageInfo>,
    /// Whether its actors are asked to exit.
    pub(crate) end: bool,
    pub(crate) reason: String,
    pub(crate) by: String,
    /// Which of the revocations, counted from 1, it is by its last record.
    pub(crate) number: u64,
    pub(crate) index: u64,
}

impl Revocations {
    /// Takes in the next one. Of one image there may be a second, which adds that its actors end.
    pub(super) fn add(&mut self, hash: SourceHash, revocation: Revocation) {
        self.count += 1;
        let before = self.by_hash.remove(&hash);
        let end = revocation.end || before.as_ref().is_some_and(|before| before.end);
        let image = before.and_then(|before| before.image).or(revocation.image);
        let image = image.map(|image| ImageInfo { actors: Vec::new(), ..image });
        self.by_hash.insert(hash, Revocation { image, end, number: self.count, ..revocation });
    }

    pub(crate) fn get(&self, hash: &SourceHash) -> Option<&Revocation> {
        self.by_hash.get(hash)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&SourceHash, &Revocation)> {
        self.by_hash.iter()
    }

    /// How many images are revoked.
    pub(crate) fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// The number of the last one.
    pub(crate) fn upto(&self) -> u64 {
        self.count
    }

    /// Those after this number, each with its own, in their order.
    pub(crate) fn after(&self, upto: u64) -> Vec<(u64, RevokedImage)> {
        let later = self.by_hash.iter().filter(|(_, revocation)| revocation.number > upto);
        let mut later: Vec<_> = later.map(|(hash, r)| (r.number, RevokedImage { hash: *hash, end: r.end })).collect();
        later.sort_unstable_by_key(|(number, _)| *number);
        later
    }
}
