//! Links over TCP: by choice, and where UDP gets no answer.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// More than one packet, and more than a session holds before it puts its senders aside.
const LARGE_BYTES: usize = 1024 * 1024;
const LARGE_FRAMES: usize = 16;

/// A member that dials over TCP only.
async fn member_over_tcp(leader: &Node) -> Node {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = DataFolder::open(dir.path()).expect("a folder");
    let joined =
        join(folder, &leader.token(Role::Member, Some(1), 60), "m", DialFrom::Tcp).await.expect("a good token");
    start_with(joined.identity, Arc::new(dir), |config| config.tcp_only = true)
}

fn transports(node: &Node) -> Vec<Transport> {
    node.links.peers().iter().map(|peer| peer.transport).collect()
}

/// An address that takes UDP without ever answering, and leads to a node over TCP.
async fn without_udp(to: &Node) -> (String, tokio::task::AbortHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let silent = std::net::UdpSocket::bind(address).expect("the same port");
    let to = to.address();
    let proxy = tokio::spawn(async move {
        let _silent = silent;
        let mut both = tokio::task::JoinSet::new();
        loop {
            let (mut near, _) = listener.accept().await.expect("a connection");
            let mut far = TcpStream::connect(&to).await.expect("the node");
            both.spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    (address.to_string(), proxy.abort_handle())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tcp_a_session_is_the_same_and_the_end_of_the_connection_is_noticed_at_once() {
    let leader = leader();
    let member = member_over_tcp(&leader).await;
    let _keep = member.links.keep(leader.address(), Some(leader.node().id));
    member.up_with(&leader).await;
    leader.up_with(&member).await;
    assert_eq!((transports(&member), transports(&leader)), (vec![Transport::Tcp], vec![Transport::Tcp]));
    assert_eq!(leader.links.stats().over_tcp, 1);
    for n in 0..LARGE_FRAMES {
        match member.links.send(leader.node(), 3, vec![n as u8; LARGE_BYTES]) {
            Pressure::None => {}
            Pressure::PutAside(ticket) => member.seen.until("room", |s| s.drained.contains(&ticket)).await,
            Pressure::Refused { reason, .. } => panic!("{reason}"),
        }
    }
    leader.seen.until("all frames", |s| s.received == LARGE_FRAMES).await;
    let came: Vec<u8> = leader.seen.seen.lock().messages.iter().map(|(_, frame)| frame[LARGE_BYTES - 1]).collect();
    assert_eq!(came, (0..LARGE_FRAMES as u8).collect::<Vec<_>>());
    for n in 0..3 {
        member.links.send_sign(leader.node(), vec![n]).expect("a connection");
        leader.seen.until("the sign", |s| s.control.last() == Some(&vec![n])).await;
    }
    // A leader that stops and starts again has no word for its old connections; that of TCP has.
    let (at, began) = (leader.links.local_addr().expect("an address"), std::time::Instant::now());
    let leader = leader.restart_at(at).await;
    member.seen.until("the end", |s| s.down.len() == 1).await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    leader.links.send_control(member.node(), b"again".to_vec()).expect("a session");
    member.seen.until("the word", |s| s.control == [b"again".to_vec()]).await;
    assert_eq!(transports(&leader), [Transport::Tcp]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_udp_gets_no_answer_tcp_is_tried_beside_it_and_at_once_the_next_time() {
    let leader = leader();
    let member = leader.member().await;
    let (address, proxy) = without_udp(&leader).await;
    let _keep = member.links.keep(address.clone(), Some(leader.node().id));
    let began = std::time::Instant::now();
    member.up_with(&leader).await;
    assert!(began.elapsed() >= limits::TCP_AFTER, "UDP has a while for itself");
    assert_eq!(transports(&member), [Transport::Tcp]);
    let began = std::time::Instant::now();
    member.links.cut(leader.node());
    member.seen.until("another link", |s| s.up.len() == 2).await;
    assert!(began.elapsed() < limits::TCP_AFTER, "{:?}", began.elapsed());
    proxy.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_udp_is_answered_nothing_goes_over_tcp() {
    let (leader, a, b) = linked(false).await;
    tokio::time::sleep(limits::TCP_AFTER * 2).await;
    a.links.cut(b.node());
    a.links.send_control(b.node(), b"after the cut".to_vec()).expect("a session");
    b.seen.until("the word", |s| s.control.len() == 1).await;
    for node in [&leader, &a, &b] {
        assert_eq!(node.links.stats().over_tcp, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_and_noise_over_tcp_are_turned_away_and_counted() {
    let (leader, stranger) = (leader(), super::leader());
    let mut noise = TcpStream::connect(leader.address()).await.expect("a connection");
    noise.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("room");
    leader.refused(Refusal::HandshakeFailed).await;
    let end = tokio::time::timeout(BOUND, noise.read_to_end(&mut Vec::new())).await;
    assert!(end.is_ok(), "the connection is closed");
    // Two packets that would be taken if they came from somebody who is known.
    let client = endpoint::client(
        crate::identity::trust::Expect::Leader { ca_digest: leader.identity.ca_digest() },
        stranger.identity.chain(),
        stranger.identity.private_key(),
        true,
    );
    let connector = tokio_rustls::TlsConnector::from(client.expect("TLS").tcp());
    let stream = TcpStream::connect(leader.address()).await.expect("a connection");
    let name = rustls::pki_types::ServerName::try_from(endpoint::SERVER_NAME).expect("a name");
    if let Ok(mut stream) = connector.connect(name, stream).await {
        let _ = stream.write_all(&[0, 1, 0xc0, 0, 1, 0xc0]).await;
        assert!(stream.read_u8().await.is_err(), "a stranger hears nothing");
    }
    let counted = async {
        while leader.links.stats().refused[&Refusal::HandshakeFailed] < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(BOUND, counted).await.expect("the stranger is counted");
    let silent = TcpStream::connect(leader.address()).await.expect("a connection");
    leader.refused(Refusal::HandshakeTimeout).await;
    drop(silent);
    let member = member_over_tcp(&leader).await;
    let _keep = member.links.keep(leader.address(), None);
    leader.up_with(&member).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_bears_where_only_tcp_gets_through() {
    let leader = leader();
    let (address, proxy) = without_udp(&leader).await;
    let dir = tempfile::tempdir().expect("a folder");
    let folder = DataFolder::open(dir.path()).expect("a folder");
    let token = Token { addresses: vec![address], ..leader.token(Role::Member, Some(1), 60) };
    let joined = join(folder, &token, "m", DialFrom::Anywhere).await.expect("a good token");
    assert_eq!(joined.leaders[0].node, leader.node().id);
    proxy.abort();
}
