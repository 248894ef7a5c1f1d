//! Images that actors of this node want to be loaded or unloaded: what they hand over is gathered here, within bounds,
//! until it is whole. What becomes of it is decided where pushes are.

use super::Hosting;
use hashbrown::HashMap;
use odeon::system::Envelope;
use odeon::{
    Address, AnyMessage, LoadOutcome, LoadSource, Message, NodeStatusRequest, REJECTION_BYTES_MAX, SourceBytes,
    SourceLoaded, SourceUnloaded, UnloadSource,
};
use odeon_convention::codes;
use odeon_sourceauth::Handover;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Bytes that all actors of a node may have handed over at once: two of the largest images.
const HELD_BYTES_MAX: usize = 128 * 1024 * 1024;
/// What actors want to be done that waits for its turn.
const ORDERS_MAX: usize = 16;
/// What was handed over and left alone for so long makes room for others.
const IDLE: Duration = Duration::from_secs(30);

/// What an actor wants to be done.
pub(crate) struct Order {
    pub(crate) by: Address,
    /// The actor's type, and its image if it has one.
    pub(crate) who: String,
    pub(crate) what: Wish,
}

/// To load what it has handed over, or to unload something.
pub(crate) enum Wish {
    Load { bytes: Held, signatures: Vec<String> },
    Unload { hash: String },
}

/// So many bytes, as long as this is there.
struct Counted {
    bytes: usize,
    all: Arc<AtomicUsize>,
}

