//! Tokens and images: what operators ask of a leader.

use crate::scene::{
    LEADER, Scene, address, answer, asked_to_host, facts, image, node, refused, request, send, spec, token,
};
use odeon_capabilities::Requirements;
use odeon_convention::codes;
use odeon_convention::leader::{Answer, Effect, ImageLookupError, ImageState, Input, Operation};
use odeon_convention::limits::{ENDORSEMENTS_BYTES_MAX, ENDORSEMENTS_MAX};
use odeon_convention::types::{CreateOutcome, CreateSpec, Endorsement, ImageApproval, Role, SourceHash};
use odeon_convention::wire::{PlaceOutcome, ToLeader, ToMember};

fn judge(scene: &mut Scene, n: u8, version: &str, approved: bool) -> Vec<Effect> {
    scene.operate(Operation::JudgeImage {
        image: image(n, version),
        approved,
        by: "keyring".to_owned(),
        approval: ImageApproval::default(),
    })
}

#[test]
fn a_token_lets_in_as_often_as_it_may_and_the_same_node_again() {
    let mut scene = Scene::of(0);
    let one_use = token(1, Some(1), Some(&["db"]));
    let created = scene.give_uncommitted(Input::Operation { ticket: 1, operation: Operation::CreateToken(one_use) });
    assert_eq!(created, []);
    assert_eq!(scene.leader.tokens().count(), 0, "it is not shown before it is durable");
    assert_eq!(scene.commit(), [Effect::TokensChanged, answer(Answer::Done)]);
    let admit = |n: u8, now_unix_s| Operation::Admit { token: [1; 32], node: node(n).id, now_unix_s };
    let claims = Some(vec!["db".to_owned()]);
    let admitted = answer(Answer::Admitted { role: Role::Member, claims });
    assert_eq!(scene.operate(admit(1, 99)), [Effect::TokensChanged, admitted.clone()]);
    assert_eq!(refused(&scene.operate(admit(2, 99))), Some(codes::TOKEN_USED_UP));
    assert_eq!(scene.operate(admit(1, 99)), [admitted], "its first answer may have been lost");
    assert_eq!(refused(&scene.operate(admit(1, 101))), Some(codes::TOKEN_EXPIRED));
    let unknown = Operation::UseToken { token: [9; 32], now_unix_s: 1 };
    assert_eq!(refused(&scene.operate(unknown)), Some(codes::TOKEN_UNKNOWN));
}

#[test]
fn a_token_is_known_to_others_while_a_use_of_it_is_written() {
    let mut scene = Scene::of(0);
    scene.operate(Operation::CreateToken(token(1, None, None)));
    let admit = Operation::Admit { token: [1; 32], node: node(1).id, now_unix_s: 99 };
    scene.give_uncommitted(Input::Operation { ticket: 7, operation: admit });
    let shown: Vec<_> = scene.leader.tokens().map(|(fact, used)| (fact.id, used)).collect();
    assert_eq!(shown, [([1; 32], 1)]);
}

#[test]
fn an_image_is_found_by_name_by_version_and_by_the_start_of_its_hash() {
    let mut scene = Scene::of(0);
    for (n, version) in [(1, "1.2.0"), (2, "1.10.0"), (3, "1.10.0-rc1")] {
        assert_eq!(judge(&mut scene, n, version, true), [answer(Answer::Done)]);
    }
    let find = |text: &str| scene.leader.find_image(text).map(|i| i.hash.0[0]);
    assert_eq!(find("hello"), Ok(2), "the newest");
    assert_eq!(find("hello@1.2.0"), Ok(1));
    assert_eq!(find("0303"), Ok(3));
    assert_eq!(find("nothing").map_err(|e| e.code()), Err(codes::IMAGE_UNKNOWN));
    judge(&mut scene, 4, "1.10.0", true);
    let twice = scene.leader.find_image("hello");
    assert!(matches!(twice, Err(ImageLookupError::Ambiguous { found: 2, .. })), "{twice:?}");
}

