//! Signs of life, through a network that can be made to fail.

use super::*;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::net::UdpSocket;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

const PASS: u8 = 0;
/// Datagrams that are not of QUIC are dropped, as some firewalls do.
const QUIC_ONLY: u8 = 1;
const NOTHING: u8 = 2;

/// What stands between a dialler and a node.
struct Network {
    address: SocketAddr,
    lets_through: Arc<AtomicU8>,
    /// The dialler then seems to come from elsewhere.
    rebind: Arc<Notify>,
    /// What the dialler hears as if the node had said it.
    say: mpsc::UnboundedSender<Vec<u8>>,
    task: AbortHandle,
}

impl Drop for Network {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn loopback() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.expect("a port")
}

impl Network {
    async fn before(node: &Node) -> Self {
        let near = loopback().await;
        let address = near.local_addr().expect("an address");
        let (lets_through, rebind) = (Arc::<AtomicU8>::default(), Arc::<Notify>::default());
        let to = node.links.local_addr().expect("an address");
        let (say, said) = mpsc::unbounded_channel();
        let task = tokio::spawn(carry(near, to, lets_through.clone(), rebind.clone(), said)).abort_handle();
        Self { address, lets_through, rebind, say, task }
    }

    fn let_through(&self, what: u8) {
        self.lets_through.store(what, Ordering::Relaxed);
    }
}

async fn carry(
    near: UdpSocket,
    to: SocketAddr,
    lets_through: Arc<AtomicU8>,
    rebind: Arc<Notify>,
    mut said: mpsc::UnboundedReceiver<Vec<u8>>,
) {
    let (mut out, mut back) = ([0; 65_536], [0; 65_536]);
    let (mut far, mut dialler) = (loopback().await, None);
    let passes = |datagram: &[u8]| match lets_through.load(Ordering::Relaxed) {
        PASS => true,
        QUIC_ONLY => !sign::is_beside_quic(datagram),
        _ => false,
    };
    loop {
        tokio::select! {
            Ok((length, from)) = near.recv_from(&mut out) => {
                dialler = Some(from);
                if passes(&out[..length]) {
                    let _ = far.send_to(&out[..length], to).await;
                }
            }
            Ok((length, _)) = far.recv_from(&mut back) => if let Some(dialler) = dialler
                && passes(&back[..length])
            {
                let _ = near.send_to(&back[..length], dialler).await;
            },
            () = rebind.notified() => far = loopback().await,
            Some(said) = said.recv() => if let Some(dialler) = dialler {
                near.send_to(&said, dialler).await.expect("loopback takes it");
            },
        }
    }
}

/// A member and its leader, and what is between them.
async fn apart() -> (Node, Node, Network, Keep) {
    let leader = leader();
    let member = leader.member().await;
    let network = Network::before(&leader).await;
    let keep = member.links.keep(network.address.to_string(), Some(leader.node().id));
    leader.up_with(&member).await;
    member.up_with(&leader).await;
    (leader, member, network, keep)
}

