//! What actors may ask of their system, and programs of theirs.

use crate::rig::{BOUND, Rig, plain};
use crate::table::{BASES, Column, hold, holds_on};
use odeon::host::CreateRequest;
use odeon::system::{ActorSystem, Base, CreateError, Envelope};
use odeon::{
    ActorStatusReport, Address, AnyMessage, CapabilityView, Context, DeadLetter, Failure, Incarnation, NodeId, NodeRef,
    NodeStatusReport, Requirements, actor,
};
use std::time::Duration;

/// Handles dead letters as it is told, and hands on what it gets.
fn undertaker(me: Address) -> odeon::Definition {
    plain("undertaker", move |message, cx| {
        if let Some(on) = message.get::<bool>() {
            cx.handle_dead_letters(*on);
            cx.reply(*on);
        } else if let Some(letter) = message.get::<DeadLetter>() {
            assert_eq!(cx.sender(), cx.my_address());
            cx.send(me, letter.clone());
        } else if message.is::<String>() {
            cx.exit();
        }
        Ok(())
    })
}

fn letters(rig: &Rig) -> Vec<(Address, Address, String)> {
    let letters = rig.got::<DeadLetter>();
    letters.into_iter().map(|letter| (letter.to, letter.sender, letter.message.name().to_owned())).collect()
}

#[test]
fn dead_letters_go_to_the_last_actor_that_asked_for_them_until_it_is_gone() {
    hold("api::dead_letters_go_to_the_last_actor_that_asked_for_them_until_it_is_gone", |rig| {
        let (first, second) = (rig.root(undertaker(rig.me())), rig.root(undertaker(rig.me())));
        let gone = rig.root(plain("gone", |_, cx| {
            cx.exit();
            Ok(())
        }));
        rig.tell(gone, true);
        rig.until("it is gone", || rig.count() == 2);
        rig.tell(gone, 1i64);
        rig.until("nobody wanted it", || rig.dead().len() == 1);
        rig.tell(first, true);
        rig.wait::<bool>(1);
        rig.tell(gone, 1i64);
        rig.wait::<DeadLetter>(1);
        rig.tell(second, true);
        rig.wait::<bool>(2);
        // Only the one that is it can give it up.
        rig.tell(first, false);
        rig.wait::<bool>(3);
        rig.tell(gone, 1.5f64);
        rig.wait::<DeadLetter>(2);
        assert_eq!(letters(&rig), [(gone, rig.me(), "integer".into()), (gone, rig.me(), "float".into())]);
        rig.tell(second, String::from("exit"));
        rig.until("it is gone too", || rig.count() == 1);
        rig.tell(gone, 1i64);
        rig.tell(second, 1i64);
        rig.until("they were counted", || rig.dead().len() == 5);
        assert_eq!(rig.got::<DeadLetter>().len(), 2);
    });
}

#[test]
fn a_letter_that_the_handler_cannot_be_told_of_goes_round_in_no_circle() {
    hold("api::a_letter_that_the_handler_cannot_be_told_of_goes_round_in_no_circle", |rig| {
        // What it sends on finds nobody, and is a dead letter again.
        let nobody = rig.root(plain("nobody", |_, cx| {
            cx.exit();
            Ok(())
        }));
        rig.tell(nobody, true);
        rig.until("it is gone", || rig.count() == 0);
        let undertaker = rig.root(undertaker(nobody));
        rig.tell(undertaker, true);
        rig.wait::<bool>(1);
        rig.tell(nobody, 1i64);
        rig.until("both are counted", || rig.dead() == ["integer", "odeon.DeadLetter"]);
        rig.until_idle();
        assert_eq!(rig.dead().len(), 2);
    });
}

#[test]
fn an_actor_is_told_how_another_one_is_though_that_is_stuck_or_gone() {
    holds_on("api::an_actor_is_told_how_another_one_is_though_that_is_stuck_or_gone", &[Column::Threads]);
    let rig = Rig::threads(2);
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let stopped = std::sync::Mutex::new(stopped);
    let stuck = rig.root(plain("stuck", move |_, _| {
        let _ = stopped.lock().unwrap().recv();
        Ok(())
    }));
    let me = rig.me();
    let asker = rig.root(plain("asker", move |message, cx| {
        if let Some(of) = message.get::<Address>() {
            cx.request_status(*of);
        } else if let Some(report) = message.get::<ActorStatusReport>() {
            assert_eq!(cx.sender(), report.of);
            cx.send(me, report.clone());
        }
        Ok(())
    }));
    rig.tell(stuck, true);
    rig.tell(stuck, true);
    rig.until("it is stuck", || rig.status(stuck).unwrap().received == 1);
    rig.tell(asker, stuck);
    let report = rig.wait::<ActorStatusReport>(1).remove(0);
    let status = report.status.unwrap();
    assert_eq!((report.of, status.actor.as_str(), status.state.as_str()), (stuck, "stuck", "running"));
    assert_eq!((status.received, status.queued, status.children), (1, 1, 0));
    let gone = Address::mint(crate::rig::NODE, 77, 1);
    rig.tell(asker, gone);
    assert_eq!(rig.wait::<ActorStatusReport>(2)[1], ActorStatusReport { of: gone, status: None });
    let far = odeon::NodeRef { id: odeon::NodeId([9; 16]), incarnation: odeon::Incarnation(1) };
    rig.tell(asker, Address::mint(far, 1, 1));
    rig.until("another node is asked", || rig.notes.sent.lock().unwrap().len() == 1);
    assert_eq!(rig.notes.sent.lock().unwrap()[0].message.name(), "odeon.ActorStatusRequest");
    drop(stop);
    assert!(rig.shutdown(BOUND));
}

