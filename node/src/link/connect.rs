//! One try to connect with an address: over UDP, and where nothing answers there, over TCP beside it.

use super::door::Transport;
use super::endpoint::{Client, SERVER_NAME};
use super::limits::{DIAL_TIMEOUT, HABITS_MAX, TCP_AFTER, UDP_SILENT_TRIES};
use super::tcp::Tcp;
use hashbrown::HashMap;
use parking_lot::Mutex;
use quinn::{ConnectError, Connection, ConnectionError, Endpoint};
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum NotConnected {
    /// This side is shut down.
    ShutDown,
    /// A handshake came to nothing.
    Failed(ConnectionError),
    /// Nobody answered, or there is no way.
    Unreachable(String),
}

impl NotConnected {
    /// What there was to say, of this and of what was tried beside it.
    fn beside(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unreachable(over_udp), Self::Unreachable(over_tcp)) => {
                Self::Unreachable(format!("{over_udp}; {over_tcp}"))
            }
            (Self::Unreachable(_), other) => other,
            (this, _) => this,
        }
    }
}

/// Which way led to each address before.
#[derive(Debug, Default)]
pub(crate) struct Habits(Mutex<HashMap<SocketAddr, Habit>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// UDP does, or did that many tries ago.
    Udp(u32),
    Tcp,
}

impl Habits {
    /// How long UDP is tried alone. A leader that thousands dial at once is slow to answer, so where it has answered over
    /// UDP it is not dialled over TCP as well until it was silent for several tries.
    fn udp_alone_for(&self, remote: SocketAddr) -> Option<Duration> {
        match self.0.lock().get(&remote) {
            Some(Habit::Udp(_)) => None,
            Some(Habit::Tcp) => Some(Duration::ZERO),
            None => Some(TCP_AFTER),
        }
    }

    pub(crate) fn connected(&self, remote: SocketAddr, over: Transport) {
        let habit = if over == Transport::Tcp { Habit::Tcp } else { Habit::Udp(0) };
        let mut habits = self.0.lock();
        if habits.len() >= HABITS_MAX && !habits.contains_key(&remote) {
            // What is forgotten costs a while at the next try.
            habits.clear();
        }
        habits.insert(remote, habit);
    }

    fn silent(&self, remote: SocketAddr) {
        let mut habits = self.0.lock();
        if let Some(Habit::Udp(tries)) = habits.get_mut(&remote) {
            *tries += 1;
            if *tries >= UDP_SILENT_TRIES {
                habits.remove(&remote);
            }
        }
    }
}

/// Connects with an address, over UDP from this endpoint or over TCP where there is that way.
pub(crate) async fn connect(
    udp: &Endpoint,
    tcp: Option<(&Tcp, &Habits)>,
    client: &Client,
    remote: SocketAddr,
    within: Duration,
) -> Result<(Connection, Transport), NotConnected> {
    let mut over_udp = pin!(handshake(udp, client, Transport::Quic, remote, within));
    let Some((tcp, habits)) = tcp else { return over_udp.await.map(|connection| (connection, Transport::Quic)) };
    let connected = |connection, over| {
        habits.connected(remote, over);
        (connection, over)
    };
    let alone_for = habits.udp_alone_for(remote);
    tokio::select! {
        biased;
        ended = &mut over_udp => {
            if matches!(ended, Err(NotConnected::Unreachable(_))) {
                habits.silent(remote);
            }
            return ended.map(|connection| connected(connection, Transport::Quic));
        }
        () = tokio::time::sleep(alone_for.unwrap_or(Duration::MAX)) => {}
    }
    let mut over_tcp = pin!(through_tcp(tcp, client, remote));
    let (first, over) = tokio::select! {
        ended = &mut over_udp => (ended, Transport::Quic),
        ended = &mut over_tcp => (ended, Transport::Tcp),
    };
    let error = match first {
        Ok(connection) => return Ok(connected(connection, over)),
        Err(error) => error,
    };
    match over {
        Transport::Tcp => match over_udp.await {
            Ok(connection) => Ok(connected(connection, Transport::Quic)),
            Err(over_udp) => Err(over_udp.beside(error)),
        },
        Transport::Quic | Transport::Relay => match over_tcp.await {
            Ok(connection) => Ok(connected(connection, Transport::Tcp)),
            Err(over_tcp) => Err(error.beside(over_tcp)),
        },
    }
}

/// Connects with an address over TCP alone.
pub(crate) async fn through_tcp(tcp: &Tcp, client: &Client, remote: SocketAddr) -> Result<Connection, NotConnected> {
    match tokio::time::timeout(DIAL_TIMEOUT, tcp.reach(remote, client)).await {
        Ok(Ok(())) => handshake(&tcp.door.endpoint, client, Transport::Tcp, remote, DIAL_TIMEOUT).await,
        Ok(Err(error)) => Err(NotConnected::Unreachable(format!("over TCP: {error}"))),
        Err(_) => Err(NotConnected::Unreachable("no answer over TCP either".to_owned())),
    }
}

pub(crate) async fn handshake(
    endpoint: &Endpoint,
    client: &Client,
    over: Transport,
    remote: SocketAddr,
    within: Duration,
) -> Result<Connection, NotConnected> {
    let config = client.quic(over).map_err(|e| NotConnected::Unreachable(e.to_string()))?;
    let connecting = endpoint.connect_with(config, remote, SERVER_NAME).map_err(|e| match e {
        ConnectError::EndpointStopping => NotConnected::ShutDown,
        e => NotConnected::Unreachable(e.to_string()),
    })?;
    match tokio::time::timeout(within, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(ConnectionError::LocallyClosed)) => Err(NotConnected::ShutDown),
        Ok(Err(error)) => Err(NotConnected::Failed(error)),
        Err(_) => Err(NotConnected::Unreachable(format!("no answer from {remote} in time"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn udp_is_tried_alone_for_a_while_always_or_not_at_all_as_it_was_before() {
        let (habits, remote) = (Habits::default(), SocketAddr::from(([127, 0, 0, 1], 1)));
        assert_eq!(habits.udp_alone_for(remote), Some(TCP_AFTER));
        habits.connected(remote, Transport::Quic);
        for _ in 0..UDP_SILENT_TRIES {
            assert_eq!(habits.udp_alone_for(remote), None);
            habits.silent(remote);
        }
        assert_eq!(habits.udp_alone_for(remote), Some(TCP_AFTER), "something may have come between");
        habits.connected(remote, Transport::Tcp);
        habits.silent(remote);
        assert_eq!(habits.udp_alone_for(remote), Some(Duration::ZERO));
        habits.connected(remote, Transport::Quic);
        habits.silent(remote);
        habits.connected(remote, Transport::Quic);
        habits.silent(remote);
        assert_eq!(habits.udp_alone_for(remote), None, "it is counted anew after each success");
    }

    #[test]
    fn addresses_are_remembered_within_bounds() {
        let habits = Habits::default();
        for n in 0..=HABITS_MAX as u32 {
            habits.connected(SocketAddr::from((n.to_be_bytes(), 1)), Transport::Quic);
        }
        assert_eq!(habits.0.lock().len(), 1);
    }
}
