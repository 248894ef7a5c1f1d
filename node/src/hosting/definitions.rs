//! The actor types that can be created here: those linked into the program, and those of loaded images.
//!
//! An image that is unloaded gives nobody outside new actors. Its actors that run go on, and what they create in turn
//! comes from their own image, so its types stay for them until the last one is gone.

use hashbrown::HashMap;
use odeon::{Definition, Registry};
use parking_lot::RwLock;
use std::sync::Arc;

type OfImages = RwLock<HashMap<Arc<str>, Arc<[Definition]>>>;

pub(super) struct Definitions {
    linked: Registry,
    loaded: OfImages,
    unloaded: OfImages,
}

impl Definitions {
    pub(super) fn new(linked: Registry) -> Self {
        Self { linked, loaded: RwLock::default(), unloaded: RwLock::default() }
    }

    pub(super) fn load(&self, hash: &str, definitions: Vec<Definition>) {
        self.loaded.write().insert(hash.into(), definitions.into());
        self.unloaded.write().remove(hash);
    }

    pub(super) fn unload(&self, hash: &str) {
        if let Some((hash, definitions)) = self.loaded.write().remove_entry(hash) {
            self.unloaded.write().insert(hash, definitions);
        }
        self.prune();
    }

    pub(super) fn is_loaded(&self, hash: &str) -> bool {
        self.loaded.read().contains_key(hash)
    }

    /// A type by its image and name, for whoever asks.
    pub(super) fn find(&self, image: Option<&str>, actor: &str) -> Option<Definition> {
        match image {
            None => self.linked.find(actor).cloned(),
            Some(hash) => find_in(&self.loaded, hash, actor),
        }
    }

    /// A type for an actor of the image `own`, which may create from its image for as long as it runs.
    pub(super) fn find_for(&self, own: Option<&str>, image: Option<&str>, actor: &str) -> Option<Definition> {
        let of_own = || image.filter(|_| image == own).and_then(|hash| find_in(&self.unloaded, hash, actor));
        self.find(image, actor).or_else(of_own)
    }

    /// Forgets the unloaded images of which no actor runs: an actor holds on to its definition.
    pub(super) fn prune(&self) {
        if !self.unloaded.read().is_empty() {
            let in_use = |d: &Definition| Arc::strong_count(&d.build) > 1;
            self.unloaded.write().retain(|_, definitions| definitions.iter().any(in_use));
        }
    }
}

fn find_in(images: &OfImages, hash: &str, actor: &str) -> Option<Definition> {
    images.read().get(hash)?.iter().find(|d| &*d.name == actor).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon::{Actor, AnyMessage, Context, Failure};

    struct Nothing;

    impl Actor for Nothing {
        fn receive(&mut self, _message: &AnyMessage, _cx: &mut Context) -> Result<(), Failure> {
            Ok(())
        }
    }

    fn of_image(name: &str) -> Definition {
        Definition {
            name: name.into(),
            required: [].into(),
            image: Some("ab".into()),
            build: Arc::new(|| Ok(Box::new(Nothing) as Box<dyn Actor>)),
            check: Arc::new(|_, _| Ok(true)),
        }
    }

    #[test]
    fn an_unloaded_image_serves_its_own_actors_until_the_last_is_gone() {
        let definitions = Definitions::new(Registry::new());
        definitions.load("ab", vec![of_image("Hello"), of_image("World")]);
        let running = definitions.find(Some("ab"), "Hello").unwrap();
        definitions.unload("ab");
        assert!(!definitions.is_loaded("ab"));
        assert!(definitions.find(Some("ab"), "Hello").is_none(), "nobody outside gets a new one");
        assert!(definitions.find_for(None, Some("ab"), "World").is_none());
        assert!(definitions.find_for(Some("cd"), Some("ab"), "World").is_none());
        assert!(definitions.find_for(Some("ab"), Some("ab"), "World").is_some());
        drop(running);
        definitions.prune();
        assert!(definitions.find_for(Some("ab"), Some("ab"), "World").is_none());
    }
}
