use crate::rig::{define, plain};
use crate::table::hold;
use odeon::system::{Spawn, SpawnError};
use odeon::{Address, AnyMessage, ChildActorExited, Context, Failure};

#[test]
fn a_child_that_cannot_be_created_is_an_address_of_nobody_and_its_creator_is_told() {
    hold("create::a_child_that_cannot_be_created_is_an_address_of_nobody_and_its_creator_is_told", |rig| {
        rig.offer(define("broken", || {
            assert!(std::hint::black_box(false), "no constructor today");
            Ok(|_: &AnyMessage, _: &mut Context| Ok(()))
        }));
        let me = rig.me();
        let creator = rig.root(plain("creator", move |message, cx| {
            if let Some(name) = message.get::<String>() {
                let child = cx.create_named(name.clone()).start();
                cx.send(child, 5i64);
                cx.send(me, child);
            } else if let Some(exited) = message.get::<ChildActorExited>() {
                cx.send(me, exited.clone());
            }
            Ok(())
        }));
        rig.tell(creator, String::from("broken"));
        rig.tell(creator, String::from("unheard of"));
        let told = rig.wait::<ChildActorExited>(2);
        let children = rig.wait::<Address>(2);
        // Between different senders a simulation keeps no order.
        if !rig.is_simulated() {
            assert_eq!(told.iter().map(|e| e.child).collect::<Vec<_>>(), children);
        }
        let why = |child| told.iter().find(|exited| exited.child == child).map(|exited| exited.reason.as_str());
        assert_eq!(why(children[0]), Some("the constructor of broken failed: panicked: no constructor today"));
        assert_eq!(why(children[1]), Some("nobody has unheard of"));
        rig.at_once("what they were sent is dead", || rig.dead() == ["integer", "integer"]);
        assert_eq!((rig.count(), rig.status(creator).unwrap().children), (1, 0));
    });
}

#[test]
fn what_is_sent_to_a_child_elsewhere_goes_outside_in_order() {
    hold("create::what_is_sent_to_a_child_elsewhere_goes_outside_in_order", |rig| {
        rig.notes.elsewhere.lock().unwrap().push("far".into());
        let creator = rig.root(plain("creator", |message, cx| {
            if message.is::<bool>() {
                let child = cx.create_named("far").start();
                (0..10i64).for_each(|n| cx.send(child, n));
                cx.reply(child);
            }
            Ok(())
        }));
        rig.tell(creator, true);
        let child = rig.wait::<Address>(1)[0];
        rig.child_exited(creator, child, "nobody made it");
        let sent = rig.notes.sent.lock().unwrap();
        assert!(sent.iter().all(|e| e.to == child && e.sender == creator));
        assert!(sent.iter().filter_map(|e| e.message.get::<i64>()).copied().eq(0..10));
    });
}

#[test]
fn a_global_name_belongs_to_one_actor_until_it_exits() {
    hold("create::a_global_name_belongs_to_one_actor_until_it_exits", |rig| {
        let spawn = || Spawn {
            definition: plain("king", |_, cx| {
                cx.exit();
                Ok(())
            }),
            parent: None,
            global_name: Some("king".into()),
            address: None,
        };
        let first = rig.spawn(spawn()).unwrap();
        assert_eq!(rig.spawn(spawn()), Err(SpawnError::NameTaken { name: "king".into(), by: first }));
        rig.offer(spawn().definition);
        let me = rig.me();
        let other = rig.root(plain("other", move |_, cx| {
            cx.send(me, cx.create_named("king").global_name("king").start());
            Ok(())
        }));
        rig.tell(other, true);
        assert_eq!(rig.wait::<Address>(1), [first]);
        rig.tell(first, true);
        rig.until("the first is gone", || rig.status(first).is_none());
        let second = rig.spawn(spawn()).unwrap();
        assert_ne!(first, second);
        assert_eq!(rig.named("king"), Some(second));
    });
}

#[test]
fn a_failing_constructor_leaves_nothing_behind() {
    hold("create::a_failing_constructor_leaves_nothing_behind", |rig| {
        let definition = define("never", || {
            if std::hint::black_box(true) {
                return Err(Failure::new("not today"));
            }
            Ok(|_: &AnyMessage, _: &mut Context| Ok(()))
        });
        let spawn = Spawn { definition, parent: None, global_name: Some("n".into()), address: None };
        let error = rig.spawn(spawn).unwrap_err();
        assert_eq!(error.to_string(), "the constructor of never failed: not today");
        assert_eq!((rig.count(), rig.named("n")), (0, None));
    });
}