/// Waits until the node has got so many answers more from the other, and gives how many datagrams QUIC sent meanwhile.
async fn answers(node: &Node, other: &Node, more: u64) -> u64 {
    let counted = || node.links.traffic(other.node()).expect("a connection");
    let (quic, (_, answered)) = counted();
    let wait = async {
        while counted().1.1 < answered + more {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(BOUND, wait).await.expect("signs are answered");
    counted().0.udp_tx.datagrams - quic.udp_tx.datagrams
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_link_lives_by_signs_alone() {
    let (leader, member, _network, _keep) = apart().await;
    answers(&member, &leader, 1).await;
    let quic_sent = answers(&member, &leader, 2).await;
    assert!(quic_sent <= 2, "QUIC sent {quic_sent} datagrams meanwhile");
    assert!(leader.seen.seen.lock().down.is_empty() && member.seen.seen.lock().down.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_from_which_nothing_comes_any_more_is_gone_on_both_sides() {
    let (leader, member, network, _keep) = apart().await;
    network.let_through(NOTHING);
    leader.seen.until("the member's end", |s| s.down == [member.node()]).await;
    member.seen.until("the leader's end", |s| s.down == [leader.node()]).await;
    network.let_through(PASS);
    leader.seen.until("the member again", |s| s.up.len() == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_keeps_a_link_alone_dials_it_again() {
    let (leader, member, network, _keep) = apart().await;
    network.let_through(NOTHING);
    member.links.cut(leader.node());
    member.seen.until("the leader's end", |s| s.down == [leader.node()]).await;
    // Longer than QUIC remembers the connection that was cut, and shorter than a try.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(member.links.0.door.endpoint.open_connections(), 1, "one try at a time");
    network.let_through(PASS);
    leader.seen.until("the member again", |s| s.up.len() == 2).await;
    member.seen.until("the leader again", |s| s.up.len() == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_a_peer_closed_a_connection_is_still_known_when_all_of_it_has_ended() {
    let (leader, member, _network, _keep) = apart().await;
    let session = member.links.0.table.read().find(leader.node()).expect("a session");
    let connection = session.connection().expect("a connection");
    leader.links.cut(member.node());
    member.seen.until("the leader again", |s| s.up.len() == 2).await;
    let reason = connection.close_reason().expect("it is over");
    assert!(matches!(reason, quinn::ConnectionError::ApplicationClosed(_)), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_only_quic_gets_through_links_live_and_signs_arrive() {
    let (leader, member, network, _keep) = apart().await;
    answers(&member, &leader, 1).await;
    network.let_through(QUIC_ONLY);
    // Of the first ones nobody can know yet: the third wants an answer, and so does the one after it.
    let mut lost = 0;
    while leader.seen.seen.lock().control.is_empty() {
        member.links.send_sign(leader.node(), b"early".to_vec()).expect("a connection");
        tokio::time::sleep(Duration::from_millis(500)).await;
        lost += 1;
    }
    assert_eq!(lost, 5, "the first that arrived");
    for n in 0..10 {
        member.links.send_sign(leader.node(), vec![n]).expect("a connection");
        leader.seen.until("the sign", |s| s.control.last() == Some(&vec![n])).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(leader.seen.seen.lock().down.is_empty() && member.seen.seen.lock().down.is_empty());
    assert_eq!(leader.seen.seen.lock().control.len(), 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialler_that_seems_to_come_from_elsewhere_is_reached_there() {
    let (leader, member, network, _keep) = apart().await;
    let before = leader.links.peers()[0].address;
    network.rebind.notify_one();
    answers(&member, &leader, 2).await;
    leader.links.send_control(member.node(), b"there?".to_vec()).expect("a session");
    member.seen.until("the word", |s| s.control == [b"there?".to_vec()]).await;
    let session = leader.links.0.table.read().find(member.node()).expect("a session");
    assert_ne!(session.connection().expect("the same connection").remote_address(), before);
    assert!(leader.seen.seen.lock().down.is_empty() && member.seen.seen.lock().down.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_of_no_connection_is_said_to_be_unknown_and_who_hears_that_has_quic_ask() {
    let (leader, member, network, _keep) = apart().await;
    let session = member.links.0.table.read().find(leader.node()).expect("a session");
    let (_, vital) = session.vital().expect("a connection");
    let mut sign = vital.written(1, b"");
    sign[1] ^= 1;
    let stranger = loopback().await;
    let to = leader.links.local_addr().expect("an address");
    stranger.send_to(&sign, to).await.expect("loopback takes it");
    let mut told = [0; 64];
    let heard =
        tokio::time::timeout(BOUND, stranger.recv_from(&mut told)).await.expect("an answer").expect("a datagram");
    assert_eq!((&told[..heard.0], heard.1), (&[&[0x0f], &sign[1..9]].concat()[..], to));
    answers(&member, &leader, 1).await;
    let quic = || member.links.traffic(leader.node()).expect("a connection").0.udp_tx.datagrams;
    let before = quic();
    let unknown = [&[0x0f], &vital.written(1, b"")[1..9]].concat();
    // From elsewhere it counts for nothing.
    stranger.send_to(&unknown, member.links.local_addr().expect("an address")).await.expect("loopback takes it");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(quic(), before);
    network.say.send(unknown).expect("the network lives");
    let asks = async {
        while quic() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(BOUND, asks).await.expect("QUIC asks");
    assert!(member.seen.seen.lock().down.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_that_is_said_again_or_forged_counts_for_nothing() {
    let (leader, member, _network, _keep) = apart().await;
    let session = member.links.0.table.read().find(leader.node()).expect("a session");
    let (_, vital) = session.vital().expect("a connection");
    let stranger = loopback().await;
    let to = leader.links.local_addr().expect("an address");
    answers(&member, &leader, 1).await;
    let again = vital.written(1, b"again");
    let mut forged = vital.written(1_000_000, b"forged");
    *forged.last_mut().expect("a tag") ^= 1;
    let genuine = vital.written(1_000_001, b"genuine");
    for datagram in [&again, &forged, &genuine, &genuine] {
        stranger.send_to(datagram, to).await.expect("loopback takes it");
    }
    leader.refused(Refusal::NotQuic).await;
    leader.seen.until("the genuine one", |s| !s.control.is_empty()).await;
    // The pause in which signs are put together has passed for all of them by then, and once more.
    tokio::time::sleep(limits::SIGNS_TOGETHER * 2).await;
    assert_eq!(leader.seen.seen.lock().control, [b"genuine".to_vec()]);
    assert_eq!(leader.links.stats().refused[&Refusal::NotQuic], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_own_packets_may_crowd_out_its_signs_says_them_again_a_few_times() {
    let (leader, member, _network, _keep) = apart().await;
    let said = |what: &[u8]| leader.seen.seen.lock().control.iter().filter(|sign| *sign == what).count();
    // The handshake counts as traffic too.
    tokio::time::sleep(Duration::from_secs(2)).await;
    member.links.send_sign(leader.node(), b"quiet".to_vec()).expect("a connection");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(said(b"quiet"), 1);
    let busy = async {
        loop {
            member.links.send(leader.node(), 0, vec![0; 64 << 10]);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let says = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        member.links.send_sign(leader.node(), b"busy".to_vec()).expect("a connection");
        while said(b"busy") < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(said(b"busy"), 3, "and no more, as it may have stopped to speak");
    };
    tokio::select! {
        () = busy => {}
        done = tokio::time::timeout(BOUND, says) => done.expect("it is said again"),
    }
}
