//! Which connections live: those who dialled give signs of life, which are answered; who is silent for too long is gone.
//!
//! QUIC could do it, at many times the price: a leader has thousands of connections on which nothing else happens. One
//! look a second at all connections of a socket stands for the timers of each.

use super::error::{CLOSE_DONE, Close};
use super::limits::{
    ANSWER_EVERY_LOOKS, BUSY_BYTES_A_LOOK, BUSY_FROM_LOOKS, CROWDED_FROM, SIGN_EVERY_LOOKS, SIGN_REPEATS_MAX,
    SIGNS_AN_ANSWER, SILENT_LOOKS_MAX,
};
use super::session::Session;
use super::shared::Shared;
use super::sign::{self, Kind, Seal, Sign};
use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use quinn::udp::Transmit;
use quinn::{AsyncUdpSocket, Connection};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a dialler that is given no answer has QUIC ask, in looks: where a peer of thousands is late with its answers, it
/// would be later still if all of them asked at every look.
const ASK_PEER_EVERY_LOOKS: u32 = 3;
/// After so many silent looks QUIC is asked whether it heard something: signs may be filtered where QUIC is not.
const ASK_QUIC_AFTER_LOOKS: u32 = 4;
/// The body of an answer to a sign that came from elsewhere than QUIC knows.
const MOVED: &[u8] = &[1];

/// The connections of one socket whose peers give signs of life, or are given them.
pub(crate) struct Vitals {
    socket: Arc<dyn AsyncUdpSocket>,
    /// By the id of what the peer sends.
    all: RwLock<HashMap<u64, Arc<Vital>>>,
    /// Of those that were dialled here: the same id, by that of what is sent from here.
    dialled: RwLock<HashMap<u64, u64>>,
    /// What the socket says to itself, and who is told when it has come through.
    echo: Option<Seal>,
    echoed: OnceLock<Weak<Shared>>,
    /// Looks in a row at which much had been sent and received.
    busy: AtomicU32,
}

/// One connection.
pub(crate) struct Vital {
    vitals: Weak<Vitals>,
    owner: Weak<Shared>,
    session: Weak<Session>,
    connection: Connection,
    dialled_here: bool,
    mine: Seal,
    peers: Seal,
    /// Signs that were given, the last one that wants an answer, the one before that, and the last that was answered.
    given: AtomicU64,
    asked: AtomicU64,
    asked_before: AtomicU64,
    answered: AtomicU64,
    /// How many were.
    answers: AtomicU64,
    /// The last sign that was taken.
    taken: AtomicU64,
    /// Looks since the last sign was given, since the last that wants an answer was, and since anything was heard.
    rested: AtomicU32,
    unasked: AtomicU32,
    silent: AtomicU32,
    /// Whether QUIC asked the peer since the last look, because it seemed not to know the connection.
    asked_quic: AtomicBool,
    /// Datagrams that QUIC had received when it was asked last.
    quic_heard: AtomicU64,
    /// Bytes that QUIC had sent and received at the last look.
    moved_bytes: AtomicU64,
    /// What the last sign with something in it carried, and how often it may yet be said again.
    said: Mutex<(Vec<u8>, u32)>,
}

/// A connection is looked at for as long as this lives.
pub(crate) struct Watch {
    vitals: Arc<Vitals>,
    vital: Arc<Vital>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.vitals.all.write().remove(&self.vital.peers.id);
        if self.vital.dialled_here {
            self.vitals.dialled.write().remove(&self.vital.mine.id);
        }
    }
}

impl Vitals {
    /// To be called within a tokio runtime.
    pub(crate) fn of(socket: Arc<dyn AsyncUdpSocket>) -> Arc<Self> {
        let (all, dialled) = (RwLock::default(), RwLock::default());
        let vitals = Arc::new(Self {
            socket,
            all,
            dialled,
            echo: Seal::of_its_own(),
            echoed: OnceLock::new(),
            busy: AtomicU32::new(0),
        });
        tokio::spawn(look(Arc::downgrade(&vitals)));
        vitals
    }

