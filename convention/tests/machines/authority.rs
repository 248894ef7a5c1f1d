//! The Source Authority as an actor: the leader decides who is it, and everything that ends it is noticed.

use crate::scene::{
    LEADER, Scene, address, answer, facts, is_gone, next_start, node, refused, registered, send, token,
};
use odeon::{Address, NodeRef};
use odeon_convention::leader::{Answer, Effect as LeaderEffect, Operation};
use odeon_convention::member::{Effect, Input, Member, MemberConfig};
use odeon_convention::record::{AuthoritySetting, Registrants};
use odeon_convention::types::{AuthorityClaim, Role, SourceHash};
use odeon_convention::wire::{RevokedImage, ToLeader, ToMember};
use odeon_convention::{codes, limits};

fn actor(from: Registrants) -> AuthoritySetting {
    AuthoritySetting::Actor { from, answer_ms: limits::VERDICT_MS }
}

fn nodes(of: &[u8]) -> Registrants {
    Registrants::Nodes(of.iter().map(|n| node(*n).id).collect())
}

fn claim(address: Address) -> AuthorityClaim {
    AuthorityClaim { address, actor: "Judge".to_owned(), image: None }
}

// The leader.

fn set(scene: &mut Scene, authority: AuthoritySetting) {
    assert_eq!(scene.operate(Operation::SetAuthority(authority)), [answer(Answer::Done)]);
}

/// An actor asks; gives why it is refused.
fn ask(scene: &mut Scene, at: NodeRef, claim: AuthorityClaim) -> Option<String> {
    let by = claim.address;
    match scene.say(at, ToLeader::RegisterAuthority(claim)).as_slice() {
        [LeaderEffect::Send { to, message: ToMember::AuthorityAnswered { address, refusal } }] => {
            assert_eq!((*to, *address), (at, by));
            refusal.clone()
        }
        other => panic!("{other:?}"),
    }
}

fn registered_actor(scene: &Scene) -> Option<Address> {
    scene.leader.authority_actor().map(|who| who.address)
}

/// Two members, of which the first has an actor that is the authority.
fn with_authority() -> (Scene, Address) {
    let mut scene = Scene::of(2);
    set(&mut scene, actor(nodes(&[1, 2])));
    let judge = address(node(1), 1);
    assert_eq!(ask(&mut scene, node(1), claim(judge)), None);
    (scene, judge)
}

#[test]
fn nobody_is_the_authority_without_an_operators_permission() {
    let mut scene = Scene::of(2);
    let judge = address(node(1), 1);
    for setting in [AuthoritySetting::None, AuthoritySetting::AcceptAll] {
        set(&mut scene, setting);
        let why = ask(&mut scene, node(1), claim(judge)).expect("no actor may be");
        assert!(why.contains("odeon authority set actor"), "{why}");
    }
    set(&mut scene, actor(Registrants::Leaders));
    assert!(ask(&mut scene, node(1), claim(judge)).is_some_and(|why| why.contains("nodes that may lead")));
    set(&mut scene, actor(nodes(&[2])));
    assert!(ask(&mut scene, node(1), claim(judge)).is_some_and(|why| why.contains("that the operator named")));
    assert_eq!(registered_actor(&scene), None);
    assert_eq!(ask(&mut scene, node(2), claim(address(node(2), 1))), None);
}

#[test]
fn an_actor_on_a_node_that_may_lead_needs_no_further_word() {
    let mut scene = Scene::of(0);
    let fact = odeon_convention::record::TokenFact { role: Role::Leader, ..token(1, None, None) };
    scene.admit_with(fact, node(1));
    scene.join(node(1), facts(1, &[]));
    set(&mut scene, actor(Registrants::Leaders));
    assert_eq!(ask(&mut scene, node(1), claim(address(node(1), 1))), None);
}

#[test]
fn an_actor_that_the_operator_named_is_it_from_where_it_lives_only() {
    let mut scene = Scene::of(2);
    let judge = address(node(1), 1);
    set(&mut scene, actor(Registrants::Actor { address: judge, node: node(1) }));
    assert!(ask(&mut scene, node(2), claim(judge)).is_some(), "another node says that it has it");
    assert!(ask(&mut scene, node(1), claim(address(node(1), 2))).is_some(), "another actor of that node");
    assert_eq!(ask(&mut scene, node(1), claim(judge)), None);
}

#[test]
fn the_last_that_registers_is_the_authority_and_the_next_leader_knows_it() {
    let (mut scene, judge) = with_authority();
    let records = scene.ledger.len();
    assert_eq!(ask(&mut scene, node(1), claim(judge)), None);
    assert_eq!(scene.ledger.len(), records, "it is it already");
    let other = address(node(2), 1);
    assert_eq!(ask(&mut scene, node(2), claim(other)), None);
    let scene = scene.crash();
    assert_eq!(registered_actor(&scene), Some(other));
}

