//! An actor of an image against the same source linked in, both in the real system of actors and wasm runtime.
//!
//! The actor is `Goodbye` of `examples/hello`: it answers whatever it is sent with a short text. The one that panics is
//! `Rogue` of `tests/guest`. The images are those that are kept in the repository.

mod asker;

use crate::memory::resident_bytes;
use crate::options::Options;
use crate::rounds::Figure;
use crate::spread::quantile;
use crate::unit::Unit;
use anyhow::{Context, Result, bail, ensure};
use asker::{Ask, Asker, Took};
use odeon::system::{Alone, Endpoint, Envelope, Spawn, System};
use odeon::{
    Address, AnyMessage, CapabilityMap, Definition, Incarnation, Level, Message, NodeId, NodeRef, PoisonMessage,
    Registry,
};
use odeon_example_hello::Goodbye;
use odeon_node::wasm::{WasmLimits, WasmRuntime};
use odeon_test_guest::Rogue;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The contestants; the first is ours.
pub const CONTESTANTS: [&str; 2] = ["wasm", "native"];

/// The image of `examples/hello`, and a name for its compiled code in the folder that is thrown away afterwards.
const HELLO: (&[u8], &str) = (
    include_bytes!("../../examples/hello/hello.zip"),
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
);
/// The image of `tests/guest`, whose `Rogue` panics when it is told to.
const GUEST: (&[u8], &str) =
    (include_bytes!("../../tests/guest/guest.zip"), "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100");
const WORKERS: usize = 2;
const ANSWER_MAX: Duration = Duration::from_secs(120);

/// Something to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// A message and its answer.
    Receive,
    /// Making an actor.
    Create,
    /// A panic in a message, and making the actor again.
    Rebuild,
}

/// All of them, with the word that names each to a sample.
pub const MEASURES: [(&str, Measure); 3] =
    [("receive", Measure::Receive), ("create", Measure::Create), ("rebuild", Measure::Rebuild)];

impl Measure {
    /// What a sample of it says.
    pub fn figures(self) -> Vec<Figure> {
        match self {
            Measure::Receive => vec![Figure::new("receive and reply, median", Unit::Nanoseconds)],
            Measure::Create => vec![
                Figure::new("create, mean", Unit::Nanoseconds),
                Figure::new("an idle actor, bytes", Unit::Bytes),
                Figure::new("after its first message, bytes", Unit::Bytes),
            ],
            Measure::Rebuild => vec![Figure::new("panic and rebuild, mean", Unit::Nanoseconds)],
        }
    }

    fn size(self) -> u64 {
        match self {
            Measure::Receive => 300_000,
            Measure::Create => 100_000,
            Measure::Rebuild => 10_000,
        }
    }
}

/// Compiles the images' code; gives nanoseconds of that for `examples/hello`, and of loading what was compiled.
pub fn load(folder: &Path) -> Result<[f64; 2]> {
    let mut took = [0.0; 2];
    for took in &mut took {
        let start = Instant::now();
        definitions(HELLO, folder)?;
        *took = start.elapsed().as_nanos() as f64;
    }
    definitions(GUEST, folder)?;
    Ok(took)
}

fn definitions((image, hash): (&[u8], &str), folder: &Path) -> Result<Vec<Definition>> {
    let code = odeon_sourceauth::Image::open(image.to_vec()).context("open a kept image")?.code()?;
    Ok(WasmRuntime::new(folder, WasmLimits::default())?.load(hash, &code)?)
}

/// One sample in this process. `folder` has the compiled code already.
pub fn sample(name: &str, measure: Measure, options: &Options, folder: &Path) -> Result<Vec<f64>> {
    let (image, actor, native) = match measure {
        Measure::Receive | Measure::Create => (HELLO, "Goodbye", Definition::of::<Goodbye>()),
        Measure::Rebuild => (GUEST, "Rogue", Definition::of::<Rogue>()),
    };
    let definition = match name {
        "wasm" => {
            let found = definitions(image, folder)?.into_iter().find(|d| &*d.name == actor);
            found.with_context(|| format!("the image has no {actor}"))?
        }
        "native" => native,
        _ => bail!("no contestant {name:?}, expected one of {CONTESTANTS:?}"),
    };
    let rig = Rig::start()?;
    let size = options.size(measure.size());
    match measure {
        Measure::Receive => rig.receive(definition, size),
        Measure::Create => rig.create(&definition, size),
        Measure::Rebuild => rig.rebuild(definition, size),
    }
    .with_context(|| format!("{name}: {measure:?} of {size}"))
}