    pub(crate) fn watch(self: &Arc<Self>, vital: &Arc<Vital>) -> Watch {
        if vital.dialled_here {
            self.dialled.write().insert(vital.mine.id, vital.peers.id);
        }
        self.all.write().insert(vital.peers.id, vital.clone());
        Watch { vitals: self.clone(), vital: vital.clone() }
    }

    /// Who is told of echoes.
    pub(crate) fn tell_echoes(&self, owner: &Arc<Shared>) {
        // Set once, by whoever made both.
        let _ = self.echoed.set(Arc::downgrade(owner));
    }

    /// Sends the number to this very socket, where it queues behind all that has arrived. It may be lost.
    pub(crate) fn echo(&self, number: u64) {
        let sign = self.echo.as_ref().and_then(|seal| seal.write(Kind::Word, number, &[]));
        if let (Some(sign), Ok(mut to)) = (sign, self.socket.local_addr()) {
            match to.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => to.set_ip(Ipv4Addr::LOCALHOST.into()),
                IpAddr::V6(ip) if ip.is_unspecified() => to.set_ip(Ipv6Addr::LOCALHOST.into()),
                _ => {}
            }
            self.send(to, None, &sign);
        }
    }

    fn is_echo(&self, sign: &Sign<'_>) -> bool {
        self.echo.as_ref().is_some_and(|seal| seal.is_on(sign))
    }

    /// Connections that carry a session.
    pub(crate) fn count(&self) -> usize {
        self.all.read().len()
    }

    /// Takes a datagram that is not one of QUIC. One of a connection that is over is nothing to wonder at: whoever gives
    /// signs on it is told so.
    ///
    /// # Errors
    /// When no peer sends such a thing.
    pub(crate) fn take(&self, datagram: &[u8], from: SocketAddr, to: Option<IpAddr>) -> Result<(), Garbage> {
        if let Some(id) = sign::parse_unknown(datagram) {
            self.is_unknown(id, from);
            return Ok(());
        }
        let sign = Sign::parse(datagram).ok_or(Garbage)?;
        let Some(vital) = self.all.read().get(&sign.id).cloned() else {
            if self.is_echo(&sign) {
                if let Some(owner) = self.echoed.get().and_then(Weak::upgrade) {
                    owner.is_echoed(sign.number);
                }
            } else if sign.kind != Kind::Answer {
                self.send(from, to, &sign::unknown(sign.id));
            }
            return Ok(());
        };
        if !vital.peers.is_on(&sign) {
            return Err(Garbage);
        }
        match sign.kind {
            Kind::Answer => vital.take_answer(&sign),
            Kind::Word | Kind::Sign => {
                if let Some(answer) = vital.take_sign(&sign, from) {
                    self.send(from, to, &answer);
                }
            }
        }
        Ok(())
    }

    /// Ends the connections with an address to which nothing leads any more.
    pub(crate) fn cut_off(&self, address: SocketAddr) {
        let all: Vec<Arc<Vital>> = self.all.read().values().cloned().collect();
        for vital in all.iter().filter(|vital| vital.connection.remote_address() == address) {
            Close::new(CLOSE_DONE, "the way to the peer is gone").apply(&vital.connection);
        }
    }

    /// The peer, if it is the peer, does not know a connection that was dialled here.
    fn is_unknown(&self, id: u64, from: SocketAddr) {
        let Some(id) = self.dialled.read().get(&id).copied() else { return };
        let Some(vital) = self.all.read().get(&id).cloned() else { return };
        if vital.connection.remote_address() == from && !vital.asked_quic.swap(true, Ordering::Relaxed) {
            vital.ask_quic();
        }
    }

    fn send(&self, destination: SocketAddr, src_ip: Option<IpAddr>, contents: &[u8]) {
        // Another one follows.
        let _ = self.socket.try_send(&Transmit { destination, ecn: None, contents, segment_size: None, src_ip });
    }

    fn look_at_all(&self) {
        // Nothing that is done to one of them waits for the table.
        let all = self.all.read();
        let busy = self.is_busy(&all);
        for vital in all.values() {
            self.look_at(vital, busy);
        }
    }

    /// Whether this socket's packets are so many that they may fill a queue on the way, in which signs are lost.
    fn is_busy(&self, all: &HashMap<u64, Arc<Vital>>) -> bool {
        let bytes: u64 = if all.len() < CROWDED_FROM { all.values().map(|vital| vital.moved()).sum() } else { 0 };
        let looks = if bytes < BUSY_BYTES_A_LOOK { 0 } else { self.busy.load(Ordering::Relaxed).saturating_add(1) };
        self.busy.store(looks, Ordering::Relaxed);
        looks >= BUSY_FROM_LOOKS
    }

    fn look_at(&self, vital: &Vital, busy: bool) {
        vital.asked_quic.store(false, Ordering::Relaxed);
        let silent = vital.silent.fetch_add(1, Ordering::Relaxed) + 1;
        if vital.dialled_here {
            vital.unasked.fetch_add(1, Ordering::Relaxed);
            if silent >= ASK_QUIC_AFTER_LOOKS
                && (silent - ASK_QUIC_AFTER_LOOKS).is_multiple_of(ASK_PEER_EVERY_LOOKS)
                && vital.is_unanswered()
            {
                vital.ask_quic();
            }
            if vital.rested.fetch_add(1, Ordering::Relaxed) + 1 >= SIGN_EVERY_LOOKS {
                vital.give(&[]);
            } else if busy {
                vital.repeat();
            }
        }
        if silent < ASK_QUIC_AFTER_LOOKS {
            return;
        }
        let heard = vital.connection.stats().udp_rx.datagrams;
        let before = vital.quic_heard.swap(heard, Ordering::Relaxed);
        if silent > ASK_QUIC_AFTER_LOOKS && heard != before {
            vital.silent.store(0, Ordering::Relaxed);
        } else if silent > SILENT_LOOKS_MAX {
            Close::new(CLOSE_DONE, "no sign of life").apply(&vital.connection);
        }
    }
}

