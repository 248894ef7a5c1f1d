//! The actor types that can be created here: those linked into the program, and those of loaded images.
//!
//! An image that is unloaded gives nobody outside new actors. Its actors that run go on, and what they create in turn
//! comes from their own image, so its types stay for them until the last one is gone. One that is revoked gives nobody
//! anything, not even them.

use hashbrown::HashMap;
use odeon::{Definition, Failure, Registry};
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type OfImages = RwLock<HashMap<Arc<str>, OfImage>>;

/// The types of an image.
struct OfImage {
    types: Arc<[Definition]>,
    gate: Arc<Gate>,
}

impl OfImage {
    /// An actor holds on to its definition.
    fn is_in_use(&self) -> bool {
        self.types.iter().any(|definition| Arc::strong_count(&definition.build) > 1)
    }
}

/// Whether the image is revoked. Held open while an actor is built for the first time, so that whoever shuts it knows
/// that all that were let through are built, and that none will be that was found before and is built after.
#[derive(Default)]
struct Gate(RwLock<bool>);

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
        let gate_of = |images: &OfImages| images.read().get(hash).map(|image| image.gate.clone());
        let gate = gate_of(&self.loaded).or_else(|| gate_of(&self.unloaded)).unwrap_or_default();
        self.loaded.write().insert(hash.into(), OfImage { types: definitions.into(), gate });
        self.unloaded.write().remove(hash);
    }

    pub(super) fn unload(&self, hash: &str) {
        if let Some((hash, image)) = self.loaded.write().remove_entry(hash) {
            self.unloaded.write().insert(hash, image);
        }
        self.prune();
    }

    /// Returns once every actor of the image that will ever be is there.
    pub(super) fn revoke(&self, hash: &str) {
        let images = [&self.loaded, &self.unloaded].into_iter().filter_map(|images| images.write().remove(hash));
        for image in images.collect::<Vec<_>>() {
            *image.gate.0.write() = true;
        }
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

    /// Whether an actor of a loaded image runs, or is about to.
    pub(super) fn is_in_use(&self, hash: &str) -> bool {
        self.loaded.read().get(hash).is_some_and(OfImage::is_in_use)
    }

    /// Forgets the unloaded images of which no actor runs.
    pub(super) fn prune(&self) {
        if !self.unloaded.read().is_empty() {
            self.unloaded.write().retain(|_, image| image.is_in_use());
        }
    }
}

fn find_in(images: &OfImages, hash: &str, actor: &str) -> Option<Definition> {
    let images = images.read();
    let OfImage { types, gate } = images.get(hash)?;
    types.iter().find(|d| &*d.name == actor).map(|definition| through(gate.clone(), definition))
}

/// A type for one actor, which is built once through the gate; that it is built again after a failure is no creation.
fn through(gate: Arc<Gate>, definition: &Definition) -> Definition {
    let (build, built) = (definition.build.clone(), AtomicBool::new(false));
    let build = Arc::new(move || {
        if built.swap(true, Ordering::Relaxed) {
            return build();
        }
        let is_shut = gate.0.read();
        if *is_shut { Err(Failure::new("its image was revoked")) } else { build() }
    });
    Definition { build, ..definition.clone() }
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
            waits: false,
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

    #[test]
    fn of_a_revoked_image_nothing_is_created_but_an_actor_that_runs_is_built_again() {
        for unloads in [false, true] {
            let definitions = Definitions::new(Registry::new());
            definitions.load("ab", vec![of_image("Hello")]);
            let find = || definitions.find(Some("ab"), "Hello");
            let (running, found) = (find().unwrap(), find().unwrap());
            assert!((running.build)().is_ok());
            if unloads {
                definitions.unload("ab");
            }
            definitions.revoke("ab");
            assert!(find().is_none() && definitions.find_for(Some("ab"), Some("ab"), "Hello").is_none());
            assert!((found.build)().is_err(), "it was found before, and would be built after");
            assert!((running.build)().is_ok(), "it fails and is built again");
        }
    }

    #[test]
    fn whoever_revokes_waits_for_what_is_being_built() {
        let definitions = Arc::new(Definitions::new(Registry::new()));
        let (started, starts) = std::sync::mpsc::channel();
        let (go_on, goes_on) = std::sync::mpsc::channel::<()>();
        let goes_on = parking_lot::Mutex::new(goes_on);
        let slow = Definition {
            build: Arc::new(move || {
                started.send(()).unwrap();
                goes_on.lock().recv().unwrap();
                Ok(Box::new(Nothing) as Box<dyn Actor>)
            }),
            ..of_image("Slow")
        };
        definitions.load("ab", vec![slow]);
        let found = definitions.find(Some("ab"), "Slow").unwrap();
        let building = std::thread::spawn(move || (found.build)().is_ok());
        starts.recv().unwrap();
        let revoked = Arc::new(AtomicBool::new(false));
        let revoking = {
            let (definitions, revoked) = (definitions.clone(), revoked.clone());
            std::thread::spawn(move || {
                definitions.revoke("ab");
                revoked.store(true, Ordering::SeqCst);
            })
        };
        while definitions.is_loaded("ab") {
            std::thread::yield_now();
        }
        assert!(!revoked.load(Ordering::SeqCst), "one is being built");
        go_on.send(()).unwrap();
        assert!(building.join().unwrap());
        revoking.join().unwrap();
    }
}
