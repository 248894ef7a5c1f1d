//! Strangers, liars and noise: turned away, counted, and the node goes on.

use super::*;
use crate::identity::trust::Expect;
use crate::link::frame::JOINT_HEADER;
use crate::link::limits::{LANES, PARTS_LANE, WHOLE_BYTES_MAX};
use odeon_convention::wire::PROTOCOL_VERSION;
use quinn::{ConnectionError, VarInt};

async fn still_works(leader: &Node) {
    let member = leader.member().await;
    let _keep = member.links.keep(leader.address(), Some(leader.node().id));
    leader.up_with(&member).await;
}

/// A bare connection that the certificate of `identity` authenticates.
async fn dial_as(identity: &Identity, to: &Node) -> (quinn::Endpoint, quinn::Connection) {
    let client = endpoint::node_client(identity, Some(to.node().id)).expect("TLS");
    let config = client.quic(Transport::Quic).expect("TLS");
    let remote = to.links.local_addr().expect("an address");
    let endpoint = endpoint::dialler(remote).expect("a port");
    let connection = endpoint.connect_with(config, remote, endpoint::SERVER_NAME).expect("a try").await;
    (endpoint, connection.expect("a handshake"))
}

async fn code_of_end(connection: &quinn::Connection) -> u16 {
    match tokio::time::timeout(BOUND, connection.closed()).await.expect("it is closed") {
        ConnectionError::ApplicationClosed(close) => close.error_code.into_inner() as u16,
        other => panic!("expected to be closed with a code, found {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_the_port_is_counted_and_the_node_goes_on() {
    let leader = leader();
    let noise = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let to = leader.links.local_addr().expect("an address");
    for datagram in [&b"GET / HTTP/1.1\r\n"[..], &[0; 1200], &[0xff; 1200], b"\xc0\0\0\0\x01short", b"Hello, World!"] {
        noise.send_to(datagram, to).expect("loopback takes it");
    }
    leader.refused(Refusal::NotQuic).await;
    still_works(&leader).await;
    assert_eq!(leader.links.stats().refused[&Refusal::NotQuic], 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_handshake_is_given_up_and_counted() {
    let leader = leader();
    let member = leader.member().await;
    let relay = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    // A dialler that never hears an answer; its first flight alone reaches the leader.
    let keep = member.links.keep(relay.local_addr().expect("an address").to_string(), None);
    let mut datagram = [0; 2048];
    let (length, _) = relay.recv_from(&mut datagram).await.expect("a first flight");
    drop(keep);
    relay.send_to(&datagram[..length], leader.links.local_addr().expect("an address")).await.expect("loopback");
    leader.refused(Refusal::HandshakeTimeout).await;
    still_works(&leader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_convention_is_turned_away() {
    let (leader, stranger) = (super::leader(), super::leader());
    // The stranger trusts this leader, but has a certificate of its own CA only.
    let config = endpoint::client(
        Expect::Leader { ca_digest: leader.identity.ca_digest() },
        stranger.identity.chain(),
        stranger.identity.private_key(),
        false,
    );
    let config = config.and_then(|client| client.quic(Transport::Quic));
    let remote = leader.links.local_addr().expect("an address");
    let dialler = endpoint::dialler(remote).expect("a port");
    let connecting = dialler.connect_with(config.expect("TLS"), remote, endpoint::SERVER_NAME).expect("a try");
    // The client's side of the handshake ends before the server has looked at its certificate.
    let error = match connecting.await {
        Ok(connection) => connection.closed().await,
        Err(e) => e,
    };
    assert!(matches!(error, ConnectionError::ConnectionClosed(_)), "{error}");
    leader.refused(Refusal::UnknownCertificate).await;
    // And a stranger's dial does not get past this leader's certificate.
    let _keep = stranger.links.keep(leader.address(), None);
    stranger.seen.until("a refusal", |s| s.unreachable.contains(&codes::IDENTITY)).await;
    still_works(&leader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialler_that_means_another_node_does_not_link() {
    let leader = leader();
    let (a, b) = (leader.member().await, leader.member().await);
    let _keep = a.links.keep(b.address(), Some(leader.node().id));
    a.seen.until("a refusal", |s| s.unreachable.contains(&codes::IDENTITY)).await;
    assert!(a.links.peers().is_empty() && b.links.peers().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_cannot_say_that_it_is_another() {
    let leader = leader();
    let (liar, victim) = (leader.member().await, leader.member().await);
    let (_endpoint, connection) = dial_as(&liar.identity, &leader).await;
    let mut stream = connection.open_uni().await.expect("a stream");
    let hello = greeting::Hello { node: victim.node(), name: "victim".into(), outbound_only: false };
    greeting::send_hello(&mut stream, &hello).await.expect("the leader reads");
    assert_eq!(code_of_end(&connection).await, codes::IDENTITY);
    leader.refused(Refusal::Identity).await;
    assert!(leader.seen.seen.lock().up.is_empty());
    still_works(&leader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_version_is_told_so_on_both_sides() {
    let leader = leader();
    let member = leader.member().await;
    let (_endpoint, connection) = dial_as(&member.identity, &leader).await;
    let mut stream = connection.open_uni().await.expect("a stream");
    stream.write_all(b"ODEON\0\x63and whatever comes then").await.expect("the leader reads");
    assert_eq!(code_of_end(&connection).await, codes::PROTOCOL_VERSION);
    leader.refused(Refusal::Version).await;
    let (reason, member) = (connection.close_reason().expect("closed").to_string(), member.node().id);
    let expected =
        format!("{} speaks version {PROTOCOL_VERSION} of the protocol, {member} version 99", leader.node().id);
    assert!(reason.contains(&expected), "{reason}");
}

/// A bare connection that has greeted as it should.
async fn greeted(member: &Node, leader: &Node) -> (quinn::Endpoint, quinn::Connection, SendStream, RecvStream) {
    let (endpoint, connection) = dial_as(&member.identity, leader).await;
    let mut send = connection.open_uni().await.expect("a stream");
    let hello = greeting::Hello { node: member.node(), name: "m".into(), outbound_only: false };
    greeting::send_hello(&mut send, &hello).await.expect("the leader reads");
    let mut receive = connection.accept_uni().await.expect("a stream");
    greeting::receive_hello(&mut receive, member.node().id, leader.node().id).await.expect("the leader's");
    let resume = greeting::Resume { session: 1, peer_session: 0, received: [0; LANES] };
    greeting::send_resume(&mut send, &resume).await.expect("the leader reads");
    greeting::receive_resume(&mut receive).await.expect("the leader's");
    leader.up_with(member).await;
    (endpoint, connection, send, receive)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_breaks_the_framing_is_closed_and_counted() {
    let leader = leader();
    let lane = |lane: u8, first: u64, frame: &[u8]| [&[lane][..], &first.to_be_bytes(), frame].concat();
    let too_long = (WHOLE_BYTES_MAX as u32 + 1).to_be_bytes();
    let joint = [&JOINT_HEADER[..], &[0, 0, 0, 0, 0, 0, 0, 5]].concat();
    let part = [&3_u32.to_be_bytes()[..], b"abc"].concat();
    for bad in [
        lane(LANES as u8, 1, b""),
        lane(1, 0, b""),
        lane(1, 1, &too_long),
        lane(1, 7, b"\0\0\0\x01x"),
        lane(1, 1, &joint),
        lane(1, 1, b"\x01\0\0\x01x"),
        lane(1, 1, b"\0\0\0\x01x\x02\0\0\x01x"),
        lane(0, 1, &joint),
        lane(PARTS_LANE as u8, 1, &joint),
        lane(PARTS_LANE as u8, 1, &part),
    ] {
        let member = leader.member().await;
        let (_endpoint, connection, _send, _receive) = greeted(&member, &leader).await;
        let mut stream = connection.open_uni().await.expect("a stream");
        stream.write_all(&bad).await.expect("the leader reads");
        assert_eq!(code_of_end(&connection).await, codes::BAD_REQUEST, "{bad:?}");
    }
    let member = leader.member().await;
    let (_endpoint, connection, mut send, _receive) = greeted(&member, &leader).await;
    send.write_all(&[1, 0, 0, 0, 0, 0, 0, 0, 9]).await.expect("the leader reads");
    assert_eq!(code_of_end(&connection).await, codes::BAD_REQUEST, "an acknowledgement of what was never sent");
    assert_eq!(leader.links.stats().refused[&Refusal::Violation], 11);
    assert_eq!(leader.seen.seen.lock().received, 0);
    still_works(&leader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_start_of_a_node_is_turned_away() {
    let leader = leader();
    let member = leader.member().await;
    let (_endpoint, connection, _send, _receive) = greeted(&member, &leader).await;
    let (_endpoint, earlier) = dial_as(&member.identity, &leader).await;
    let mut stream = earlier.open_uni().await.expect("a stream");
    let node = NodeRef { incarnation: odeon::Incarnation(0), ..member.node() };
    greeting::send_hello(&mut stream, &greeting::Hello { node, name: "m".into(), outbound_only: false })
        .await
        .expect("the leader reads");
    assert_eq!(code_of_end(&earlier).await, codes::SUPERSEDED);
    leader.refused(Refusal::Superseded).await;
    assert!(connection.close_reason().is_none());
    connection.close(VarInt::from_u32(0), b"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_its_first_datagram_closes_does_not_keep_the_port_after_the_end() {
    let leader = leader();
    let member = leader.member().await;
    let relay = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let keep = member.links.keep(relay.local_addr().expect("an address").to_string(), None);
    let mut datagram = [0; 2048];
    relay.recv_from(&mut datagram).await.expect("a first flight, which is lost");
    drop(keep);
    let (length, _) = relay.recv_from(&mut datagram).await.expect("the dialler gives up");
    let to = leader.links.local_addr().expect("an address");
    relay.send_to(&datagram[..length], to).await.expect("loopback");
    leader.refused(Refusal::HandshakeFailed).await;
    // QUIC has no timer for it but that of a connection that is idle. Should it end by itself one day, this is not needed.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(leader.links.0.door.endpoint.open_connections(), 1);
    leader.links.shutdown().await;
    drop(leader);
    endpoint::can_listen(to).expect("the port is free");
}
