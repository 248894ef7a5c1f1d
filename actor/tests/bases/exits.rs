use crate::rig::{Rig, plain};
use crate::table::{Column, hold, holds_on};
use odeon::system::{Spawn, SpawnError};
use odeon::{ActorExitRequest, Address, ChildActorExited, Context, Definition, NodeRef};
use std::sync::{Arc, Mutex};

/// Creates a child of its own type for the message `true`, answers its address, and reports what exits.
fn node(me: Address) -> Definition {
    plain("node", move |message, cx| {
        if message.is::<bool>() {
            let child = cx.create_named("node").start();
            cx.send(me, child);
        } else if let Some(exited) = message.get::<ChildActorExited>() {
            cx.send(me, exited.clone());
        } else if let Some(name) = message.get::<String>() {
            assert_ne!(name, "fail");
            cx.exit();
            cx.exit();
        }
        Ok(())
    })
}

fn child_of(rig: &Rig, parent: Address) -> Address {
    let before = rig.got::<Address>().len();
    rig.tell(parent, true);
    rig.wait::<Address>(before + 1)[before]
}

#[test]
fn an_actor_is_handed_its_exit_request_and_destroyed_even_when_it_fails_on_it() {
    hold("exits::an_actor_is_handed_its_exit_request_and_destroyed_even_when_it_fails_on_it", |rig| {
        let actor = rig.root(plain("last words", |message, cx| {
            if message.is::<ActorExitRequest>() {
                cx.reply(true);
                panic!("not yet");
            }
            Ok(())
        }));
        rig.tell(actor, ActorExitRequest::default());
        rig.wait::<bool>(1);
        rig.until("it is gone", || rig.count() == 0);
        assert_eq!(rig.got::<bool>().len(), 1, "an exit request is given once");
        let exits = rig.notes.exits.lock().unwrap();
        assert_eq!((exits.len(), exits[0].actor, exits[0].parent), (1, actor, None));
    });
}

#[test]
fn a_recursive_exit_takes_the_whole_tree_and_each_parent_is_told_after_its_children() {
    hold("exits::a_recursive_exit_takes_the_whole_tree_and_each_parent_is_told_after_its_children", |rig| {
        rig.offer(node(rig.me()));
        let root = rig.root(node(rig.me()));
        let (a, b) = (child_of(&rig, root), child_of(&rig, root));
        let aa = child_of(&rig, a);
        let aaa = child_of(&rig, aa);
        rig.tell(a, ActorExitRequest::default());
        rig.until("the branch is gone", || rig.count() == 2);
        let told = rig.wait::<ChildActorExited>(1);
        assert_eq!(told.iter().map(|e| e.child).collect::<Vec<_>>(), [a], "exiting parents hear nothing");
        let order: Vec<_> = rig.notes.exits.lock().unwrap().iter().map(|e| e.actor).collect();
        assert_eq!(order, [aaa, aa, a]);
        assert!(rig.status(b).is_some());
        assert_eq!(rig.status(root).unwrap().children, 1);
    });
}

#[test]
fn a_tree_deeper_than_a_stack_exits() {
    hold("exits::a_tree_deeper_than_a_stack_exits", |rig| {
        const DEPTH: usize = 20_000;
        let definition = plain("link", |_, _| Ok(()));
        let mut parent = None;
        let mut first = None;
        for _ in 0..DEPTH {
            let spawn = Spawn { definition: definition.clone(), parent, global_name: None, address: None };
            parent = Some(rig.spawn(spawn).unwrap());
            first = first.or(parent);
        }
        assert_eq!(rig.count(), DEPTH);
        rig.tell(first.unwrap(), ActorExitRequest::default());
        rig.until("all are gone", || rig.count() == 0);
    });
}

#[test]
fn an_exit_that_is_not_recursive_leaves_the_children() {
    hold("exits::an_exit_that_is_not_recursive_leaves_the_children", |rig| {
        rig.offer(node(rig.me()));
        let root = rig.root(node(rig.me()));
        let child = child_of(&rig, root);
        rig.tell(root, ActorExitRequest { recursive: false });
        rig.until("the parent is gone", || rig.status(root).is_none());
        let grandchild = child_of(&rig, child);
        rig.at_once("the grandchild is there", || rig.status(grandchild).is_some());
        // When the parent is gone nobody is told.
        rig.tell(child, ActorExitRequest::default());
        rig.until("all are gone", || rig.count() == 0);
        assert!(rig.got::<ChildActorExited>().is_empty());
        assert!(rig.dead().is_empty());
    });
}

