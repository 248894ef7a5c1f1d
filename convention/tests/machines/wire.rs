//! The codec: what is written is read back, and nothing else panics.

use crate::scene::{address, facts, image, named, node, request};
use odeon_convention::limits;
use odeon_convention::types::{AuthorityClaim, CreateSpec, Hosted, Load, NodeFacts};
use odeon_convention::watching::{ChangedEntry, ImageEntry, MemberEntry, Part, Since, Watched};
use odeon_convention::wire::{CodecError, PlaceOutcome, ToLeader, ToMember, decode, encode};
use proptest::prelude::*;

fn some_message() -> impl Strategy<Value = ToLeader> {
    prop_oneof![
        any::<u32>().prop_map(|actors| ToLeader::Renew { load: Load { actors } }),
        any::<u32>().prop_map(|actors| ToLeader::Pong { load: Load { actors } }),
        (any::<u8>(), any::<i64>(), any::<bool>()).prop_map(|(n, v, hosts)| {
            let mut facts = facts(n, &[("db", true.into()), ("ram", v.into()), ("zone", "ä".into())]);
            if hosts {
                let global_name = Some(format!("name-{n}"));
                facts.hosted.push(Hosted {
                    request: request(n, 1),
                    address: address(node(n), 1),
                    global_name,
                    distinct: (v > 0).then(|| "red".to_owned()),
                });
            }
            facts.draining = v % 2 == 0;
            ToLeader::Register(Box::new(facts))
        }),
        (any::<u8>(), any::<u64>(), any::<bool>(), ".{0,20}").prop_map(|(n, number, again, name)| {
            let mut spec = named(&name);
            spec.requirements = spec.requirements.require("db").equal("zone", "a").expression("a > 1").prefer("b", 3);
            spec.image = Some(image(n, "1").hash);
            spec.distinct = again.then(|| name.clone());
            ToLeader::Create { request: request(n, number), again, spec: Box::new(spec) }
        }),
        (any::<u8>(), ".{0,20}").prop_map(|(n, group)| ToLeader::GroupFreed { group, request: request(n, 1) }),
        any::<bool>().prop_map(|draining| ToLeader::Draining { draining }),
        (any::<u64>(), any::<bool>(), any::<bool>(), some_since()).prop_map(
            |(watch, members, images, capabilities)| { ToLeader::Watch { watch, members, images, capabilities } }
        ),
        any::<u64>().prop_map(|watch| ToLeader::WatchNext { watch }),
        any::<u64>().prop_map(|upto| ToLeader::GoneSince { upto }),
        any::<u64>().prop_map(|upto| ToLeader::RevokedSince { upto }),
        (any::<u64>(), any::<u8>())
            .prop_map(|(upto, n)| { ToLeader::RevocationsDone { upto, dropped: vec![image(n, "1").hash] } }),
        (any::<u8>(), ".{0,20}", any::<bool>()).prop_map(|(n, actor, has_image)| {
            let image = has_image.then(|| image(n, "1").hash);
            ToLeader::RegisterAuthority(AuthorityClaim { address: address(node(n), 1), actor, image })
        }),
        any::<u8>().prop_map(|n| ToLeader::AuthorityExited { address: address(node(n), 1) }),
        ".{0,40}"
            .prop_map(|reason| ToLeader::Placed { request: request(1, 2), outcome: PlaceOutcome::Refused { reason } }),
    ]
}

fn some_since() -> impl Strategy<Value = Option<Since>> {
    prop_oneof![Just(None), Just(Some(Since::Now)), any::<u64>().prop_map(|record| Some(Since::Record(record)))]
}

fn some_watched() -> impl Strategy<Value = ToMember> {
    let part = prop_oneof![Just(Part::Page), Just(Part::LastPage), Just(Part::Change)];
    (any::<u64>(), any::<u64>(), part, any::<u8>(), ".{0,20}").prop_map(|(watch, number, part, n, text)| {
        let facts = facts(n, &[("db", true.into()), ("zone", text.as_str().into())]);
        let NodeFacts { name, listen, capabilities, .. } = facts;
        let member = MemberEntry { node: node(n), name, listen, capabilities };
        let changed = vec![ChangedEntry { member: member.clone(), keys: vec![text.clone()] }];
        let members = vec![member];
        let hash = image(n, "1").hash;
        let images = vec![ImageEntry { hash, name: text, version: "1.0.0".to_owned() }];
        let unavailable = vec![hash];
        let upto = number.wrapping_mul(7);
        ToMember::Watched(Box::new(Watched { watch, number, part, members, images, unavailable, changed, upto }))
    })
}