#[test]
fn its_exit_its_nodes_end_and_another_word_of_the_operator_end_it_and_nobody_is_it_then() {
    let (mut scene, judge) = with_authority();
    scene.say(node(2), ToLeader::AuthorityExited { address: judge });
    scene.say(node(1), ToLeader::AuthorityExited { address: address(node(1), 9) });
    assert_eq!(registered_actor(&scene), Some(judge), "neither another node nor another actor ends it");
    scene.say(node(1), ToLeader::AuthorityExited { address: judge });
    assert_eq!(registered_actor(&scene), None);

    let (mut scene, judge) = with_authority();
    assert_eq!(scene.operate(Operation::AuthorityMissing { address: address(node(1), 9) }), [answer(Answer::Done)]);
    assert_eq!(registered_actor(&scene), Some(judge));
    scene.operate(Operation::AuthorityMissing { address: judge });
    assert_eq!(registered_actor(&scene), None);

    let (mut scene, _) = with_authority();
    scene.say(node(1), ToLeader::Leave);
    assert_eq!(registered_actor(&scene), None, "its node left");

    let (mut scene, _) = with_authority();
    scene.join(next_start(node(1)), facts(1, &[]));
    assert_eq!(registered_actor(&scene), None, "its node started again");
    assert_eq!(registered_actor(&scene.crash()), None);

    let (mut scene, judge) = with_authority();
    set(&mut scene, actor(nodes(&[1, 2])));
    assert_eq!(registered_actor(&scene), Some(judge), "the same word again changes nothing");
    set(&mut scene, actor(nodes(&[2])));
    assert_eq!(registered_actor(&scene), None);
    set(&mut scene, AuthoritySetting::AcceptAll);
    assert_eq!(scene.leader.authority(), &AuthoritySetting::AcceptAll);
}

#[test]
fn what_is_revoked_is_no_authority() {
    let mut scene = Scene::of(2);
    set(&mut scene, actor(nodes(&[1])));
    let hash = SourceHash([7; 32]);
    let of_image = AuthorityClaim { image: Some(hash), ..claim(address(node(1), 1)) };
    assert_eq!(ask(&mut scene, node(1), of_image.clone()), None);
    let image = RevokedImage { hash, end: false };
    scene.operate(Operation::RevokeImage { image, reason: "it leaks".to_owned(), by: "a test".to_owned() });
    assert_eq!(registered_actor(&scene), None, "though it runs on");
    assert!(ask(&mut scene, node(1), of_image).is_some_and(|why| why.contains("was revoked")));
}

#[test]
fn two_that_take_turns_write_a_few_records_and_no_more() {
    let (mut scene, judge) = with_authority();
    let two = [(node(1), judge), (node(2), address(node(2), 1))];
    let mut turns = (0..100).map(|turn| two[(turn + 1) % 2]);
    let taken = turns.by_ref().take_while(|(at, address)| ask(&mut scene, *at, claim(*address)).is_none()).count();
    assert_eq!(taken, limits::TAKEOVERS_MAX - 1, "one was taken before");
    let records = scene.ledger.len();
    for (at, address) in turns {
        ask(&mut scene, at, claim(address));
    }
    assert_eq!(scene.ledger.len(), records);
    scene.pass(limits::TAKEOVERS_WITHIN_MS + 1, &[node(1), node(2)]);
    let (at, address) = two[usize::from(registered_actor(&scene) == Some(judge))];
    assert_eq!(ask(&mut scene, at, claim(address)), None, "after a while they may again");
}

#[test]
fn a_setting_is_bounded() {
    let mut scene = Scene::of(0);
    let too_many = nodes(&[1; limits::REGISTRANTS_MAX + 1]);
    for from in [nodes(&[]), too_many] {
        assert_eq!(refused(&scene.operate(Operation::SetAuthority(actor(from)))), Some(codes::BAD_REQUEST));
    }
    for answer_ms in [limits::VERDICT_MS_MIN - 1, limits::VERDICT_MS_MAX + 1] {
        let setting = AuthoritySetting::Actor { from: Registrants::Leaders, answer_ms };
        assert_eq!(refused(&scene.operate(Operation::SetAuthority(setting))), Some(codes::BAD_REQUEST));
    }
    assert_eq!(scene.leader.authority(), &AuthoritySetting::None);
}

#[test]
fn a_permission_is_the_same_after_a_snapshot() {
    for from in
        [Registrants::Leaders, nodes(&[1, 2]), Registrants::Actor { address: address(node(1), 1), node: node(1) }]
    {
        let mut facts = odeon_convention::leader::Facts::default();
        facts.apply(odeon_convention::record::Record::AuthoritySet { authority: actor(from.clone()) });
        let read = odeon_convention::leader::Facts::decode(&facts.encode().unwrap()).unwrap();
        assert_eq!(read.authority(), &actor(from));
    }
}

// The member.

struct Node(Member);

impl Node {
    fn joined() -> Self {
        let mut node = Self(Member::new(MemberConfig::default(), node(1), facts(1, &[]), 1));
        node.give(Input::Connected { leader: LEADER });
        node.hear(registered(1));
        node
    }

    fn give(&mut self, input: Input) -> Vec<Effect> {
        self.0.handle(10_000, input);
        std::iter::from_fn(|| self.0.next_effect()).collect()
    }

