//! Frames: each once, in order, whatever happens to the connection.

use super::*;
use std::time::Instant;

/// Sends, and waits while the links ask for it.
async fn send_patiently(from: &Node, to: NodeRef, key: u64, frame: Vec<u8>) {
    match from.links.send(to, key, frame) {
        Pressure::None => {}
        Pressure::PutAside(ticket) => from.seen.until("room", |s| s.drained.contains(&ticket)).await,
        Pressure::Refused { reason, .. } => panic!("{reason}"),
    }
}

/// Waits until everything that the node sent is acknowledged.
async fn delivered(node: &Node) {
    let nothing_held = async {
        while node.links.stats().held_bytes != 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(BOUND, nothing_held).await.expect("everything is acknowledged in the end");
}

fn connection_of(node: &Node, peer: &Node) -> Option<usize> {
    node.links.0.table.read().find(peer.node())?.connection().map(|c| c.stable_id())
}

/// Waits until the two have one connection, the same on both sides, and names it.
async fn settled(a: &Node, b: &Node) -> [Option<usize>; 2] {
    let one = |node: &Node| node.links.0.door.endpoint.open_connections() == 1;
    let wait = async {
        loop {
            let both = [connection_of(a, b), connection_of(b, a)];
            if both.iter().all(Option::is_some) && one(a) && one(b) {
                return both;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(BOUND, wait).await.expect("one connection on both sides")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_of_life_arrives_without_a_number_and_nothing_is_held_for_it() {
    let (leader, a, b) = linked(false).await;
    a.links.send_control(b.node(), b"one".to_vec()).expect("a session");
    b.seen.until("the first word", |s| s.control.len() == 1).await;
    a.links.send_sign(b.node(), b"sign".to_vec()).expect("a connection");
    b.seen.until("the sign", |s| s.control.len() == 2).await;
    a.links.send_control(b.node(), b"two".to_vec()).expect("a session");
    b.seen.until("the second word", |s| s.control.len() == 3).await;
    assert_eq!(b.seen.seen.lock().control, [b"one".to_vec(), b"sign".to_vec(), b"two".to_vec()]);
    delivered(&a).await;
    assert_eq!(a.links.send_sign(leader.node(), vec![1]).map_err(|e| e.code()), Err(codes::NODE_UNREACHABLE));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_makes_use_of_streams_may_open_many_of_them() {
    let (_leader, a, b) = linked(false).await;
    let mut open = Vec::new();
    for n in 0..limits::BI_STREAMS_MAX as usize {
        open.push(a.links.open(b.node(), 9).await.expect("a stream"));
        b.seen.until("a stream", |s| s.streams.len() == n + 1).await;
    }
    let one_more = tokio::time::timeout(Duration::from_millis(200), a.links.open(b.node(), 9)).await;
    assert!(one_more.is_err(), "there is a limit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_frames_each_way_arrive_once_and_in_order_while_the_link_is_cut_ten_times() {
    const FRAMES: u32 = 100_000;
    let (_leader, a, b) = linked(false).await;
    let send_all = |from: &Node, to: &Node| {
        let (links, to) = (from.links.clone(), to.node());
        tokio::spawn(async move {
            for n in 0..FRAMES {
                assert!(!matches!(links.send(to, 5, numbered(n)), Pressure::Refused { .. }));
                if n % 64 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        })
    };
    let (one, other) = (send_all(&a, &b), send_all(&b, &a));
    for cut in 1..=10_usize {
        let share = FRAMES as usize * cut / 12;
        b.seen.until("a part of it", |s| s.messages.len() >= share).await;
        let old = settled(&a, &b).await;
        if cut % 2 == 0 {
            a.links.cut(b.node())
        } else {
            b.links.cut(a.node())
        }
        let other_connection = async {
            while settled(&a, &b).await == old {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(BOUND, other_connection).await.expect("another connection");
    }
    one.await.expect("sent");
    other.await.expect("sent");
    for node in [&a, &b] {
        node.seen.until("all of it", |s| s.messages.len() >= FRAMES as usize).await;
        let seen = node.seen.seen.lock();
        assert_eq!(seen.messages.len(), FRAMES as usize);
        assert!(seen.messages.iter().map(|(_, frame)| frame).eq((0..FRAMES).map(numbered).collect::<Vec<_>>().iter()));
        assert!(seen.lost.is_empty(), "the session outlives its connections");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_frame_does_not_hold_up_others_of_its_lane() {
    let (_leader, a, b) = linked(false).await;
    let (large, small) = (1, (2..).find(|k| lane_of(*k) == lane_of(1)).expect("another key"));
    let began = Instant::now();
    // All of it at once, whatever the pressure: what counts is how the lanes share the connection.
    let large_frame = vec![7; 8 * 1024 * 1024];
    assert!(!matches!(a.links.send(b.node(), large, large_frame), Pressure::Refused { .. }));
    for n in 0..100 {
        assert!(!matches!(a.links.send(b.node(), small, numbered(n)), Pressure::Refused { .. }));
    }
    b.seen.until("the small frames", |s| s.messages.iter().filter(|(_, f)| f.len() == 4).count() == 100).await;
    let small_took = began.elapsed();
    b.seen.until("the large frame", |s| s.messages.len() == 101).await;
    println!("100 small frames after {small_took:?}, the large one of 8 MiB after {:?}", began.elapsed());
    assert!(b.seen.seen.lock().messages[100].1.len() > 4, "the small frames waited for the large one");
    assert!(small_took < Duration::from_secs(1), "{small_took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_frames_arrive_once_and_in_their_places_while_the_link_is_cut() {
    const ROUNDS: u32 = 8;
    let (_leader, a, b) = linked(false).await;
    let keys = [1, (2..).find(|k| lane_of(*k) != lane_of(1)).expect("another lane")];
    let long = |n: u32| [numbered(n), vec![n as u8; 3_000_000]].concat();
    let sent = keys.map(|key| {
        let (links, to) = (a.links.clone(), b.node());
        tokio::spawn(async move {
            for n in 0..ROUNDS {
                for frame in [numbered(n), long(n), numbered(n)] {
                    assert!(!matches!(links.send(to, key, frame), Pressure::Refused { .. }));
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    });
    let all = keys.len() * 3 * ROUNDS as usize;
    for cut in 1..=6_usize {
        b.seen.until("a part of it", |s| s.messages.len() >= all * cut / 8).await;
        if cut % 2 == 0 { a.links.cut(b.node()) } else { b.links.cut(a.node()) }
    }
    for sent in sent {
        sent.await.expect("sent");
    }
    b.seen.until("all of it", |s| s.messages.len() >= all).await;
    delivered(&a).await;
    let seen = b.seen.seen.lock();
    assert_eq!(seen.messages.len(), all);
    for key in keys {
        let of_key = seen.messages.iter().filter(|(lane, _)| usize::from(*lane) == lane_of(key)).map(|(_, f)| f);
        assert!(of_key.eq((0..ROUNDS).flat_map(|n| [numbered(n), long(n), numbered(n)]).collect::<Vec<_>>().iter()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_before_there_is_a_connection_arrives_once_there_is() {
    let leader = leader();
    let (a, b) = (leader.member().await, leader.member().await);
    for n in 0..1000 {
        assert_eq!(a.links.send(b.node(), 3, numbered(n)), Pressure::None);
    }
    a.links.dial(b.node(), &b.address()).expect("a session");
    b.seen.until("all of it", |s| s.messages.len() == 1000).await;
    let seen = b.seen.seen.lock();
    assert!(seen.messages.iter().zip(0..).all(|((_, frame), n)| *frame == numbered(n)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_dial_each_other_at_once_end_with_one_connection() {
    let leader = leader();
    for _ in 0..5 {
        let (a, b) = (leader.member().await, leader.member().await);
        a.links.dial(b.node(), &b.address()).expect("a session");
        b.links.dial(a.node(), &a.address()).expect("a session");
        send_patiently(&a, b.node(), 1, numbered(1)).await;
        send_patiently(&b, a.node(), 1, numbered(2)).await;
        a.seen.until("the other's frame", |s| s.messages.len() == 1).await;
        b.seen.until("the other's frame", |s| s.messages.len() == 1).await;
        let one = async {
            while a.links.0.door.endpoint.open_connections() != 1 || b.links.0.door.endpoint.open_connections() != 1 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(BOUND, one).await.expect("one connection each");
        assert_eq!((a.links.peers().len(), b.links.peers().len()), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_comes_back_as_another_start_loses_the_session_and_says_what_was_not_delivered() {
    let leader = leader();
    let member = leader.member().await;
    let address = leader.address();
    let keep = member.links.keep(address.clone(), None);
    leader.up_with(&member).await;
    let first = member.node();
    drop(keep);
    member.links.shutdown().await;
    leader.seen.until("its end", |s| s.down == [first]).await;
    for n in 0..3 {
        assert_eq!(leader.links.send(first, 1, numbered(n)), Pressure::None);
    }
    let member = member.restart().await;
    assert_eq!((member.node().id, member.node().incarnation.0), (first.id, first.incarnation.0 + 1));
    let _keep = member.links.keep(address, None);
    leader.up_with(&member).await;
    let frames: Vec<_> = (0..3).map(numbered).collect();
    assert_eq!(leader.seen.seen.lock().lost, [(first, frames)]);
    assert!(matches!(leader.links.send(first, 1, numbered(9)), Pressure::Refused { .. }));
    assert!(member.seen.seen.lock().messages.is_empty());
    send_patiently(&leader, member.node(), 1, numbered(4)).await;
    member.seen.until("the new session", |s| s.messages.len() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_restarts_finds_its_members_again_by_itself() {
    let leader = leader();
    let member = leader.member().await;
    let address: SocketAddr = leader.links.local_addr().expect("an address");
    let _keep = member.links.keep(address.to_string(), Some(leader.node().id));
    leader.up_with(&member).await;
    let first = leader.node();
    let leader = leader.restart_at(address).await;
    leader.up_with(&member).await;
    member.seen.until("the old session's end", |s| s.lost.iter().any(|(node, _)| *node == first)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_are_put_aside_while_nothing_gets_through_and_then_told_to_go_on() {
    let leader = leader();
    let (a, b) = (leader.member().await, leader.member().await);
    let (mut sent, mut ticket) = (0, None);
    while ticket.is_none() {
        match a.links.send(b.node(), 1, vec![0; 64 * 1024]) {
            Pressure::None => {}
            Pressure::PutAside(t) => ticket = Some(t),
            Pressure::Refused { reason, .. } => panic!("{reason}"),
        }
        sent += 1;
    }
    assert!(sent <= limits::HIGH_MARK_BYTES / (64 * 1024) + 1);
    assert_eq!(a.links.send(b.node(), 2, vec![0; 9]), Pressure::PutAside(ticket.expect("one")));
    assert!(a.seen.seen.lock().drained.is_empty());
    a.links.dial(b.node(), &b.address()).expect("a session");
    a.seen.until("room", |s| s.drained == [ticket.expect("one")]).await;
    b.seen.until("all of it", |s| s.messages.len() == sent + 1).await;
    delivered(&a).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_session_is_over_on_both_sides_and_another_begins_clean() {
    let (_leader, a, b) = linked(false).await;
    send_patiently(&a, b.node(), 1, numbered(1)).await;
    b.seen.until("the frame", |s| s.messages.len() == 1).await;
    delivered(&a).await;
    b.links.forget(a.node());
    b.seen.until("its end", |s| s.lost.len() == 1 && s.down.len() == 1).await;
    a.seen.until("its end", |s| s.lost.len() == 1).await;
    assert_eq!(a.seen.seen.lock().lost[0], (b.node(), vec![]));
    a.links.dial(b.node(), &b.address()).expect("a session");
    send_patiently(&a, b.node(), 1, numbered(3)).await;
    b.seen.until("the frame", |s| s.messages.len() == 2).await;
    assert_eq!(b.seen.seen.lock().messages[1].1, numbered(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_its_own_reaches_the_peer_with_its_purpose() {
    let leader = leader();
    let (a, b) = (leader.member().await, leader.member().await);
    assert!(matches!(
        a.links.send_control(b.node(), vec![0; CONTROL_FRAME_BYTES_MAX + 1]),
        Err(LinkError::FrameTooLarge { .. })
    ));
    a.links.dial(b.node(), &b.address()).expect("a session");
    let (mut send, _receive) = a.links.open(b.node(), 9).await.expect("a connection within seconds");
    let sender = tokio::spawn(async move {
        send.write_all(&[1; 3_000_000]).await.expect("b reads");
        send.finish().expect("once");
    });
    b.seen.until("a stream", |s| s.streams.len() == 1).await;
    let (from, purpose, _send, mut receive) = b.seen.seen.lock().streams.remove(0);
    assert!(matches!(from, Caller::Node(peer) if peer.node == a.node() && peer.role == Role::Member));
    assert_eq!((purpose, receive.read_to_end(4_000_000).await.expect("all of it").len()), (9, 3_000_000));
    sender.await.expect("sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_64_bytes_a_second() {
    const FRAMES: usize = 1_000_000;
    let (_leader, a, b) = linked(true).await;
    let began = Instant::now();
    for n in 0..FRAMES {
        send_patiently(&a, b.node(), (n % 7) as u64, vec![1; 64]).await;
    }
    b.seen.until("all of it", |s| s.received >= FRAMES).await;
    let rate = FRAMES as f64 / began.elapsed().as_secs_f64();
    println!("{rate:.0} frames of 64 bytes a second, one direction, both nodes in this process");
    assert_eq!(b.seen.seen.lock().received, FRAMES);
}
