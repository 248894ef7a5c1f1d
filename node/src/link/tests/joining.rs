//! From a token to a link, and what a bad token is told.

use super::*;
use crate::identity::join_wire::{self, JOIN_PURPOSE, JoinReply, JoinRequest};
use crate::identity::{JoinError, Joined, Stays};
use odeon_convention::wire::PROTOCOL_VERSION;

/// What a token's bearer is told once the leader has looked at it.
async fn refusal_of(link: &TokenLink) -> JoinError {
    match link.open(42).await {
        Err(e) => e,
        Ok((_send, mut receive)) => {
            receive.read_to_end(1).await.expect_err("refused");
            link.why_lost()
        }
    }
}

async fn try_join(token: &Token) -> JoinError {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = DataFolder::open(dir.path()).expect("a folder");
    let error = join(folder.clone(), token, "m", DialFrom::Anywhere).await.expect_err("a bad token");
    assert!(!folder.has_identity(), "a refused join leaves no identity");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_joins_with_a_token_links_to_its_leader() {
    let leader = leader();
    let member = leader.member().await;
    let found = member.identity.leaders().expect("what the leader said");
    assert_eq!(found, [LeaderAt { node: leader.node().id, listen: leader.address() }]);
    let _keep = member.links.keep(leader.address(), Some(leader.node().id));
    member.up_with(&leader).await;
    leader.up_with(&member).await;
    assert_eq!(leader.seen.seen.lock().up[0].role, Role::Member);
    assert_eq!(member.seen.seen.lock().up[0].role, Role::Leader);
    member.links.send_control(leader.node(), b"hello".to_vec()).expect("a session");
    leader.seen.until("a control frame", |s| s.control == [b"hello"]).await;
}

/// A member that joins through the sockets that it will have.
async fn join_to_stay(token: &Token, dir: &TempDir) -> Joined {
    let folder = DataFolder::open(dir.path()).expect("a folder");
    let from = DialFrom::Node { listen: ([127, 0, 0, 1], 0).into(), outbound_only: false };
    join(folder, token, "m", from).await.expect("a good token")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_connection_over_which_a_member_was_let_in_goes_on_as_its_link() {
    let leader = leader();
    let dir = tempfile::tempdir().expect("a folder");
    let Joined { identity, leaders, stays } = join_to_stay(&leader.token(Role::Member, Some(1), 60), &dir).await;
    let connection = stays.connection.expect("it stays");
    let here = stays.sockets.as_ref().expect("its own").endpoint.local_addr().expect("an address");
    let member = start_with(identity, Arc::new(dir), |config| config.sockets = stays.sockets);
    assert_eq!(member.address(), here.to_string());
    let _keep = member.links.keep_on(connection.clone(), leaders[0].listen.clone(), leaders[0].node);
    member.up_with(&leader).await;
    leader.up_with(&member).await;
    let (up, address) = (leader.seen.seen.lock().up[0].clone(), here);
    assert_eq!(up, Peer { node: member.node(), role: Role::Member, name: "Member".into(), address, ..up.clone() });
    let linked = member.links.0.table.read().find(leader.node()).and_then(|session| session.connection());
    assert_eq!(linked.map(|linked| linked.stable_id()), Some(connection.stable_id()));
    member.links.send_control(leader.node(), b"hello".to_vec()).expect("a session");
    leader.seen.until("a control frame", |s| s.control == [b"hello"]).await;
    // It is a link like any other: others can dial the member, and what is lost is dialled again.
    let other = leader.member().await;
    let _to_member = other.links.keep(member.address(), Some(member.node().id));
    member.up_with(&other).await;
    member.links.cut(leader.node());
    leader.seen.until("dialled again", |s| s.up.iter().filter(|peer| peer.node == member.node()).count() == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_let_in_dials_again() {
    let leader = leader();
    let dir = tempfile::tempdir().expect("a folder");
    let listen = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let folder = DataFolder::open(dir.path()).expect("a folder");
    let from = DialFrom::Node { listen, outbound_only: false };
    let token = leader.token(Role::Leader, Some(1), 60);
    let Joined { identity, stays, .. } = join(folder, &token, "l", from).await.expect("a good token");
    assert_eq!(identity.role(), Role::Leader);
    assert!(stays.connection.is_none() && stays.sockets.is_none(), "{stays:?}");
    let other = start_with(identity, Arc::new(dir), |config| config.listen = listen);
    let _keep = other.links.keep(leader.address(), Some(leader.node().id));
    leader.up_with(&other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_let_in_is_nobody_else_on_that_connection() {
    let leader = leader();
    let [dir, other] = [(), ()].map(|()| tempfile::tempdir().expect("a folder"));
    let let_in = join_to_stay(&leader.token(Role::Member, Some(1), 60), &dir).await;
    let liar = join_to_stay(&leader.token(Role::Member, Some(1), 60), &other).await;
    let Stays { connection, sockets } = let_in.stays;
    let liar = start_with(liar.identity, Arc::new(other), |config| config.sockets = sockets);
    let _keep = liar.links.keep_on(connection.expect("it stays"), leader.address(), leader.node().id);
    liar.seen.until("refused", |s| s.unreachable == [codes::IDENTITY]).await;
    assert_eq!(leader.links.stats().refused.get(&Refusal::Identity), Some(&1));
    assert!(leader.seen.seen.lock().up.iter().all(|peer| peer.node.id != let_in.identity.node().id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_another_ca_does_not_join_here() {
    let leader = leader();
    let token = Token { ca_digest: [9; 32], ..leader.token(Role::Member, None, 60) };
    assert_eq!(try_join(&token).await.code(), codes::IDENTITY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_expired_and_used_up_tokens_are_told_so_and_counted() {
    let leader = leader();
    let unknown = Token::create(vec![leader.address()], leader.identity.ca_digest()).expect("a token");
    assert_eq!(try_join(&unknown).await.code(), codes::TOKEN_UNKNOWN);
    assert_eq!(try_join(&leader.token(Role::Member, None, -1)).await.code(), codes::TOKEN_EXPIRED);
    let once = leader.token(Role::Member, Some(1), 60);
    let dir = tempfile::tempdir().expect("a folder");
    join(DataFolder::open(dir.path()).expect("a folder"), &once, "m", DialFrom::Anywhere).await.expect("its first use");
    assert_eq!(try_join(&once).await.code(), codes::TOKEN_USED_UP);
    for refusal in [Refusal::UnknownCertificate, Refusal::Expired, Refusal::TokenUsedUp] {
        assert_eq!(leader.links.stats().refused.get(&refusal), Some(&1), "{refusal:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_another_version_is_told_so_and_uses_no_token_up() {
    let leader = leader();
    let once = leader.token(Role::Member, Some(1), 60);
    let link = connect_operator(None, &once).await.expect("the handshake is the same");
    let (mut send, mut receive) = link.open(JOIN_PURPOSE).await.expect("a stream");
    let request = JoinRequest { version: PROTOCOL_VERSION + 1, csr: vec![], name: "m".into(), stays: false };
    join_wire::send(&mut send, &request).await.expect("the leader reads");
    let reply: JoinReply = join_wire::receive(&mut receive).await.expect("an answer");
    let JoinReply::Refused { code: codes::PROTOCOL_VERSION, reason } = reply else { panic!("{reply:?}") };
    let (theirs, ours) = (PROTOCOL_VERSION + 1, PROTOCOL_VERSION);
    let said = format!("the node that joins speaks version {theirs} of the protocol, the leader version {ours}");
    assert_eq!(reason, said);
    drop(link);
    let dir = tempfile::tempdir().expect("a folder");
    join(DataFolder::open(dir.path()).expect("a folder"), &once, "m", DialFrom::Anywhere).await.expect("its first use");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_use_a_one_time_token_at_once_one_gets_in() {
    let leader = leader();
    let token = leader.token(Role::Member, Some(1), 60);
    let tries = (0..8).map(|_| {
        let token = token.clone();
        tokio::spawn(async move {
            let dir = tempfile::tempdir().expect("a folder");
            join(DataFolder::open(dir.path()).expect("a folder"), &token, "m", DialFrom::Anywhere)
                .await
                .map(|_| ())
                .map_err(|e| e.code())
        })
    });
    let mut results = Vec::new();
    for each in tries.collect::<Vec<_>>() {
        results.push(each.await.expect("no panic"));
    }
    results.sort();
    assert_eq!(results[0], Ok(()));
    assert_eq!(results[1..], [Err(codes::TOKEN_USED_UP); 7]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_is_told_as_such() {
    let free = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let token = Token::create(vec![free.to_string()], [0; 32]).expect("a token");
    assert_eq!(try_join(&token).await.code(), codes::LEADER_UNREACHABLE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_is_served_once_for_each_use_of_the_token() {
    let leader = leader();
    let token = leader.token(Role::Operator, Some(1), 60);
    let link = connect_operator(None, &token).await.expect("its first use");
    let (mut send, mut receive) = link.open(42).await.expect("a stream");
    send.write_all(b"question").await.expect("the leader reads");
    send.finish().expect("once");
    leader.seen.until("a stream", |s| s.streams.len() == 1).await;
    let (from, purpose, mut answer, mut question) = leader.seen.seen.lock().streams.remove(0);
    assert!(matches!(from, Caller::Operator { token: id, .. } if id == token.id().expect("an id")));
    assert_eq!((purpose, question.read_to_end(100).await.expect("all of it")), (42, b"question".to_vec()));
    answer.write_all(b"answer").await.expect("the operator reads");
    answer.finish().expect("once");
    assert_eq!(receive.read_to_end(100).await.expect("all of it"), b"answer");
    let second = match connect_operator(Some(&leader.address()), &token).await {
        Err(e) => e,
        Ok(link) => refusal_of(&link).await,
    };
    assert_eq!(second.code(), codes::TOKEN_USED_UP, "{second}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_s_token_lets_no_node_in() {
    let leader = leader();
    assert_eq!(try_join(&leader.token(Role::Operator, None, 60)).await.code(), codes::ROLE);
    let link = connect_operator(None, &leader.token(Role::Member, None, 60)).await.expect("the handshake is fine");
    assert_eq!(refusal_of(&link).await.code(), codes::ROLE);
    assert_eq!(leader.links.stats().connected, 0);
}
