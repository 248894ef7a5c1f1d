use crate::rig::plain;
use crate::table::{Column, hold, holds_on};
use odeon::simulate::Simulation;
use odeon::system::{ActorSystem, Base};
use odeon::{
    Address, CapabilityMap, Context, Failure, Incarnation, MemberJoined, MemberLost, NodeId, NodeRef, PoisonMessage,
    Registry, Requirements, Topic, actor,
};
use std::time::Duration;

#[test]
fn what_an_actor_watches_goes_outside_in_its_order() {
    hold("watching::what_an_actor_watches_goes_outside_in_its_order", |rig| {
        let actor = rig.root(plain("curious", |message, cx| {
            // In a simulation it is told of members as well.
            if message.is::<bool>() {
                cx.watch(Topic::Members);
                cx.watch(Topic::Images);
                cx.unwatch(Topic::Members);
            }
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
    let alone = [Column::Simple, Column::Threads];
    holds_on("watching::in_a_system_on_its_own_nothing_is_told_and_nothing_fails", &alone);
    for base in [Base::Simple, Base::Threads] {
        let system = ActorSystem::new(base);
        let curious = system.create_actor::<Curious>().unwrap();
        for begin in [true, true, false] {
            assert_eq!(system.ask::<i64>(curious, begin, Duration::from_secs(60)).unwrap(), 0);
        }
        assert!(system.shutdown());
    }
}

/// Watches members from its first message on, and hands on what it is told.
#[derive(Default)]
struct Witness(Option<Address>);

impl Witness {
    fn say(&self, what: &str, node: NodeRef, name: &str, cx: &Context) {
        self.0.into_iter().for_each(|asker| cx.send(asker, format!("{what} {name}#{}", node.incarnation.0)));
    }
}

#[actor]
impl Witness {
    #[handler]
    fn begin(&mut self, _: &bool, cx: &mut Context) {
        self.0 = Some(cx.sender());
        cx.watch(Topic::Members);
    }

    #[handler]
    fn joined(&mut self, joined: &MemberJoined, cx: &mut Context) {
        assert_eq!(cx.sender(), cx.my_address());
        self.say("joined", joined.node, &joined.name, cx);
    }

    #[handler]
    fn lost(&mut self, lost: &MemberLost, cx: &mut Context) {
        self.say("lost", lost.node, &lost.name, cx);
    }
}

#[test]
fn who_watches_members_is_told_of_each_that_is_there_and_then_of_each_loss() {
    let test = "watching::who_watches_members_is_told_of_each_that_is_there_and_then_of_each_loss";
    holds_on(test, &[Column::Simulated]);
    for seed in 0..20 {
        let nodes = ["a", "b", "c"].map(|name| {
            let mut map = CapabilityMap::new();
            map.set(name, true).unwrap();
            (name, map)
        });
        let system = Simulation::new(Registry::new()).nodes(nodes).start(seed);
        let told = |watcher: Address| {
            let mut told = Vec::new();
            while let Some(heard) = system.listen(Duration::from_secs(60)) {
                assert_eq!(heard.sender, watcher);
                told.push(heard.message.take::<String>().unwrap());
            }
            told
        };
        let witness = |at: &str| {
            let witness = system.create_actor_with::<Witness>(Requirements::none().require(at)).unwrap();
            system.tell(witness, true);
            witness
        };
        let first = witness("a");
        assert_eq!(told(first), ["joined a#1", "joined b#1", "joined c#1"]);
        for _ in 0..2 {
            // A node is lost once.
            system.simulation().unwrap().lose(1);
        }
        assert_eq!(told(first), ["lost b#1"]);
        assert_eq!(told(witness("c")), ["joined a#1", "joined c#1"]);
        assert!(system.shutdown());
    }
}