/// A datagram that no peer would send.
pub(crate) struct Garbage;

/// Looks are counted, not seconds: a process that slept has not heard its peers, and does not blame them for it.
async fn look(vitals: Weak<Vitals>) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        match vitals.upgrade() {
            Some(vitals) => vitals.look_at_all(),
            None => return,
        }
    }
}

impl Vital {
    /// None where TLS gives no secret to make signs with.
    pub(crate) fn new(
        vitals: &Arc<Vitals>,
        owner: &Arc<Shared>,
        session: &Arc<Session>,
        connection: &Connection,
        dialled_here: bool,
    ) -> Option<Arc<Self>> {
        let [dialler, other] = Seal::both(connection)?;
        let (mine, peers) = if dialled_here { (dialler, other) } else { (other, dialler) };
        Some(Arc::new(Self {
            vitals: Arc::downgrade(vitals),
            owner: Arc::downgrade(owner),
            session: Arc::downgrade(session),
            connection: connection.clone(),
            dialled_here,
            mine,
            peers,
            given: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            asked_before: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            rested: AtomicU32::new(0),
            unasked: AtomicU32::new(0),
            silent: AtomicU32::new(0),
            asked_quic: AtomicBool::new(false),
            quic_heard: AtomicU64::new(0),
            moved_bytes: AtomicU64::new(0),
            said: Mutex::default(),
        }))
    }

    /// Gives a sign. Whether those that want an answer have one comes back; that of the last may be late.
    pub(crate) fn give(&self, body: &[u8]) -> bool {
        if self.dialled_here && !body.is_empty() {
            *self.said.lock() = (body.to_vec(), SIGN_REPEATS_MAX);
        }
        self.write(body)
    }