impl Counted {
    fn set(&mut self, bytes: usize) {
        self.all.fetch_add(bytes, Ordering::Relaxed);
        self.all.fetch_sub(std::mem::replace(&mut self.bytes, bytes), Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// A file that was handed over whole.
pub(crate) struct Held {
    bytes: Vec<u8>,
    _counted: Counted,
}

impl Held {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What one actor hands over.
struct Coming {
    handover: Handover,
    counted: Counted,
    last: Instant,
}

/// What actors hand over, and the way to whoever does what they want.
pub(super) struct Loads {
    coming: Mutex<HashMap<Address, Coming>>,
    /// Bytes of all that is coming, and of what has come and is still there.
    held: Arc<AtomicUsize>,
    orders: mpsc::Sender<Order>,
}

impl Loads {
    /// With the end where orders come out.
    pub(super) fn new() -> (Self, mpsc::Receiver<Order>) {
        let (orders, received) = mpsc::channel(ORDERS_MAX);
        (Self { coming: Mutex::default(), held: Arc::default(), orders }, received)
    }

    /// An actor is gone, and with it what it has not handed over whole.
    pub(super) fn forget(&self, by: Address) {
        self.coming.lock().remove(&by);
    }

    fn take(&self, by: Address, piece: &SourceBytes, now: Instant) -> Result<(), String> {
        let mut all = self.coming.lock();
        if piece.offset == 0 {
            all.remove(&by);
        }
        let is_too_much = || self.held.load(Ordering::Relaxed) + piece.bytes.len() > HELD_BYTES_MAX;
        if is_too_much() {
            all.retain(|who, one| *who == by || now.duration_since(one.last) < IDLE);
        }
        if is_too_much() {
            all.remove(&by);
            return Err(format!("the actors of its node hand over more than {HELD_BYTES_MAX} bytes at once"));
        }
        let own = all.entry(by).or_insert_with(|| Coming {
            handover: Handover::default(),
            counted: Counted { bytes: 0, all: self.held.clone() },
            last: now,
        });
        own.last = now;
        match own.handover.take(piece.offset, &piece.bytes) {
            Ok(()) => own.counted.set(own.handover.size_bytes()),
            Err(breach) => {
                all.remove(&by);
                return Err(breach.to_string());
            }
        }
        Ok(())
    }

    fn finish(&self, by: Address, size_bytes: u64) -> Result<Held, String> {
        let own = self.coming.lock().remove(&by);
        let counted = Counted { bytes: 0, all: self.held.clone() };
        let (mut handover, counted) = own.map_or((Handover::default(), counted), |own| (own.handover, own.counted));
        let bytes = handover.finish(size_bytes).map_err(|breach| breach.to_string())?;
        Ok(Held { bytes, _counted: counted })
    }
}

impl Hosting {
    /// Something that an actor here says to its node. In the actor's thread, and never waits.
    pub(super) fn told_by_actor(&self, envelope: Envelope) {
        let Envelope { sender: by, message, .. } = envelope;
        if let Some(piece) = known::<SourceBytes>(&message) {
            // Why it is not taken is said when the whole is to be loaded, which it is not then.
            if let Err(why) = self.loads.take(by, piece, Instant::now()) {
                tracing::warn!(actor = %by, why, "a piece of an image that an actor hands over is not taken");
            }
        } else if let Some(load) = known::<LoadSource>(&message) {
            match self.loads.finish(by, load.size_bytes) {
                Ok(bytes) => self.order(by, Wish::Load { bytes, signatures: load.signatures.clone() }),
                Err(why) => self.loaded(by, String::new(), Err((codes::BAD_REQUEST, why))),
            }
        } else if let Some(unload) = known::<UnloadSource>(&message) {
            self.order(by, Wish::Unload { hash: unload.hash.clone() });
        } else if let Some(request) = known::<NodeStatusRequest>(&message) {
            self.status_asked(by, request.of);
        } else {
            self.dead_letter(Envelope { to: Address::NODE, sender: by, message });
        }
    }

    fn order(&self, by: Address, what: Wish) {
        let status = self.system().status(by);
        let who = status.map_or_else(String::new, |actor| match actor.image {
            Some(image) => format!("{} of {image}", actor.actor),
            None => actor.actor,
        });
        if let Err(refused) = self.loads.orders.try_send(Order { by, who, what }) {
            let why =
                (codes::PUSHES_WAITING, format!("{ORDERS_MAX} loads of actors wait on this node: try again later"));
            match refused.into_inner().what {
                Wish::Load { .. } => self.loaded(by, String::new(), Err(why)),
                Wish::Unload { hash } => self.unloaded(by, hash, Some(why)),
            }
        }
    }

    /// Tells an actor what became of an image that it had loaded.
    pub(crate) fn loaded(&self, by: Address, pushed: String, outcome: Result<LoadOutcome, (u16, String)>) {
        let outcome = outcome.unwrap_or_else(|(code, reason)| LoadOutcome::Failed { code, reason: cut(reason) });
        self.answer(by, SourceLoaded { pushed, outcome });
    }

    /// Tells an actor what became of an image that it wanted to be unloaded.
    pub(crate) fn unloaded(&self, by: Address, hash: String, refusal: Option<(u16, String)>) {
        self.answer(by, SourceUnloaded { hash, refusal: refusal.map(|(code, reason)| (code, cut(reason))) });
    }

    fn answer(&self, to: Address, message: impl Message) {
        self.system().deliver(Envelope { to, sender: Address::NODE, message: AnyMessage::new(message) });
    }
}

/// A message of one type, in whichever form it came.
pub(super) fn known<M: Message>(message: &AnyMessage) -> Option<&M> {
    message.get::<M>().filter(|_| message.name() == M::NAME)
}

fn cut(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(REJECTION_BYTES_MAX));
    reason
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon::{Incarnation, NodeId, NodeRef};
    use odeon_sourceauth::limits::{IMAGE_BYTES_MAX, PIECE_BYTES_MAX};

    fn actor(n: u64) -> Address {
        Address::mint(NodeRef { id: NodeId([1; 16]), incarnation: Incarnation(1) }, 1, n)
    }

    fn piece(offset: usize, bytes: usize) -> SourceBytes {
        SourceBytes { hash: String::new(), offset: offset as u64, bytes: vec![7; bytes] }
    }

    fn hand_over(loads: &Loads, by: u64, bytes: usize, now: Instant) -> Result<(), String> {
        (0..bytes).step_by(PIECE_BYTES_MAX).try_for_each(|at| loads.take(actor(by), &piece(at, PIECE_BYTES_MAX), now))
    }

    #[test]
    fn what_is_whole_is_taken_and_nothing_else() {
        let (loads, _orders) = Loads::new();
        let now = Instant::now();
        loads.take(actor(1), &piece(0, 3), now).unwrap();
        loads.take(actor(2), &piece(0, 9), now).unwrap();
        loads.take(actor(1), &piece(3, 2), now).unwrap();
        assert_eq!(loads.finish(actor(1), 5).map(|held| held.bytes().to_vec()), Ok(vec![7; 5]));
        assert!(loads.finish(actor(1), 5).is_err(), "it was taken");
        assert!(loads.finish(actor(2), 10).is_err(), "a piece is missing");
        assert!(loads.take(actor(3), &piece(1, 1), now).is_err(), "a gap");
        assert!(loads.take(actor(3), &piece(0, PIECE_BYTES_MAX + 1), now).is_err(), "too large a piece");
        loads.take(actor(4), &piece(0, 1), now).unwrap();
        loads.forget(actor(4));
        assert!(loads.finish(actor(4), 1).is_err(), "it is gone with its actor");
    }

    #[test]
    fn all_together_are_bounded_until_what_was_taken_is_done_or_left_alone() {
        let (loads, _orders) = Loads::new();
        let now = Instant::now();
        hand_over(&loads, 1, IMAGE_BYTES_MAX, now).unwrap();
        hand_over(&loads, 2, IMAGE_BYTES_MAX, now).unwrap();
        assert!(loads.take(actor(3), &piece(0, 1), now).is_err());
        let held = loads.finish(actor(1), IMAGE_BYTES_MAX as u64).unwrap();
        assert!(loads.take(actor(3), &piece(0, 1), now).is_err(), "it is still there");
        drop(held);
        loads.take(actor(3), &piece(0, 1), now).unwrap();
        hand_over(&loads, 3, IMAGE_BYTES_MAX, now).unwrap();
        assert!(loads.take(actor(4), &piece(0, 1), now).is_err());
        loads.take(actor(4), &piece(0, 1), now + IDLE).unwrap();
    }
}
