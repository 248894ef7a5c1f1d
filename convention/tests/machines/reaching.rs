//! Nodes that only dial: how others come to a link with them, and where nobody fetches images.

use crate::scene::{LEADER, Scene, facts, image, leading, node, send, spec};
use odeon_convention::leader::{Effect, Input, Operation};
use odeon_convention::limits;
use odeon_convention::member::{self, Member, MemberConfig};
use odeon_convention::types::{CreateSpec, ImageApproval, NodeFacts};
use odeon_convention::wire::{ToLeader, ToMember};

fn only_dials(n: u8) -> NodeFacts {
    NodeFacts { listen: String::new(), ..facts(n, &[]) }
}

fn located(of: u8, listen: &str) -> ToMember {
    ToMember::Located { node: node(of).id, at: Some((node(of), listen.to_owned())) }
}

fn reach(asker: u8) -> ToMember {
    ToMember::Reach { node: node(asker), listen: format!("10.0.0.{asker}:1") }
}

#[test]
fn a_node_that_only_dials_is_told_to_dial_whoever_looks_for_it() {
    let mut scene = Scene::with(&[facts(1, &[]), only_dials(2), only_dials(3)]);
    let look_for = |n: u8| ToLeader::Locate { node: node(n).id };
    let told = [send(node(2), reach(1)), send(node(1), located(2, ""))];
    assert_eq!(scene.say(node(1), look_for(2)), told);
    assert_eq!(scene.say(node(1), look_for(2)), told, "as often as somebody looks");
    assert_eq!(scene.say(node(2), look_for(1)), [send(node(2), located(1, "10.0.0.1:1"))], "the other way it dials");
    assert_eq!(scene.say(node(3), look_for(2)), [send(node(3), located(2, ""))], "two of them need a relay");
    assert_eq!(scene.say(node(2), look_for(2)), [send(node(2), located(2, ""))]);
    scene.give(Input::Disconnected { node: node(2) });
    assert_eq!(scene.say(node(1), look_for(2)), [send(node(1), located(2, ""))], "it hears nothing now");
}

#[test]
fn an_image_is_not_fetched_from_a_node_that_only_dials() {
    let mut scene = Scene::with(&[facts(1, &[("db", true.into())]), only_dials(2), facts(3, &[])]);
    let image = image(1, "1.0");
    scene.operate(Operation::JudgeImage {
        image: image.clone(),
        approved: true,
        by: "accept-all".to_owned(),
        approval: ImageApproval::default(),
    });
    for holder in [2, 3] {
        scene.say(node(holder), ToLeader::ImageHeld { hash: image.hash, held: true });
    }
    let spec = CreateSpec { actor: "Hello".to_owned(), image: Some(image.hash), on: Some(node(1).id), ..spec() };
    let effects = scene.operate(Operation::Create(Box::new(spec)));
    let sources = effects.iter().find_map(|effect| match effect {
        Effect::Send { to, message: ToMember::Place { sources, .. } } if *to == node(1) => Some(sources.clone()),
        _ => None,
    });
    assert_eq!(sources, Some(vec![node(3), LEADER]), "{effects:?}");
}

#[test]
fn a_member_dials_whom_its_leader_names_and_nobody_elses_word_counts() {
    let mut member = Member::new(MemberConfig::default(), node(2), only_dials(2), 1);
    let mut hear = |from, message| {
        member.handle(0, member::Input::Received { from, message });
        std::iter::from_fn(|| member.next_effect()).collect::<Vec<_>>()
    };
    hear(LEADER, leading(1));
    let listen = "10.0.0.1:1".to_owned();
    assert_eq!(hear(LEADER, reach(1)), [member::Effect::Reach { node: node(1), listen }]);
    assert_eq!(hear(node(3), reach(1)), []);
    assert_eq!(hear(LEADER, reach(2)), [], "itself");
    for listen in [String::new(), "x".repeat(limits::LISTEN_BYTES_MAX + 1)] {
        assert_eq!(hear(LEADER, ToMember::Reach { node: node(1), listen }), []);
    }
}
