//! A crew: the members that one task drives. Everything that wakes it is one [`ForCrew`] or its clock.

use super::count::Traffic;
use super::limits::{CREW_EVENTS_AT_ONCE, CREW_EVENTS_MAX};
use super::member::Seat;
use odeon::NodeRef;
use odeon_capabilities::Delta;
use odeon_convention::member::Input;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Something for the member in one place of a crew.
pub(super) struct ForCrew {
    pub(super) place: usize,
    pub(super) what: What,
}

/// What can happen to a member.
pub(super) enum What {
    /// It was let in.
    Came(Box<Seat>),
    Down(NodeRef),
    Control(NodeRef, Vec<u8>),
    /// It is to be told of images and of what members can do.
    Watch,
    /// What it can do changes.
    Change(Delta),
    /// It is to leave in good order.
    Leave,
    /// It stops at once; its host is dead. Gives who it was.
    Die(oneshot::Sender<Option<NodeRef>>),
    /// How much the links of all members of the crew have carried.
    Traffic(oneshot::Sender<Traffic>),
}

struct Crew {
    started: Instant,
    seats: Vec<Option<Box<Seat>>>,
    clock: BTreeSet<(u64, usize)>,
}

/// Starts a crew of this many places, which works until nobody can tell it anything any more.
pub(super) fn start(places: usize) -> mpsc::Sender<ForCrew> {
    let (sender, events) = mpsc::channel(CREW_EVENTS_MAX);
    let seats = std::iter::repeat_with(|| None).take(places).collect();
    tokio::spawn(Crew { started: Instant::now(), seats, clock: BTreeSet::new() }.work(events));
    sender
}

impl Crew {
    async fn work(mut self, mut events: mpsc::Receiver<ForCrew>) {
        let mut batch = Vec::with_capacity(CREW_EVENTS_AT_ONCE);
        loop {
            let next = self.clock.first().map(|(at, _)| self.started + Duration::from_millis(*at));
            tokio::select! {
                count = events.recv_many(&mut batch, CREW_EVENTS_AT_ONCE) => {
                    if count == 0 {
                        return;
                    }
                    batch.drain(..).for_each(|event| self.handle(event));
                }
                () = until(next) => self.tick(),
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn handle(&mut self, ForCrew { place, what }: ForCrew) {
        let now = self.now();
        let Some(seat) = self.seats.get_mut(place) else { return };
        match what {
            What::Came(member) => seat.insert(member).begin(),
            What::Down(leader) => with(seat, |member| member.handle(now, Input::Disconnected { leader })),
            What::Control(from, bytes) => with(seat, |member| member.hear(now, from, &bytes)),
            What::Watch => with(seat, |member| member.watch(now)),
            What::Change(delta) => with(seat, |member| member.handle(now, Input::ChangeCapabilities { delta })),
            What::Leave => with(seat, |member| member.handle(now, Input::Leave)),
            What::Traffic(end) => {
                let all = self.seats.iter().flatten().map(|member| member.traffic());
                // Who asked may have gone.
                let _ = end.send(all.fold(Traffic::default(), |sum, one| sum + one));
            }
            What::Die(end) => {
                let member = seat.take();
                if let Some(due) = member.as_ref().and_then(|m| m.due_ms) {
                    self.clock.remove(&(due, place));
                }
                // As above.
                let _ = end.send(member.map(|m| m.me()));
            }
        }
        self.set_clock(place);
    }

    fn tick(&mut self) {
        let now = self.now();
        while let Some(&(at, place)) = self.clock.first()
            && at <= now
        {
            self.clock.pop_first();
            if let Some(member) = self.seats[place].as_mut() {
                member.due_ms = None;
                member.handle(now, Input::Timer);
            }
            self.set_clock(place);
        }
    }

    fn set_clock(&mut self, place: usize) {
        let Some(member) = self.seats[place].as_mut() else { return };
        let due = member.next_deadline();
        if due == member.due_ms {
            return;
        }
        if let Some(old) = std::mem::replace(&mut member.due_ms, due) {
            self.clock.remove(&(old, place));
        }
        self.clock.extend(due.map(|at| (at, place)));
    }
}

/// A member that is not there any more does nothing.
fn with(seat: &mut Option<Box<Seat>>, f: impl FnOnce(&mut Seat)) {
    if let Some(member) = seat {
        f(member);
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