    /// Says again what the last sign carried. No more than a few times: whoever has stopped to speak is not to seem alive.
    fn repeat(&self) {
        let again = {
            let mut said = self.said.lock();
            said.1 = match said.1.checked_sub(1) {
                Some(left) => left,
                None => return,
            };
            said.0.clone()
        };
        self.write(&again);
    }

    /// Bytes that QUIC has sent and received since this was asked last.
    fn moved(&self) -> u64 {
        let stats = self.connection.stats();
        let bytes = stats.udp_tx.bytes + stats.udp_rx.bytes;
        bytes.saturating_sub(self.moved_bytes.swap(bytes, Ordering::Relaxed))
    }

    fn write(&self, body: &[u8]) -> bool {
        let number = self.given.fetch_add(1, Ordering::Relaxed) + 1;
        self.rested.store(0, Ordering::Relaxed);
        let answered_in_time = self.answered.load(Ordering::Relaxed) >= self.asked_before.load(Ordering::Relaxed);
        let asked = self.asked.load(Ordering::Relaxed);
        let is_due = number >= asked + SIGNS_AN_ANSWER || self.unasked.load(Ordering::Relaxed) >= ANSWER_EVERY_LOOKS;
        let asks = asked == 0 || self.is_unanswered() || is_due;
        let kind = if asks { Kind::Sign } else { Kind::Word };
        if kind == Kind::Sign {
            self.asked_before.store(asked, Ordering::Relaxed);
            self.asked.store(number, Ordering::Relaxed);
            self.unasked.store(0, Ordering::Relaxed);
        }
        if let (Some(vitals), Some(sign)) = (self.vitals.upgrade(), self.mine.write(kind, number, body)) {
            vitals.send(self.connection.remote_address(), self.connection.local_ip(), &sign);
        }
        answered_in_time
    }

    /// Signs that were given here, and answers that came.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.given.load(Ordering::Relaxed), self.answers.load(Ordering::Relaxed))
    }

    /// A sign as this side would give it, with any number.
    #[cfg(test)]
    pub(crate) fn written(&self, number: u64, body: &[u8]) -> Vec<u8> {
        self.mine.write(Kind::Sign, number, body).expect("a body that fits")
    }

    fn is_unanswered(&self) -> bool {
        self.answered.load(Ordering::Relaxed) < self.asked.load(Ordering::Relaxed)
    }

    /// Has QUIC send something that a peer acknowledges, or that one which has forgotten the connection resets.
    fn ask_quic(&self) {
        // Without a connection there is nothing to ask about.
        let _ = self.connection.send_datagram(bytes::Bytes::new());
    }

    fn take_answer(&self, sign: &Sign<'_>) {
        if sign.number > self.asked.load(Ordering::Relaxed) {
            return;
        }
        if self.answered.fetch_max(sign.number, Ordering::Relaxed) < sign.number {
            self.answers.fetch_add(1, Ordering::Relaxed);
            self.silent.store(0, Ordering::Relaxed);
            if sign.body == MOVED {
                self.ask_quic();
            }
        }
    }

    /// The answer, to one that wants it; none to a sign that was taken before, or that a later one has overtaken.
    fn take_sign(&self, sign: &Sign<'_>, from: SocketAddr) -> Option<Vec<u8>> {
        if self.taken.fetch_max(sign.number, Ordering::Relaxed) >= sign.number {
            return None;
        }
        self.silent.store(0, Ordering::Relaxed);
        if !sign.body.is_empty()
            && let (Some(owner), Some(session)) = (self.owner.upgrade(), self.session.upgrade())
        {
            owner.take_sign(session, sign.body);
        }
        if sign.kind == Kind::Word {
            return None;
        }
        let moved = !self.dialled_here && from != self.connection.remote_address();
        self.mine.write(Kind::Answer, sign.number, if moved { MOVED } else { &[] })
    }
}
