//! A leader that starts again from its ledger.

use crate::scene::{Scene, address, asked_to_host, facts, image, named, node, request, send, spec, token};
use odeon_convention::leader::{Facts, FactsError, MemberState, Operation};
use odeon_convention::record::{AuthoritySetting, Record};
use odeon_convention::types::{CreateOutcome, Hosted, ImageApproval};
use odeon_convention::wire::{RevokedImage, ToLeader, ToMember};

fn again(scene: &mut Scene, of: u8, number: u64) -> Vec<odeon_convention::leader::Effect> {
    let spec = Box::new(spec());
    scene.say(node(of), ToLeader::Create { request: request(of, number), again: true, spec })
}

#[test]
fn facts_are_back_and_members_are_suspect_until_they_speak() {
    let mut scene = Scene::of(2);
    scene.operate(Operation::JudgeImage {
        image: image(1, "1.0.0"),
        approved: true,
        by: "all".to_owned(),
        approval: ImageApproval::default(),
    });
    scene.operate(Operation::SetAuthority(AuthoritySetting::AcceptAll));
    scene.operate(Operation::CreateToken(token(9, Some(3), None)));
    scene.operate(Operation::UseToken { token: [9; 32], now_unix_s: 1 });
    let before = (scene.leader.images(), scene.leader.authority().clone());
    let scene = scene.crash();
    assert_eq!((scene.leader.images(), scene.leader.authority().clone()), before);
    assert_eq!(scene.leader.tokens().find(|(fact, _)| fact.id == [9; 32]).map(|(_, used)| used), Some(1));
    assert_eq!(scene.leader.term(), 2);
    let states: Vec<MemberState> = scene.leader.members(scene.now).iter().map(|m| m.state).collect();
    assert_eq!(states, [MemberState::Suspect; 2]);
}

#[test]
fn a_creation_that_may_exist_waits_for_every_node_that_could_host_it() {
    let mut scene = Scene::of(2).crash();
    scene.join(node(1), facts(1, &[]));
    assert_eq!(again(&mut scene, 1, 1), [], "node 2 may host it");
    assert_eq!(asked_to_host(&scene.create(request(1, 2), spec())), Some(node(1)), "a new one cannot exist");
    assert_eq!(scene.create(request(1, 3), named("clock")), [], "node 2 may host the name");
    let mut hosting = facts(2, &[]);
    let hosted = Hosted { request: request(1, 1), address: address(node(2), 5), global_name: None, distinct: None };
    hosting.hosted.push(hosted);
    let effects = scene.join(node(2), hosting);
    let outcome = CreateOutcome::Created { address: address(node(2), 5), node: node(2), existing: false };
    let told = send(node(1), ToMember::Created { request: request(1, 1), outcome: Box::new(outcome) });
    assert!(effects.contains(&told), "{effects:?}");
    assert_eq!(asked_to_host(&effects), Some(node(2)), "the name is free after all");
}

#[test]
fn a_creation_that_waits_for_another_of_its_name_and_turns_out_to_be_done_is_not_begun_again() {
    let mut scene = Scene::of(2).crash();
    scene.join(node(1), facts(1, &[]));
    assert_eq!(scene.create(request(1, 1), named("clock")), [], "node 2 may host the name");
    let spec = Box::new(named("clock"));
    let create = ToLeader::Create { request: request(1, 2), again: true, spec };
    assert_eq!(scene.say(node(1), create), [], "it waits for the first");
    // It lived, and has exited.
    let mut hosting = facts(2, &[]);
    let hosted = Hosted { request: request(1, 2), address: address(node(2), 5), global_name: None, distinct: None };
    hosting.hosted.push(hosted);
    let host = asked_to_host(&scene.join(node(2), hosting)).expect("the first goes on");
    let effects = scene.placed(host, request(1, 1), address(host, 9));
    let outcome = CreateOutcome::Created { address: address(node(2), 5), node: node(2), existing: false };
    let told = send(node(1), ToMember::Created { request: request(1, 2), outcome: Box::new(outcome) });
    assert!(effects.contains(&told), "{effects:?}");
    assert_eq!(asked_to_host(&effects), None);
}

#[test]
fn a_creation_that_may_exist_goes_on_when_who_could_host_it_is_gone() {
    let mut scene = Scene::of(2).crash();
    scene.join(node(1), facts(1, &[]));
    assert_eq!(again(&mut scene, 1, 1), []);
    assert_eq!(asked_to_host(&scene.pass(14_900, &[node(1)])), None, "node 2 may still dial");
    assert_eq!(asked_to_host(&scene.pass(200, &[node(1)])), Some(node(1)));
}

#[test]
fn a_name_that_was_not_durable_is_back_with_its_host() {
    let mut scene = Scene::of(2).crash();
    scene.join(node(2), facts(2, &[]));
    let mut hosting = facts(1, &[]);
    let hosted = Hosted {
        request: request(2, 1),
        address: address(node(1), 1),
        global_name: Some("clock".to_owned()),
        distinct: None,
    };
    hosting.hosted.push(hosted);
    assert_eq!(scene.create(request(2, 2), named("clock")), []);
    let effects = scene.join(node(1), hosting);
    let outcome = CreateOutcome::Created { address: address(node(1), 1), node: node(1), existing: true };
    let told = send(node(2), ToMember::Created { request: request(2, 2), outcome: Box::new(outcome) });
    assert!(effects.contains(&told), "{effects:?}");
}

#[test]
fn a_snapshot_of_the_facts_is_worth_all_records_before_it() {
    let mut scene = Scene::of(3);
    let host = asked_to_host(&scene.create(request(2, 1), named("clock"))).unwrap();
    assert_eq!(host, node(1));
    scene.placed(host, request(2, 1), address(host, 1));
    scene.operate(Operation::JudgeImage {
        image: image(1, "1.0.0"),
        approved: false,
        by: "all".to_owned(),
        approval: ImageApproval::default(),
    });
    scene.operate(Operation::CreateToken(token(9, Some(3), None)));
    let image = RevokedImage { hash: image(2, "1.0.0").hash, end: true };
    scene.operate(Operation::RevokeImage { image, reason: "it leaks".to_owned(), by: "a test".to_owned() });
    scene.say(node(2), ToLeader::Leave);
    let mut facts = Facts::default();
    scene.ledger.iter().for_each(|record| facts.apply(record.clone()));
    let bytes = facts.encode().unwrap();
    let mut decoded = Facts::decode(&bytes).unwrap();
    assert_eq!(decoded, facts);
    assert_eq!(decoded.count(), scene.ledger.len() as u64);
    // What follows from the facts is there too: the names of a node go with it.
    let gone = Record::NodeGone { node: node(1), left: false };
    decoded.apply(gone.clone());
    facts.apply(gone);
    assert_eq!(decoded, facts);

    let mut other = bytes.clone();
    other[1] += 1;
    assert_eq!(Facts::decode(&other), Err(FactsError::Format { found: 2 }));
    for cut in 0..bytes.len() {
        assert!(Facts::decode(&bytes[..cut]).is_err(), "cut to {cut}");
    }
}