    fn hear(&mut self, message: ToMember) -> Vec<Effect> {
        self.give(Input::Received { from: LEADER, message })
    }

    /// What it says of authorities when it registers with another leader.
    fn says_to_the_next_leader(&mut self) -> Vec<ToLeader> {
        self.give(Input::Disconnected { leader: LEADER });
        self.give(Input::Connected { leader: LEADER });
        let said = self.hear(registered(2)).into_iter().filter_map(|effect| match effect {
            Effect::Send { message, .. } => Some(message),
            _ => None,
        });
        said.collect()
    }
}

fn exits(address: Address) -> Input {
    Input::Exited { address, global_name: None }
}

fn say(message: ToLeader) -> Effect {
    Effect::Send { to: LEADER, message }
}

fn judge() -> Address {
    address(node(1), 1)
}

fn answered(refusal: Option<&str>) -> ToMember {
    ToMember::AuthorityAnswered { address: judge(), refusal: refusal.map(str::to_owned) }
}

#[test]
fn a_claim_is_made_until_it_is_answered_and_not_again() {
    let mut node = Node::joined();
    let claims = ToLeader::RegisterAuthority(claim(judge()));
    assert_eq!(node.give(Input::ClaimAuthority(claim(judge()))), [say(claims.clone())]);
    assert_eq!(node.give(Input::ClaimAuthority(claim(judge()))), [], "however often it asks");
    assert_eq!(node.says_to_the_next_leader(), [claims], "the leader before may have lost it");
    let told = Effect::AuthorityAnswered { by: judge(), refusal: None };
    assert_eq!(node.hear(answered(None)), [told]);
    assert_eq!(node.hear(answered(None)), [], "it was asked twice");
    assert_eq!(node.says_to_the_next_leader(), [], "somebody else may be it by now");
}

#[test]
fn the_exit_of_one_that_may_be_the_authority_is_told_to_every_leader() {
    for answer in [Some(answered(None)), None] {
        let mut node = Node::joined();
        node.give(Input::ClaimAuthority(claim(judge())));
        answer.map(|answer| node.hear(answer));
        let exited = ToLeader::AuthorityExited { address: judge() };
        assert_eq!(node.give(exits(address(crate::scene::node(1), 2))), []);
        assert_eq!(node.give(exits(judge())), [say(exited.clone())]);
        assert_eq!(node.says_to_the_next_leader(), [exited]);
    }
}

#[test]
fn one_that_was_refused_is_nobody() {
    let mut node = Node::joined();
    node.give(Input::ClaimAuthority(claim(judge())));
    let told = Effect::AuthorityAnswered { by: judge(), refusal: Some("no".to_owned()) };
    assert_eq!(node.hear(answered(Some("no"))), [told]);
    assert_eq!(node.give(exits(judge())), []);
    assert_eq!(node.says_to_the_next_leader(), []);
}

#[test]
fn while_there_is_no_leader_those_that_ask_are_kept_in_their_order_and_are_bounded() {
    let mut node = Node::joined();
    node.give(Input::Disconnected { leader: LEADER });
    let other = address(crate::scene::node(1), 2);
    assert_eq!(node.give(Input::ClaimAuthority(claim(judge()))), []);
    assert_eq!(node.give(Input::ClaimAuthority(claim(other))), []);
    let asked = [claim(judge()), claim(other)].map(ToLeader::RegisterAuthority);
    assert_eq!(node.says_to_the_next_leader(), asked, "the last of them is it");
    node.give(Input::Disconnected { leader: LEADER });
    for n in 3..=limits::AUTHORITY_CLAIMS_MAX as u32 {
        assert_eq!(node.give(Input::ClaimAuthority(claim(address(crate::scene::node(1), n)))), []);
    }
    let one_more = address(crate::scene::node(1), 99);
    let refused = node.give(Input::ClaimAuthority(claim(one_more)));
    assert!(
        matches!(refused.as_slice(), [Effect::AuthorityAnswered { by, refusal: Some(_) }] if *by == one_more),
        "{refused:?}"
    );
}

#[test]
fn each_of_several_that_may_be_it_is_told_of_when_it_is_gone() {
    let mut node = Node::joined();
    let other = address(crate::scene::node(1), 2);
    node.give(Input::ClaimAuthority(claim(judge())));
    node.give(Input::ClaimAuthority(claim(other)));
    node.hear(answered(None));
    node.give(Input::Disconnected { leader: LEADER });
    for address in [judge(), other] {
        assert_eq!(node.give(exits(address)), []);
    }
    let told = [judge(), other].map(|address| ToLeader::AuthorityExited { address });
    assert_eq!(node.says_to_the_next_leader(), told, "which of them the leader took is not known here");
}

#[test]
fn a_node_that_is_gone_is_told_as_ever() {
    let (mut scene, _) = with_authority();
    let told = scene.say(node(1), ToLeader::Leave);
    assert_eq!(told, [send(node(2), is_gone(node(1), "it left"))], "members hear nothing of authorities");
}