proptest! {
    #[test]
    fn what_a_watching_member_is_told_is_read_back_and_a_damaged_one_harms_nobody(
        message in some_watched(), at: usize, with: u8,
    ) {
        let mut bytes = encode(&message).unwrap();
        prop_assert_eq!(decode::<ToMember>(&bytes), Ok(message));
        let at = at % bytes.len();
        bytes[at] ^= with;
        let _ = decode::<ToMember>(&bytes);
    }

    #[test]
    fn a_message_is_read_back_as_it_was(message in some_message()) {
        let bytes = encode(&message).unwrap();
        prop_assert_eq!(decode::<ToLeader>(&bytes), Ok(message));
    }

    #[test]
    fn bytes_after_a_message_are_refused(message in some_message(), more in 1usize..9) {
        let mut bytes = encode(&message).unwrap();
        bytes.extend(std::iter::repeat_n(0xc0, more));
        let refused = matches!(decode::<ToLeader>(&bytes), Err(CodecError::Trailing { trailing, .. }) if trailing == more);
        prop_assert!(refused);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode::<ToLeader>(&bytes);
        let _ = decode::<ToMember>(&bytes);
    }

    #[test]
    fn a_damaged_message_does_not_make_the_decoder_panic(message in some_message(), at: usize, with: u8) {
        let mut bytes = encode(&message).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= with;
        let _ = decode::<ToLeader>(&bytes);
    }
}

/// What a node says of itself that does not know of draining.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct EarlierFacts {
    name: String,
    listen: String,
    capabilities: odeon_capabilities::CapabilityMap,
    capabilities_version: u64,
    natives: Vec<odeon_convention::types::NativeActor>,
    images: Vec<odeon_convention::types::SourceHash>,
    load: Load,
    hosted: Vec<Hosted>,
}

/// A creation and what hosts it, where nobody knows of groups.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct EarlierSpec {
    actor: String,
    image: Option<odeon_convention::types::SourceHash>,
    requirements: odeon_capabilities::Requirements,
    global_name: Option<String>,
    placement: odeon_convention::types::Placement,
    on: Option<odeon::NodeId>,
    parent: Option<odeon::Address>,
    promised: Option<odeon::Address>,
}

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct EarlierHosted {
    request: odeon_convention::types::RequestId,
    address: odeon::Address,
    global_name: Option<String>,
}

#[test]
fn a_node_that_does_not_know_of_groups_is_read_and_reads() {
    let spec = named("clock");
    let (actor, requirements, placement) = (spec.actor.clone(), spec.requirements.clone(), spec.placement);
    let (image, on, parent, promised, global_name) = (None, None, None, None, spec.global_name.clone());
    let earlier = EarlierSpec { actor, image, requirements, global_name, placement, on, parent, promised };
    assert_eq!(decode::<CreateSpec>(&encode(&earlier).unwrap()).as_ref(), Ok(&spec));
    assert_eq!(decode::<EarlierSpec>(&encode(&spec).unwrap()), Ok(earlier));
    let grouped = CreateSpec { distinct: Some("red".to_owned()), ..spec };
    assert_eq!(decode::<CreateSpec>(&encode(&grouped).unwrap()), Ok(grouped));

    let hosted = Hosted { request: request(1, 1), address: address(node(1), 1), global_name: None, distinct: None };
    let earlier = EarlierHosted { request: hosted.request, address: hosted.address, global_name: None };
    assert_eq!(decode::<Hosted>(&encode(&earlier).unwrap()).as_ref(), Ok(&hosted));
    assert_eq!(decode::<EarlierHosted>(&encode(&hosted).unwrap()), Ok(earlier));
    let grouped = Hosted { distinct: Some("red".to_owned()), ..hosted };
    assert_eq!(decode::<Hosted>(&encode(&grouped).unwrap()), Ok(grouped));
}

#[test]
fn a_node_that_does_not_know_of_draining_is_read_and_reads() {
    let now = facts(1, &[("gpu", 1.into())]);
    let (name, listen, natives) = (now.name.clone(), now.listen.clone(), now.natives.clone());
    let capabilities = now.capabilities.clone();
    let (images, hosted, load) = (vec![], vec![], Load::default());
    let earlier = EarlierFacts { name, listen, capabilities, capabilities_version: 0, natives, images, load, hosted };
    assert_eq!(decode::<NodeFacts>(&encode(&earlier).unwrap()).as_ref(), Ok(&now));
    assert_eq!(decode::<EarlierFacts>(&encode(&now).unwrap()), Ok(earlier));
    let draining = NodeFacts { draining: true, ..now };
    assert_eq!(decode::<NodeFacts>(&encode(&draining).unwrap()), Ok(draining));
}

#[test]
fn a_frame_longer_than_the_limit_is_refused_before_it_is_read() {
    let bytes = vec![0xc0; limits::MESSAGE_BYTES_MAX + 1];
    assert_eq!(decode::<ToMember>(&bytes), Err(CodecError::TooLong { bytes: bytes.len() }));
}

#[test]
fn values_inside_each_other_without_end_are_refused() {
    let bytes = vec![0x91; 100_000];
    assert!(matches!(decode::<ToMember>(&bytes), Err(CodecError::Malformed { .. })));
    let value = vec![0x91; 100_000];
    assert!(rmp_serde::from_slice::<odeon_capabilities::Value>(&value).is_err());
}
