//! What every task of the links shares.

use super::connect::Habits;
use super::door::{Door, Transport};
use super::error::LinkError;
use super::gate::Gate;
use super::greeting::Hello;
use super::limits::{SIGNS_TOGETHER, SIGNS_WAITING_MAX, SOCKET_RECEIVE_BYTES, SOCKET_RECEIVE_BYTES_LEADER};
use super::refusals::Refusals;
use super::relay::{self, Relayed, Switch};
use super::session::Session;
use super::sockets::Sockets;
use super::table::Table;
use super::tcp::Tcp;
use super::urgent::Urgent;
use super::{Admission, LinkConfig, LinkEvents, endpoint};
use crate::identity::{Identity, Tokens};
use odeon::{NodeId, NodeRef};
use odeon_convention::types::Role;
use parking_lot::{Mutex, RwLock};
use quinn::Connection;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::runtime::Handle;

pub(crate) struct Shared {
    pub(crate) identity: Arc<Identity>,
    pub(crate) name: String,
    pub(crate) tokens: Tokens,
    pub(crate) admission: Option<Arc<dyn Admission>>,
    pub(crate) events: Arc<dyn LinkEvents>,
    pub(crate) door: Arc<Door>,
    /// The way over TCP; none where the socket is shared.
    pub(crate) tcp: Option<Arc<Tcp>>,
    /// Whether UDP is not even tried.
    pub(crate) tcp_only: bool,
    pub(crate) habits: Habits,
    pub(crate) runtime: Handle,
    /// Where the socket is received from, if not in `runtime`.
    urgent: Option<Urgent>,
    pub(crate) table: RwLock<Table>,
    pub(crate) gate: Gate,
    pub(crate) refusals: Arc<Refusals>,
    /// The way to others that only dial, on a node that only dials.
    pub(crate) relayed: Option<Relayed>,
    /// What a node that may lead carries between those that only dial.
    pub(crate) switch: Option<Switch>,
    tickets: AtomicU64,
    /// Control frames that peers have acknowledged, ever.
    pub(crate) acknowledged: AtomicU64,
    /// Signs of life that carry something, for the driver.
    signs: Mutex<Vec<(Arc<Session>, Vec<u8>)>>,
}

impl Shared {
    /// With the TCP socket that others dial, on a node that others dial.
    pub(crate) fn new(
        mut config: LinkConfig,
        events: Arc<dyn LinkEvents>,
    ) -> Result<(Arc<Self>, Option<TcpListener>), LinkError> {
        let sockets = match config.sockets.take() {
            Some(sockets) => sockets,
            None => {
                let leads = config.identity.role() == Role::Leader;
                let receive_bytes = if leads { SOCKET_RECEIVE_BYTES_LEADER } else { SOCKET_RECEIVE_BYTES };
                let _urgent = config.urgent.as_ref().map(Handle::enter);
                let secret = |purpose: &str| config.identity.derived(purpose);
                Sockets::open(config.listen, config.outbound_only, receive_bytes, secret)?
            }
        };
        let Sockets { endpoint, vitals, listener, refusals } = sockets;
        endpoint.set_server_config(Some(endpoint::server(&config.identity, &config.tokens, Transport::Quic)?));
        let door = Door { endpoint, vitals, transport: Transport::Quic };
        let relayed = config.outbound_only.then(|| Relayed::new(&config.identity, &config.tokens)).transpose()?;
        let tcp = Some(Arc::new(Tcp::of_node(&config.identity, &config.tokens)?));
        let shared = Self::over(door, config, (tcp, relayed), refusals, events);
        shared.door.vitals.tell_echoes(&shared);
        Ok((shared, listener))
    }

