//! The end of a process, talked to as a node does.

use super::*;
use crate::{CapabilityView, Incarnation, Message, NodeId, NodeRef, actor};

#[derive(Default)]
struct Echo(i64);

#[actor]
impl Echo {
    #[handler]
    fn told(&mut self, what: &String, cx: &mut Context) {
        match what.as_str() {
            "panic" => panic!("as told"),
            "child" => {
                let child = cx.create_actor::<Echo>().start();
                cx.send(child, self.0);
            }
            _ => cx.reply(what.clone()),
        }
        self.0 += 1;
    }

    #[capability_check]
    fn check(capabilities: &dyn CapabilityView, _: &Requirements) -> bool {
        capabilities.is_true("gpu")
    }
}

fn address(slot: u32) -> Address {
    Address::mint(NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(1) }, slot, 4)
}

/// The node's end, after the handshake.
fn node() -> UnixStream {
    let (mut node, child) = UnixStream::pair().unwrap();
    std::thread::spawn(move || serve_over(Registry::new().with::<Echo>(), child));
    say(&mut node, ToChild::Hello { version_min: 1, version_max: 2, image: "ab".into(), node: "n".into() });
    assert!(matches!(hear(&mut node), FromChild::Hello { version: 2, .. }));
    node
}

fn say(node: &mut UnixStream, frame: ToChild) {
    write(node, &frame).unwrap();
}

fn hear(node: &mut UnixStream) -> FromChild {
    read(node).unwrap().unwrap()
}

fn tell(node: &mut UnixStream, what: &str) {
    let bytes = AnyMessage::new(what.to_owned()).encode().unwrap().bytes;
    let name = String::NAME.to_owned();
    say(node, ToChild::Receive { actor: 1, address: address(1), sender: address(2), name, bytes });
}

#[test]
fn a_registry_is_described_and_its_actors_are_built_and_receive() {
    let mut node = node();
    say(&mut node, ToChild::Describe { call: 1 });
    let FromChild::Described { call: 1, actors } = hear(&mut node) else { panic!("not described") };
    assert_eq!(actors, [Described { name: "Echo".into(), required: vec![] }]);
    say(&mut node, ToChild::Build { actor: 1, name: "Echo".into() });
    assert_eq!(hear(&mut node), FromChild::Built { actor: 1, error: None });
    tell(&mut node, "hello");
    assert!(matches!(hear(&mut node), FromChild::Send { actor: 1, to, .. } if to == address(2)));
    assert_eq!(hear(&mut node), FromChild::Done { actor: 1, error: None });
    tell(&mut node, "panic");
    assert_eq!(hear(&mut node), FromChild::Done { actor: 1, error: Some("panicked: as told".into()) });
    tell(&mut node, "child");
    assert!(matches!(hear(&mut node), FromChild::Create { actor: 1, request } if request.actor == "Echo"));
    say(&mut node, ToChild::Created { actor: 1, child: address(3) });
    assert!(matches!(hear(&mut node), FromChild::Send { to, .. } if to == address(3)));
    assert_eq!(hear(&mut node), FromChild::Done { actor: 1, error: None });
    say(&mut node, ToChild::Drop { actor: 1 });
    say(&mut node, ToChild::Build { actor: 2, name: "Nobody".into() });
    let FromChild::Built { error: Some(error), .. } = hear(&mut node) else { panic!("built") };
    assert!(error.contains("Nobody"), "{error}");
}

#[test]
fn a_check_reads_the_nodes_capabilities_one_by_one() {
    let mut node = node();
    for (value, accepts) in [(Some(Value::Bool(true)), true), (None, false)] {
        say(&mut node, ToChild::Check { call: 5, actor: "Echo".into(), requirements: Requirements::none() });
        assert_eq!(hear(&mut node), FromChild::Read { call: 5, key: "gpu".into() });
        say(&mut node, ToChild::Capability { call: 5, value });
        assert_eq!(hear(&mut node), FromChild::Checked { call: 5, accepted: accepts, error: None });
    }
}

#[test]
fn a_node_of_another_version_is_not_served() {
    let (mut node, child) = UnixStream::pair().unwrap();
    say(&mut node, ToChild::Hello { version_min: 3, version_max: 4, image: "ab".into(), node: "n".into() });
    let served = serve_over(Registry::new(), child);
    assert!(matches!(served, Err(ServeError::Version { min: 3, max: 4 })), "{served:?}");
}
