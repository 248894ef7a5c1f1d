//! Nodes that only dial: asked to dial by some, reached through a leader by others of their kind.

use super::*;
use crate::link::relay;

const LARGE_BYTES: usize = 256 * 1024;
/// More than a session holds before it puts its senders aside.
const LARGE_FRAMES: u32 = 64;

fn large(n: u32) -> Vec<u8> {
    let mut frame = vec![n as u8; LARGE_BYTES];
    frame[..4].copy_from_slice(&n.to_be_bytes());
    frame
}

/// Sends large frames, and waits while the links ask for it. Gives how often they did.
async fn send_large(from: &Node, to: NodeRef) -> usize {
    let mut aside = 0;
    for n in 0..LARGE_FRAMES {
        match from.links.send(to, 3, large(n)) {
            Pressure::None => {}
            Pressure::PutAside(ticket) => {
                aside += 1;
                from.seen.until("room", |s| s.drained.contains(&ticket)).await;
            }
            Pressure::Refused { reason, .. } => panic!("{reason}"),
        }
    }
    aside
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_only_dial_have_a_link_through_a_leader_with_order_and_pressure_from_end_to_end() {
    let leader = leader();
    let ((a, _a), (b, _b)) = (leader.member_that_only_dials(false).await, leader.member_that_only_dials(false).await);
    a.links.dial(b.node(), "").expect("a session");
    a.up_with(&b).await;
    b.up_with(&a).await;
    let seen_at = a.seen.seen.lock().up.iter().find(|p| p.node == b.node()).map(|p| p.address);
    assert_eq!(seen_at, Some(relay::address_of(b.node().id)));
    let aside = send_large(&a, b.node()).await;
    assert!(aside > 0, "the sender is put aside while the relay is behind");
    b.seen.until("all frames", |s| s.received == LARGE_FRAMES as usize).await;
    let came: Vec<Vec<u8>> = b.seen.seen.lock().messages.iter().map(|(_, frame)| frame.clone()).collect();
    assert!(came == (0..LARGE_FRAMES).map(large).collect::<Vec<_>>(), "once, whole and in order");
    let stats = leader.links.stats().relay.expect("a leader relays");
    assert_eq!((stats.nodes, stats.pairs), (2, 1));
    assert!(stats.packets as usize > LARGE_FRAMES as usize * LARGE_BYTES / limits::RELAYED_PACKET_BYTES_MAX);
    assert!(stats.waiting_bytes <= limits::RELAY_BYTES_MAX);
    assert_eq!(a.links.stats().relay, None, "a member does not");

    // Streams take the same way, and a cut connection comes back.
    let (mut send, _receive) = a.links.open(b.node(), 9).await.expect("a stream");
    send.write_all(b"x").await.expect("room");
    b.seen.until("the stream", |s| s.streams.len() == 1).await;
    a.links.cut(b.node());
    b.links.send_control(a.node(), b"after the cut".to_vec()).expect("a session");
    a.seen.until("a word after the cut", |s| s.control.len() == 1).await;
    for node in [&a, &b] {
        assert_eq!(node.links.stats().refused.get(&Refusal::OutboundOnly), None, "nobody dialled it directly");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dials_a_node_that_only_dials_is_turned_away_and_its_peers_ask_instead() {
    let leader = leader();
    let ((shut, _keep), open) = (leader.member_that_only_dials(false).await, leader.member().await);
    let tried = open.links.keep(shut.address(), Some(shut.node().id));
    shut.refused(Refusal::OutboundOnly).await;
    drop(tried);
    open.links.dial(shut.node(), "").expect("a session");
    open.links.send_control(shut.node(), b"for one that only dials".to_vec()).expect("a session");
    open.seen.until("it is asked for again and again", |s| s.wanted.len() > 1).await;
    assert_eq!(open.seen.seen.lock().wanted[0], shut.node());
    shut.links.dial(open.node(), &open.address()).expect("a session");
    shut.seen.until("what waited", |s| s.control.len() == 1).await;

    // It dials again after a loss; the peer, which has seen where it is, does not.
    let refused = shut.links.stats().refused[&Refusal::OutboundOnly];
    open.links.cut(shut.node());
    open.links.send_control(shut.node(), b"after the cut".to_vec()).expect("a session");
    shut.seen.until("a word after the cut", |s| s.control.len() == 2).await;
    assert_eq!(shut.links.stats().refused[&Refusal::OutboundOnly], refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_takes_the_place_of_another_is_told_to_both_sides_as_the_end_of_one_link() {
    let (_leader, a, b) = linked(false).await;
    let _again = a.links.keep(b.address(), None);
    for node in [&a, &b] {
        node.seen.until("another link", |s| s.up.len() == 2).await;
        assert_eq!(node.seen.seen.lock().down.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_while_it_asks_for_another_lets_go_of_everything() {
    let leader = leader();
    let ((shut, keep), open) = (leader.member_that_only_dials(false).await, leader.member().await);
    shut.links.shutdown().await;
    drop(keep);
    open.links.dial(shut.node(), "").expect("a session");
    open.links.send_control(shut.node(), b"never heard".to_vec()).expect("a session");
    open.seen.until("it is asked for", |s| !s.wanted.is_empty()).await;
    // Its folder can be had again only once no task has anything of the first start.
    let again = open.restart().await;
    assert_eq!(again.node().incarnation.0, 2);
}