    pub(crate) fn over(
        door: Door,
        config: LinkConfig,
        (tcp, relayed): (Option<Arc<Tcp>>, Option<Relayed>),
        refusals: Arc<Refusals>,
        events: Arc<dyn LinkEvents>,
    ) -> Arc<Self> {
        Arc::new(Self {
            switch: (config.identity.role() == Role::Leader).then(Switch::default),
            relayed,
            identity: config.identity,
            name: config.name,
            tokens: config.tokens,
            admission: config.admission,
            events,
            door: Arc::new(door),
            tcp,
            tcp_only: config.tcp_only,
            habits: Habits::default(),
            runtime: Handle::current(),
            urgent: config.urgent.map(Urgent::new),
            table: RwLock::default(),
            gate: Gate::default(),
            refusals,
            tickets: AtomicU64::new(1),
            acknowledged: AtomicU64::new(0),
            signs: Mutex::default(),
        })
    }

    /// What runs the next connection with whoever is there.
    pub(crate) fn runtime_for(&self, at: SocketAddr) -> &Handle {
        let connections = self.door.vitals.count() + self.gate.open().saturating_sub(1);
        self.urgent.as_ref().and_then(|urgent| urgent.runs(at, connections)).unwrap_or(&self.runtime)
    }

    /// What receives from the socket.
    pub(crate) fn socket_runtime(&self) -> &Handle {
        self.urgent.as_ref().map_or(&self.runtime, Urgent::runtime)
    }

    /// Whether this connection with a leader has to be begun again, because it runs among those of members.
    pub(crate) fn is_misplaced(&self, door: &Door, connection: &Connection, role: Role, runtime: &Handle) -> bool {
        let meets = |urgent: &Urgent| urgent.meet(connection.remote_address(), runtime);
        role == Role::Leader && door.transport == Transport::Quic && self.urgent.as_ref().is_some_and(meets)
    }

    pub(crate) fn me(&self) -> NodeRef {
        self.identity.node()
    }

    pub(crate) fn hello(&self) -> Hello {
        Hello { node: self.me(), name: self.name.clone(), outbound_only: self.relayed.is_some() }
    }

    pub(crate) fn next_ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Ordering::Relaxed)
    }

    /// Gives the driver a sign, together with those that come soon after it: it is woken once for all of them.
    pub(crate) fn take_sign(self: &Arc<Self>, session: Arc<Session>, body: &[u8]) {
        let mut signs = self.signs.lock();
        if signs.len() >= SIGNS_WAITING_MAX {
            return;
        }
        signs.push((session, body.to_vec()));
        if signs.len() == 1 {
            let shared = self.clone();
            self.runtime.spawn(async move {
                tokio::time::sleep(SIGNS_TOGETHER).await;
                shared.give_signs();
            });
        }
    }

    /// An echo has come through: what came before it goes to the driver first.
    pub(crate) fn is_echoed(&self, number: u64) {
        self.give_signs();
        self.events.echoed(number);
    }

    fn give_signs(&self) {
        let signs = std::mem::take(&mut *self.signs.lock());
        if signs.is_empty() {
            return;
        }
        let live = signs.into_iter().filter(|(session, _)| !session.incoming.lane(0).is_over());
        self.events.signs(live.map(|(session, body)| (session.peer, body)).collect());
    }

    /// The way through relays, when that is where an address leads.
    pub(crate) fn relayed_to(&self, address: SocketAddr, node: Option<NodeId>) -> Option<&Relayed> {
        self.relayed.as_ref().filter(|_| node.map(relay::address_of) == Some(address))
    }

    /// The peer only dials. So it is reached through a relay, or, if this node can be dialled, by asking it to.
    pub(crate) fn meet_one_that_only_dials(&self, session: &Session) {
        match self.relayed {
            Some(_) => session.set_address(&relay::address_of(session.peer.id).to_string()),
            None => session.set_only_dials(),
        }
    }

    /// The session with a node, made if there is none.
    pub(crate) fn session(&self, node: NodeRef) -> Result<Arc<Session>, LinkError> {
        if let Some(session) = self.table.read().find(node) {
            return Ok(session);
        }
        let number = getrandom::u64().map_err(|e| LinkError::Tls(e.to_string()))?.max(1);
        self.table.write().session(node, number)
    }
}