#[derive(Default)]
struct Echo;

#[actor]
impl Echo {
    #[handler]
    fn number(&mut self, number: &i64, cx: &mut Context) {
        cx.reply(*number);
    }

    #[handler]
    fn shut_down(&mut self, _: &String, cx: &mut Context) {
        cx.shut_down_system();
        let child = cx.create_actor::<Echo>().start();
        cx.send(child, 1i64);
    }
}

#[test]
fn an_actor_shuts_its_system_down_and_nothing_is_created_then() {
    holds_on("api::an_actor_shuts_its_system_down_and_nothing_is_created_then", &[Column::Simple, Column::Threads]);
    for base in [Base::Simple, Base::Threads] {
        let system = ActorSystem::new(base);
        let (first, second) = (system.create_actor::<Echo>().unwrap(), system.create_actor::<Echo>().unwrap());
        system.tell(first, String::from("shut down"));
        assert!(system.shutdown());
        assert!(matches!(system.create_actor::<Echo>(), Err(CreateError::Spawn(_))));
        assert!(system.ask::<i64>(second, 1i64, BOUND).is_err());
    }
}

#[test]
fn where_actors_may_not_shut_down_they_do_not() {
    hold("api::where_actors_may_not_shut_down_they_do_not", |rig| {
        rig.offer(odeon::Definition::of::<Echo>());
        let actor = rig.root(odeon::Definition::of::<Echo>());
        rig.tell(actor, String::from("shut down"));
        rig.tell(actor, 1i64);
        rig.wait::<i64>(1);
        assert!(rig.notes.logs.lock().unwrap().iter().any(|(_, line)| line.contains("not for actors here")));
    });
}

#[test]
fn an_actor_is_told_how_one_is_wherever_that_lives() {
    hold("api::an_actor_is_told_how_one_is_wherever_that_lives", |rig| {
        let me = rig.me();
        let asker = rig.root(plain("asker", move |message, cx| {
            if let Some(of) = message.get::<Address>() {
                cx.request_status(*of);
            } else if let Some(report) = message.get::<ActorStatusReport>() {
                assert_eq!(cx.sender(), report.of);
                cx.send(me, report.clone());
            }
            Ok(())
        }));
        let others: Vec<_> = (0..4).map(|_| rig.root(odeon::Definition::of::<Echo>())).collect();
        for (nth, other) in others.iter().enumerate() {
            rig.tell(asker, *other);
            let report = rig.wait::<ActorStatusReport>(nth + 1).remove(nth);
            let status = report.status.unwrap();
            assert_eq!((report.of, status.actor.as_str(), status.received), (*other, "Echo", 0));
        }
        rig.tell(others[0], odeon::ActorExitRequest::default());
        rig.until("it is gone", || rig.count() == 4);
        rig.tell(asker, others[0]);
        assert_eq!(rig.wait::<ActorStatusReport>(5)[4], ActorStatusReport { of: others[0], status: None });
    });
}

#[test]
fn every_private_context_hears_what_is_for_it_and_nothing_else() {
    holds_on("api::every_private_context_hears_what_is_for_it_and_nothing_else", &[Column::Simple, Column::Threads]);
    for base in [Base::Simple, Base::Threads] {
        let system = ActorSystem::new(base);
        let echo = system.create_actor::<Echo>().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4i64 {
                let system = &system;
                scope.spawn(move || {
                    let mine = system.private().unwrap();
                    (0..100).for_each(|n| mine.tell(echo, thread * 1_000 + n));
                    for n in 0..100 {
                        let Envelope { sender, message, to } = mine.listen(BOUND).unwrap();
                        assert_eq!((sender, to), (echo, mine.address()));
                        assert_eq!(message.get::<i64>(), Some(&(thread * 1_000 + n)));
                    }
                    assert_eq!(mine.ask::<i64>(echo, 5i64, BOUND).unwrap(), 5);
                    assert!(mine.listen(Duration::ZERO).is_none());
                });
            }
        });
        assert!(system.listen(Duration::ZERO).is_none());
        assert!(system.shutdown());
    }
}

#[derive(Default)]
struct Database;

#[actor]
#[require_capability("Has DB access")]
impl Database {
    #[handler]
    fn set(&mut self, key: &String, cx: &mut Context) {
        cx.update_capability(key.clone(), false);
    }

    #[handler]
    fn number(&mut self, number: &i64, cx: &mut Context) -> Result<(), Failure> {
        cx.reply(*number);
        Ok(())
    }

