use crate::rig::plain;
use crate::table::{BASES, hold, holds_on};
use odeon::system::{ActorSystem, Base};
use odeon::{Context, Failure, Incarnation, MemberLost, NodeId, NodeRef, PoisonMessage, Topic, actor};
use std::time::Duration;

#[test]
fn what_an_actor_watches_goes_outside_in_its_order() {
    hold("watching::what_an_actor_watches_goes_outside_in_its_order", |rig| {
        let actor = rig.root(plain("curious", |_, cx| {
            cx.watch(Topic::Members);
            cx.watch(Topic::Images);
            cx.unwatch(Topic::Members);
            Ok(())
        }));
        rig.tell(actor, true);
        rig.until("it has asked", || rig.notes.watched.lock().unwrap().len() == 3);
        let asked = [(actor, Topic::Members, true), (actor, Topic::Images, true), (actor, Topic::Members, false)];
        assert_eq!(*rig.notes.watched.lock().unwrap(), asked);
    });
}

#[test]
fn whoever_wants_to_be_the_authority_is_named_outside() {
    hold("watching::whoever_wants_to_be_the_authority_is_named_outside", |rig| {
        let actor = rig.root(plain("judge", |_, cx| {
            cx.register_source_authority();
            Ok(())
        }));
        rig.tell(actor, true);
        rig.until("it has asked", || *rig.notes.authorities.lock().unwrap() == [actor]);
    });
}

#[test]
fn a_notification_that_fails_twice_comes_back_to_nobody() {
    hold("watching::a_notification_that_fails_twice_comes_back_to_nobody", |rig| {
        let actor = rig.root(plain("bitter", |message, cx| {
            if message.is::<bool>() {
                cx.reply(true);
                return Ok(());
            }
            Err(Failure::new("whatever it is"))
        }));
        let node = NodeRef { id: NodeId([1; 16]), incarnation: Incarnation(1) };
        rig.tell(actor, MemberLost { node, name: "far".into(), reason: "it left".into() });
        rig.tell(actor, true);
        rig.wait::<bool>(1);
        rig.until_idle();
        assert!(rig.got::<PoisonMessage>().is_empty());
    });
}

/// Watches everything, and says what it was told.
#[derive(Default)]
struct Curious {
    told: i64,
}

#[actor]
impl Curious {
    #[handler]
    fn ask(&mut self, begin: &bool, cx: &mut Context) {
        for topic in [Topic::Members, Topic::Capabilities, Topic::Images] {
            if *begin { cx.watch(topic) } else { cx.unwatch(topic) }
        }
        cx.update_capability("busy", *begin);
        cx.register_source_authority();
        cx.reply(self.told);
    }

    #[fallback]
    fn other(&mut self, _: &odeon::AnyMessage, _: &mut Context) {
        self.told += 1;
    }
}

#[test]
fn in_a_system_on_its_own_nothing_is_told_and_nothing_fails() {
    holds_on("watching::in_a_system_on_its_own_nothing_is_told_and_nothing_fails", &BASES);
    for base in [Base::Simple, Base::Threads, Base::Simulated] {
        let system = ActorSystem::new(base);
        let curious = system.create_actor::<Curious>().unwrap();
        for begin in [true, true, false] {
            assert_eq!(system.ask::<i64>(curious, begin, Duration::from_secs(60)).unwrap(), 0);
        }
        assert!(system.shutdown());
    }
}