#[test]
fn an_image_is_placed_with_its_sources_and_unloaded_everywhere() {
    let db = [("db", true.into())];
    let mut scene = Scene::with(&[facts(1, &[]), facts(2, &db), facts(3, &[])]);
    judge(&mut scene, 1, "1.0.0", true);
    let hash = SourceHash([1; 32]);
    scene.say(node(3), ToLeader::ImageHeld { hash, held: true });
    assert_eq!(scene.leader.images()[0].nodes, 1);
    let hello = CreateSpec { actor: "Hello".to_owned(), image: Some(hash), ..spec() };
    let place = ToMember::Place {
        request: request(1, 1),
        spec: Box::new(hello.clone()),
        image: Some(Box::new(image(1, "1.0.0"))),
        sources: vec![node(3), LEADER],
    };
    // It is small, and not there.
    let carried = Effect::Carry { to: node(2), hash };
    assert_eq!(scene.create(request(1, 1), hello.clone()), [carried, send(node(2), place)]);
    scene.placed(node(2), request(1, 1), address(node(2), 1));
    let mut expected: Vec<Effect> = (1..=3).map(|n| send(node(n), ToMember::ImageUnloaded { hash })).collect();
    expected.extend([Effect::DropImage { hash }, answer(Answer::Done)]);
    assert_eq!(scene.operate(Operation::UnloadImage { hash }), expected);
    let effects = scene.create(request(1, 2), hello);
    let unknown = matches!(effects.as_slice(), [Effect::Send { message: ToMember::Created { outcome, .. }, .. }]
        if matches!(**outcome, CreateOutcome::Refused { code: codes::IMAGE_UNKNOWN, .. }));
    assert!(unknown, "{effects:?}");
}

#[test]
fn the_members_that_fit_and_lack_an_image_are_told_to_fetch_it() {
    let db = [("db", true.into())];
    let mut scene = Scene::with(&[facts(1, &db), facts(2, &db), facts(3, &[])]);
    judge(&mut scene, 1, "1.0.0", true);
    let hash = SourceHash([1; 32]);
    scene.say(node(2), ToLeader::ImageHeld { hash, held: true });
    let ask = |requirements| Operation::Prefetch { hash, requirements };
    let prefetch = ToMember::Prefetch { image: Box::new(image(1, "1.0.0")), sources: vec![node(2), LEADER] };
    let expected = [send(node(1), prefetch), answer(Answer::Prefetching { nodes: vec![node(1), node(2)] })];
    assert_eq!(scene.operate(ask(Requirements::none().require("db"))), expected);
    scene.say(node(1), ToLeader::ImageHeld { hash, held: true });
    let all = answer(Answer::Prefetching { nodes: vec![node(1), node(2)] });
    assert_eq!(scene.operate(ask(Requirements::none().require("db"))), [all], "both have it");
    let nobody = answer(Answer::Prefetching { nodes: vec![] });
    assert_eq!(scene.operate(ask(Requirements::none().expression("db == 3"))), [nobody]);
    let code = |effects: &[Effect]| match effects {
        [Effect::Answer { answer: Answer::Refused { code, .. }, .. }] => *code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(&scene.operate(ask(Requirements::none().expression("db ==")))), codes::BAD_REQUIREMENT);
    scene.operate(Operation::UnloadImage { hash });
    assert_eq!(code(&scene.operate(ask(Requirements::none()))), codes::IMAGE_UNKNOWN);
}

#[test]
fn who_fetches_an_image_is_a_source_for_others_until_that_ends() {
    let db = [("db", true.into())];
    let mut scene = Scene::with(&[facts(1, &db), facts(2, &db), facts(3, &[])]);
    judge(&mut scene, 1, "1.0.0", true);
    let hash = SourceHash([1; 32]);
    let on = |n| CreateSpec { actor: "Hello".to_owned(), image: Some(hash), on: Some(node(n).id), ..spec() };
    let named = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| match effect {
            Effect::Send { message: ToMember::Place { sources, .. } | ToMember::Sources { sources, .. }, .. } => {
                Some(sources)
            }
            _ => None,
        })
    };
    let first = scene.create(request(3, 1), on(1));
    assert_eq!(named(first), Some(vec![LEADER]));
    let second = scene.create(request(3, 2), on(2));
    assert_eq!(named(second), Some(vec![node(1), LEADER]));
    let sought = scene.say(node(1), ToLeader::Seek { hash });
    assert_eq!(named(sought), Some(vec![node(2), LEADER]));
    let outcome = PlaceOutcome::Refused { reason: "no room".to_owned() };
    scene.say(node(1), ToLeader::Placed { request: request(3, 1), outcome });
    let sought = scene.say(node(2), ToLeader::Seek { hash });
    assert_eq!(named(sought), Some(vec![LEADER]), "it has failed");
    scene.say(node(2), ToLeader::ImageHeld { hash, held: true });
    let sought = scene.say(node(3), ToLeader::Seek { hash });
    assert_eq!(named(sought), Some(vec![node(2), LEADER]));
    scene.operate(Operation::UnloadImage { hash });
    assert_eq!(named(scene.say(node(3), ToLeader::Seek { hash })), None);
}

