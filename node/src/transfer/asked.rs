//! What images ask for, once it was read: an image is large, and whoever shows it is asked by every node that verifies it.

use hashbrown::HashMap;
use odeon_convention::types::SourceHash;
use odeon_sourceauth::Grants;
use parking_lot::Mutex;
use std::sync::Arc;

/// What is known. There are no more than there are images.
#[derive(Default)]
pub(super) struct Asked(Mutex<HashMap<SourceHash, Arc<Grants>>>);

impl Asked {
    pub(super) fn note(&self, hash: SourceHash, grants: &Grants) {
        self.0.lock().insert(hash, Arc::new(grants.clone()));
    }

    pub(super) fn forget(&self, hash: SourceHash) {
        self.0.lock().remove(&hash);
    }

    /// What is known, or what is read now. Nobody else reads meanwhile.
    pub(super) fn known_or<E>(
        &self,
        hash: SourceHash,
        read: impl FnOnce() -> Result<Grants, E>,
    ) -> Result<Arc<Grants>, E> {
        let mut asked = self.0.lock();
        if let Some(known) = asked.get(&hash) {
            return Ok(known.clone());
        }
        let grants = Arc::new(read()?);
        asked.insert(hash, grants.clone());
        Ok(grants)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_once_and_again_after_it_was_forgotten() {
        let (asked, hash) = (Asked::default(), SourceHash([1; 32]));
        let grants = Grants { environment: vec!["ZONE".parse().unwrap()], ..Grants::default() };
        assert_eq!(asked.known_or(hash, || Err("no disk")).unwrap_err(), "no disk");
        assert_eq!(*asked.known_or::<()>(hash, || Ok(grants.clone())).unwrap(), grants);
        assert_eq!(*asked.known_or(hash, || Err(())).unwrap(), grants);
        asked.forget(hash);
        assert!(asked.known_or(hash, || Err(())).is_err());
        asked.note(hash, &grants);
        assert_eq!(*asked.known_or(hash, || Err(())).unwrap(), grants);
    }
}