#[test]
fn an_actor_that_exits_by_itself_handles_its_current_message_only() {
    hold("exits::an_actor_that_exits_by_itself_handles_its_current_message_only", |rig| {
        rig.offer(node(rig.me()));
        let root = rig.root(node(rig.me()));
        let child = child_of(&rig, root);
        rig.tell(child, String::from("exit"));
        let told = rig.wait::<ChildActorExited>(1);
        assert_eq!(told, [ChildActorExited { child, reason: "it exited by itself".into() }]);
        rig.tell(child, 1i64);
        rig.until("the letter is dead", || rig.dead() == ["integer"]);
        assert_eq!(rig.got::<ChildActorExited>().len(), 1);
    });
}

#[test]
fn a_child_elsewhere_is_told_of_once() {
    hold("exits::a_child_elsewhere_is_told_of_once", |rig| {
        rig.notes.elsewhere.lock().unwrap().push("node".into());
        let root = rig.root(node(rig.me()));
        let child = child_of(&rig, root);
        assert!(child.is_promised());
        assert_eq!(*rig.notes.created.lock().unwrap(), [(child, Some(root), "node".to_owned())]);
        rig.child_exited(root, child, "its node died");
        rig.child_exited(root, child, "its node died again");
        rig.wait::<ChildActorExited>(1);
        rig.until_idle();
        assert_eq!(rig.got::<ChildActorExited>(), [ChildActorExited { child, reason: "its node died".into() }]);
        assert_eq!(rig.status(root).unwrap().children, 0);
    });
}

#[test]
fn an_exiting_parent_waits_for_its_children_elsewhere() {
    hold("exits::an_exiting_parent_waits_for_its_children_elsewhere", |rig| {
        rig.notes.elsewhere.lock().unwrap().push("node".into());
        let root = rig.root(node(rig.me()));
        let child = child_of(&rig, root);
        rig.tell(root, ActorExitRequest::default());
        rig.until("the child is asked", || rig.notes.sent.lock().unwrap().iter().any(|e| e.to == child));
        assert_eq!(rig.status(root).unwrap().state, odeon::system::ActorState::Exiting);
        rig.child_exited(root, child, "as it was asked");
        rig.until("the parent is gone", || rig.count() == 0);
    });
}

#[test]
fn an_actor_under_a_promised_address_lives_here_and_tells_both_sides() {
    hold("exits::an_actor_under_a_promised_address_lives_here_and_tells_both_sides", |rig| {
        let other = NodeRef { id: odeon::NodeId([9; 16]), incarnation: odeon::Incarnation(3) };
        let address = Address::mint_promised(other, 5, 77);
        let parent = Address::mint(other, 6, 78);
        let definition = plain("guest", |message, cx: &mut Context| {
            if message.is::<bool>() {
                cx.send(cx.my_address(), 1i64);
            } else if message.is::<i64>() {
                cx.exit();
            }
            Ok(())
        });
        let spawn = |definition| Spawn { definition, parent: Some(parent), global_name: None, address: Some(address) };
        assert_eq!(rig.spawn(spawn(definition.clone())), Ok(address));
        assert_eq!(rig.spawn(spawn(definition)), Err(SpawnError::AddressTaken(address)));
        rig.tell(address, true);
        rig.until("it is gone", || rig.count() == 0);
        let exits = rig.notes.exits.lock().unwrap();
        assert_eq!((exits[0].actor, exits[0].parent), (address, Some(parent)));
        rig.tell(address, true);
        assert_eq!(rig.dead(), ["bool"]);
        assert_eq!(rig.status(address), None);
    });
}

#[test]
fn children_are_asked_to_exit_in_the_order_of_their_creation() {
    let test = "exits::children_are_asked_to_exit_in_the_order_of_their_creation";
    holds_on(test, &[Column::Simple]);
    let rig = Rig::simple();
    let order = Arc::new(Mutex::new(Vec::new()));
    let o = order.clone();
    rig.offer(plain("child", move |message, cx| {
        if message.is::<ActorExitRequest>() {
            o.lock().unwrap().push(cx.my_address());
        }
        Ok(())
    }));
    let parent = rig.root(plain("parent", |message, cx| {
        if message.is::<bool>() {
            (0..50).for_each(|_| cx.reply(cx.create_named("child").start()));
        }
        Ok(())
    }));
    rig.tell(parent, true);
    let children = rig.wait::<Address>(50);
    rig.tell(parent, ActorExitRequest::default());
    rig.until("all are gone", || rig.count() == 0);
    assert_eq!(*order.lock().unwrap(), children);
}