#[test]
fn nothing_is_created_from_a_rejected_image() {
    let mut scene = Scene::with(&[facts(1, &[("db", true.into())])]);
    judge(&mut scene, 1, "1.0.0", false);
    let hello = CreateSpec { actor: "Hello".to_owned(), image: Some(SourceHash([1; 32])), ..spec() };
    let effects = scene.create(request(1, 1), hello);
    assert_eq!(asked_to_host(&effects), None);
    assert!(format!("{effects:?}").contains(&format!("code: {}", codes::IMAGE_NOT_APPROVED)), "{effects:?}");
    assert!(scene.leader.find_image("hello").is_err());
}

#[test]
fn an_operators_creation_is_answered_to_the_operator() {
    let mut scene = Scene::of(1);
    let effects = scene.operate(Operation::Create(Box::new(spec())));
    let [Effect::Send { to, message: ToMember::Place { request, .. } }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let (to, request) = (*to, *request);
    let outcome = CreateOutcome::Created { address: address(to, 1), node: to, existing: false };
    assert_eq!(scene.placed(to, request, address(to, 1)), [answer(Answer::Created(outcome))]);
}

#[test]
fn an_approval_that_runs_out_ends_creations_and_everyone_hears_of_it_once() {
    let mut scene = Scene::with(&[facts(1, &[("db", true.into())]), facts(2, &[])]);
    let image = image(1, "1.0.0");
    let until = |until_unix_s| ImageApproval { at_unix_s: 50, until_unix_s, endorsements: Vec::new(), pushed: None };
    let judge = |until_unix_s| {
        let (image, by) = (image.clone(), "keyring".to_owned());
        Operation::JudgeImage { image, approved: true, by, approval: until(until_unix_s) }
    };
    scene.give(Input::Clock { unix_s: 99 });
    scene.operate(judge(Some(100)));
    let hash = image.hash;
    scene.say(node(1), ToLeader::ImageHeld { hash, held: true });
    assert_eq!(scene.leader.held_by(hash), [node(1)]);
    let spec = || CreateSpec { actor: "Hello".to_owned(), image: Some(hash), ..spec() };
    let asked =
        |effects: &[Effect]| effects.iter().any(|e| matches!(e, Effect::Send { message: ToMember::Place { .. }, .. }));
    scene.give(Input::Clock { unix_s: 100 });
    assert!(asked(&scene.operate(Operation::Create(Box::new(spec())))), "its last second counts");
    let told = scene.give(Input::Clock { unix_s: 101 });
    let unloaded =
        |e: &Effect| matches!(e, Effect::Send { message: ToMember::ImageUnloaded { hash: h }, .. } if *h == hash);
    assert!(told.iter().filter(|e| unloaded(e)).count() >= 2, "{told:?}");
    assert!(scene.leader.held_by(hash).is_empty());
    assert_eq!(scene.leader.images()[0].state, ImageState::Expired);
    assert!(!scene.give(Input::Clock { unix_s: 102 }).iter().any(unloaded), "told once");
    let refused = scene.operate(Operation::Create(Box::new(spec())));
    let is_refusal = |e: &Effect| match e {
        Effect::Answer { answer: Answer::Created(CreateOutcome::Refused { code, .. }), .. } => {
            *code == codes::IMAGE_EXPIRED
        }
        _ => false,
    };
    assert!(refused.iter().any(is_refusal), "{refused:?}");
    scene.operate(judge(Some(200)));
    assert_eq!(scene.leader.images()[0].state, ImageState::Approved, "approved anew it is back");
    assert!(asked(&scene.operate(Operation::Create(Box::new(spec())))));
    scene.give(Input::Clock { unix_s: 201 });
    // A clock that is set back makes it count again.
    scene.give(Input::Clock { unix_s: 150 });
    assert_eq!(scene.leader.images()[0].state, ImageState::Approved);
    assert!(scene.give(Input::Clock { unix_s: 201 }).iter().any(unloaded));
}

#[test]
fn no_more_than_is_kept_comes_with_an_approval() {
    let mut scene = Scene::of(0);
    let one = |bytes: usize| Endorsement {
        by: "alice".to_owned(),
        fingerprint: "SHA256:x".to_owned(),
        statement: false,
        not_before_unix_s: None,
        not_after_unix_s: None,
        text: "x".repeat(bytes),
    };
    for (endorsements, kept) in [
        (vec![one(1_000); ENDORSEMENTS_MAX], true),
        (vec![one(10); ENDORSEMENTS_MAX + 1], false),
        (vec![one(ENDORSEMENTS_BYTES_MAX)], false),
    ] {
        let approval = ImageApproval { at_unix_s: 1, until_unix_s: None, endorsements, pushed: None };
        let (image, by) = (image(1, "1.0.0"), "keyring".to_owned());
        let effects = scene.operate(Operation::JudgeImage { image, approved: true, by, approval });
        assert_eq!(effects.iter().any(|e| *e == answer(Answer::Done)), kept, "{effects:?}");
    }
}
