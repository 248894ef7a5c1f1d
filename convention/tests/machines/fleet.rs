//! A fleet that was written down is explained as its leader would.

use crate::scene::{Scene, facts, node, spec};
use odeon_capabilities::{Requirements, RequirementsError};
use odeon_convention::fleet::{FleetNode, explain};
use odeon_convention::leader::{Answer, Effect, Input, MemberState, Operation};
use odeon_convention::types::{CreateSpec, Explanation, Load, NearMiss, NodeFacts, Placement, Rejection};
use odeon_convention::wire::ToLeader;

/// Seven nodes, one of them draining, one without a link, one gone.
fn scene() -> Scene {
    let with = |n: u8, gpu: i64, zone: &str| NodeFacts {
        load: Load { actors: u32::from(n) },
        draining: n == 3,
        ..facts(n, &[("gpu", gpu.into()), ("zone", zone.into()), ("db", n.is_multiple_of(2).into())])
    };
    let zones = ["a", "b", "a", "b", "a", "c", "a"];
    let members: Vec<NodeFacts> = (1..).zip(zones).map(|(n, zone)| with(n, i64::from(n) % 4, zone)).collect();
    let mut scene = Scene::with(&members);
    scene.give(Input::Disconnected { node: node(1) });
    scene.say(node(7), ToLeader::Leave);
    scene
}

/// What `odeon nodes` would show of it, but for those that are gone.
fn written_down(scene: &Scene) -> Vec<FleetNode> {
    let living =
        |m: &odeon_convention::leader::MemberView| matches!(m.state, MemberState::Alive | MemberState::Suspect);
    let members = scene.leader.members(scene.now).into_iter().filter(living);
    members
        .map(|m| FleetNode {
            name: m.name,
            node: m.node,
            capabilities: m.capabilities,
            actors: m.actors,
            reachable: m.state == MemberState::Alive,
            draining: m.draining,
        })
        .collect()
}

#[test]
fn a_fleet_on_paper_is_explained_as_by_its_leader() {
    let mut scene = scene();
    let fleet = written_down(&scene);
    let wishes = [
        Requirements::none(),
        Requirements::none().require("db"),
        Requirements::none().require("db").equal("zone", "b").expression("gpu > 0"),
        Requirements::none().expression("gpu > 1").prefer("zone == 'c'", 1).prefer("zone == 'b'", 5),
        Requirements::none().prefer("gpu > 0", 2),
        Requirements::none().expression("tpu > 1").require("nothing"),
        Requirements::none().equal("gpu", 3).equal("zone", "a"),
    ];
    let mut accepted = 0;
    for requirements in wishes {
        for placement in [Placement::Local, Placement::Spread, Placement::Pack] {
            let asked = CreateSpec { requirements: requirements.clone(), placement, ..spec() };
            let effects = scene.operate(Operation::Explain(Box::new(asked)));
            let [Effect::Answer { answer: Answer::Explained(led), .. }] = effects.as_slice() else {
                panic!("{effects:?}")
            };
            let offline = explain(&fleet, &requirements, placement);
            assert_eq!(offline.as_ref(), Ok(led), "{requirements:?} {placement:?}");
            accepted += led.accepted;
        }
    }
    assert!(accepted > 20, "only {accepted} accepted: that proves little");
}

#[test]
fn it_names_who_lacks_what_and_who_would_be_chosen() {
    let fleet = written_down(&scene());
    let wanted = Requirements::none().equal("zone", "a").expression("gpu > 2");
    let rejection = |reason: &str, nodes, example: &str| Rejection {
        reason: reason.to_owned(),
        nodes,
        example: example.to_owned(),
    };
    let found = explain(&fleet, &wanted, Placement::Spread).unwrap();
    assert_eq!((found.nodes, found.accepted, found.chosen.as_deref()), (6, 0, None));
    let expected = [
        rejection("where gpu > 2 is false", 5, "n1"),
        rejection("capability \"zone\" is \"b\", not \"a\"", 2, "n2"),
        rejection("capability \"zone\" is \"c\", not \"a\"", 1, "n6"),
        rejection("is draining", 1, "n3"),
    ];
    assert_eq!(found.rejected, expected);
    assert_eq!(found.nearest[0], NearMiss { node: "n1".to_owned(), lacks: vec!["where gpu > 2 is false".to_owned()] });
    let any = explain(&fleet, &Requirements::none(), Placement::Spread).unwrap();
    assert_eq!((any.accepted, any.chosen.as_deref()), (5, Some("n2")), "n1 has fewer, but no link");
    let drawn = explain(&fleet, &Requirements::none(), Placement::LeastLoaded);
    assert_eq!(drawn, explain(&fleet, &Requirements::none(), Placement::LeastLoaded), "one answer to one question");
}

#[test]
fn a_fleet_of_nobody_is_no_error_and_a_wish_that_does_not_parse_is() {
    assert_eq!(explain(&[], &Requirements::none(), Placement::Local), Ok(Explanation::default()));
    let broken = explain(&[], &Requirements::none().expression("gpu >"), Placement::Local);
    assert!(matches!(broken, Err(RequirementsError::Parse { .. })), "{broken:?}");
}