/// A system, and somebody outside of it who is answered.
struct Rig {
    system: System,
    own: Endpoint,
    answers: Receiver<AnyMessage>,
}

impl Rig {
    fn start() -> Result<Self> {
        let node = NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(1) };
        // That a message failed twice is what is measured.
        let outside = Alone::new(Registry::new(), CapabilityMap::new(), Level::Error);
        let system = System::start(node, WORKERS, Arc::new(outside));
        let (put, answers) = sync_channel(1 << 16);
        let put = Mutex::new(put);
        let own = system.endpoint(Box::new(move |envelope: Envelope| {
            // The program may have given up.
            let _ = put.lock().map(|put| put.send(envelope.message));
        }))?;
        Ok(Self { system, own, answers })
    }

    fn spawn(&self, definition: Definition) -> Result<Address> {
        Ok(self.system.spawn(Spawn { definition, parent: None, global_name: None, address: None })?)
    }

    fn tell(&self, to: Address, message: impl Message) {
        self.system.deliver(Envelope { to, sender: self.own.address(), message: AnyMessage::new(message) });
    }

    fn answer<M: Message>(&self) -> Result<M> {
        let message = self.answers.recv_timeout(ANSWER_MAX).context("not every message was answered")?;
        message.take::<M>().map_err(|other| anyhow::anyhow!("the answer is a {}", other.name()))
    }

    /// An actor asks, one question at a time.
    fn receive(&self, goodbye: Definition, rounds: u64) -> Result<Vec<f64>> {
        let whom = self.spawn(goodbye)?;
        let asker = self.spawn(Definition::of::<Asker>())?;
        let mut median = 0.0;
        for rounds in [rounds / 20 + 1, rounds] {
            self.tell(asker, Ask { whom, rounds });
            let Took(mut took) = self.answer()?;
            ensure!(took.len() as u64 == rounds, "{} right answers to {rounds} questions", took.len());
            median = quantile(&mut took, 0.5);
        }
        Ok(vec![median])
    }

    fn create(&self, goodbye: &Definition, count: u64) -> Result<Vec<f64>> {
        // The first one has costs that no other has.
        self.spawn(goodbye.clone())?;
        let mut actors = Vec::with_capacity(count as usize);
        let before = resident_bytes()?;
        let start = Instant::now();
        for _ in 0..count {
            actors.push(self.spawn(goodbye.clone())?);
        }
        let took = start.elapsed().as_nanos() as f64;
        let idle_bytes = resident_bytes()? - before;
        for actor in actors {
            self.tell(actor, "are you there?".to_owned());
        }
        for _ in 0..count {
            let answer = self.answer::<String>()?;
            ensure!(answer == "Goodbye", "the answer is {answer:?}");
        }
        let used_bytes = resident_bytes()? - before;
        let count = count as f64;
        Ok(vec![took / count, idle_bytes / count, used_bytes / count])
    }

    /// A message that panics is given twice, so two rebuilds follow from each.
    fn rebuild(&self, rogue: Definition, count: u64) -> Result<Vec<f64>> {
        std::panic::set_hook(Box::new(|_| ()));
        let whom = self.spawn(rogue)?;
        let start = Instant::now();
        for _ in 0..count {
            self.tell(whom, "panic".to_owned());
        }
        for _ in 0..count {
            let poison = self.answer::<PoisonMessage>()?;
            ensure!(poison.details.contains("told to panic"), "it failed with {:?}", poison.details);
        }
        Ok(vec![start.elapsed().as_nanos() as f64 / (2 * count) as f64])
    }
}