    #[capability_check]
    fn check(capabilities: &dyn CapabilityView, _: &Requirements) -> bool {
        capabilities.value("zone") != Some("closed".into())
    }
}

#[test]
fn actors_whose_check_holds_no_more_exit_when_capabilities_change() {
    holds_on("api::actors_whose_check_holds_no_more_exit_when_capabilities_change", &BASES);
    for base in [Base::Simple, Base::Threads, Base::Simulated] {
        let system = ActorSystem::new(base);
        let gone = |actor: Address| {
            let deadline = std::time::Instant::now() + BOUND;
            let status = || match system.simulation() {
                Some(simulated) => simulated.status(actor),
                None => system.system().status(actor),
            };
            while status().is_some() {
                assert!(std::time::Instant::now() < deadline, "it is still there");
                system.listen(Duration::from_millis(1));
            }
        };
        system.update_capability("Has DB access", Some(true.into())).unwrap();
        system.update_capability("zone", Some("eu".into())).unwrap();
        let echo = system.create_actor::<Echo>().unwrap();
        let first = system.create_actor::<Database>().unwrap();
        system.update_capability("zone", Some("us".into())).unwrap();
        assert_eq!(system.ask::<i64>(first, 1i64, BOUND).unwrap(), 1, "it may stay");
        system.update_capability("zone", Some("closed".into())).unwrap();
        gone(first);
        system.update_capability("zone", None).unwrap();
        // What the creator asked for counts as well, and an actor changes capabilities like the program does.
        let second = system.create_actor::<Database>().unwrap();
        let picky = CreateRequest::named("Echo").requirements(Requirements::none().require("Has DB access"));
        let picky = system.create(picky).unwrap();
        system.tell(second, String::from("Has DB access"));
        gone(second);
        gone(picky);
        assert_eq!(system.ask::<i64>(echo, 1i64, BOUND).unwrap(), 1);
        assert!(system.shutdown());
    }
}

/// Says how its node is, or, told a number, one that nobody knows.
#[derive(Default)]
struct Gauge {
    asked: Option<Address>,
}

#[actor]
impl Gauge {
    #[handler]
    fn own(&mut self, _: &String, cx: &mut Context) {
        self.asked = Some(cx.sender());
        cx.request_node_status();
    }

    #[handler]
    fn other(&mut self, node: &i64, cx: &mut Context) -> Result<(), Failure> {
        self.asked = Some(cx.sender());
        let id = NodeId([u8::try_from(*node)?; 16]);
        cx.request_node_status_of(NodeRef { id, incarnation: Incarnation(1) });
        Ok(())
    }

    #[handler]
    fn report(&mut self, report: &NodeStatusReport, cx: &mut Context) {
        assert_eq!(cx.sender(), Address::NODE);
        self.asked.into_iter().for_each(|asked| cx.send(asked, report.clone()));
    }
}

#[test]
fn an_actor_is_told_how_its_node_is() {
    holds_on("api::an_actor_is_told_how_its_node_is", &BASES);
    for base in [Base::Simple, Base::Threads, Base::Simulated] {
        let mut capabilities = odeon::CapabilityMap::new();
        capabilities.set("zone", "eu").unwrap();
        let system = ActorSystem::builder(base).capabilities(capabilities.clone()).start();
        let gauge = system.create_actor::<Gauge>().unwrap();
        let echo = system.create_actor::<Echo>().unwrap();
        for n in 0..1_000i64 {
            assert_eq!(system.ask::<i64>(echo, n, BOUND).unwrap(), n);
        }
        let how = || system.ask::<NodeStatusReport>(gauge, String::from("own"), BOUND).unwrap();
        let NodeStatusReport { of, status, refusal } = how();
        let status = status.unwrap();
        assert_eq!((of, refusal), (status.node, None), "{base:?}");
        assert_eq!(status.capabilities, capabilities);
        assert_eq!((status.actors, status.leader, status.images_count), (2, None, 0));
        assert_eq!((status.received, status.queued, status.dead_letters), (1_001, 0, 0), "{base:?}");
        // What an actor was given still counts when it is gone; what comes then is a dead letter.
        system.tell(echo, odeon::ActorExitRequest::default());
        system.tell(echo, 1i64);
        let mut all = (0..10_000).map(|_| how().status.unwrap());
        let later = all.find(|later| later.actors == 1 && later.dead_letters == 1).unwrap();
        assert!(later.received > status.received, "{base:?}: {later:?}");
        let unknown = system.ask::<NodeStatusReport>(gauge, 7i64, BOUND).unwrap();
        assert!(unknown.status.is_none() && unknown.refusal.unwrap().0 == 134 && unknown.of.id == NodeId([7; 16]));
        assert!(system.shutdown());
    }
}

#[test]
fn a_message_may_be_part_of_a_message() {
    holds_on("api::a_message_may_be_part_of_a_message", &BASES);
    let letter = DeadLetter { to: Address::NODE, sender: Address::NODE, message: AnyMessage::new(7i64) };
    let crossed = AnyMessage::from_encoded(AnyMessage::new(letter).encode().unwrap());
    assert_eq!(crossed.get::<DeadLetter>().unwrap().message.get::<i64>(), Some(&7));
}
