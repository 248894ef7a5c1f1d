use crate::rig::{define, plain};
use crate::table::hold;
use odeon::{Address, AnyMessage, Context, Failure};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

#[test]
fn an_actor_handles_one_message_at_a_time() {
    hold("order::an_actor_handles_one_message_at_a_time", |rig| {
        let inside = Arc::new(AtomicBool::new(false));
        let handled = Arc::new(AtomicUsize::new(0));
        let (i, h) = (inside.clone(), handled.clone());
        let actor = rig.root(plain("alone", move |_, _| {
            assert!(!i.swap(true, SeqCst), "two messages at once");
            std::thread::yield_now();
            i.store(false, SeqCst);
            h.fetch_add(1, SeqCst);
            Ok(())
        }));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|n: i64| rig.tell(actor, n)));
            }
        });
        rig.until("all were handled", || handled.load(SeqCst) == 2000);
        assert!(rig.notes.logs.lock().unwrap().is_empty(), "no handler failed");
    });
}

#[test]
fn messages_between_two_actors_arrive_in_order() {
    hold("order::messages_between_two_actors_arrive_in_order", |rig| {
        const SENDERS: usize = 4;
        const EACH: i64 = 3000;
        let seen = Arc::new(Mutex::new(Vec::<(Address, i64)>::new()));
        let s = seen.clone();
        let sink = rig.root(plain("sink", move |message, cx| {
            s.lock().unwrap().push((cx.sender(), *message.get::<i64>().unwrap()));
            Ok(())
        }));
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                rig.root(plain("sender", move |message, cx| {
                    let n = *message.get::<i64>().unwrap();
                    cx.send(sink, n);
                    if n + 1 < EACH {
                        cx.send(cx.my_address(), n + 1);
                    }
                    Ok(())
                }))
            })
            .collect();
        senders.iter().for_each(|s| rig.tell(*s, 0i64));
        rig.until("all came", || seen.lock().unwrap().len() == SENDERS * EACH as usize);
        let seen = seen.lock().unwrap();
        for sender in senders {
            let numbers: Vec<_> = seen.iter().filter(|(from, _)| *from == sender).map(|(_, n)| *n).collect();
            assert!(numbers.iter().copied().eq(0..EACH), "out of order from {sender}");
        }
    });
}

#[test]
fn messages_to_a_child_just_created_arrive_in_order_after_its_creation() {
    hold("order::messages_to_a_child_just_created_arrive_in_order_after_its_creation", |rig| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let s = seen.clone();
        rig.offer(define("child", move || {
            s.lock().unwrap().push(-1);
            let s = s.clone();
            Ok(move |message: &AnyMessage, _: &mut Context| {
                s.lock().unwrap().extend(message.get::<i64>());
                Ok(())
            })
        }));
        let parent = rig.root(plain("parent", |_, cx| {
            let child = cx.create_named("child").start();
            (0..200i64).for_each(|n| cx.send(child, n));
            Ok(())
        }));
        rig.tell(parent, true);
        rig.until("all came", || seen.lock().unwrap().len() == 201);
        assert!(seen.lock().unwrap().iter().copied().eq(-1..200));
    });
}

#[test]
fn messages_sent_by_a_handler_that_fails_later_are_delivered() {
    hold("order::messages_sent_by_a_handler_that_fails_later_are_delivered", |rig| {
        let actor = rig.root(plain("fails", |message, cx| {
            if message.is::<i64>() {
                cx.reply(1i64);
                return Err(Failure::new("afterwards"));
            }
            Ok(())
        }));
        rig.tell(actor, 0i64);
        // Once for each of the two attempts.
        assert_eq!(rig.wait::<i64>(2), [1, 1]);
    });
}

#[test]
fn what_is_sent_to_nobody_is_a_dead_letter() {
    hold("order::what_is_sent_to_nobody_is_a_dead_letter", |rig| {
        let actor = rig.root(plain("short", |_, _| Ok(())));
        rig.tell(actor, odeon::ActorExitRequest::default());
        rig.until("it is gone", || rig.count() == 0);
        let second = rig.root(plain("next", |_, cx| {
            cx.reply(9i64);
            Ok(())
        }));
        // Every address of a simulation is a promised one, which takes no slot.
        assert!(rig.is_simulated() || actor.slot() == second.slot(), "the slot is used again");
        rig.tell(actor, String::from("for the old one"));
        rig.tell(Address::mint(crate::rig::NODE, 4_000_000, 1), false);
        rig.tell(second, true);
        rig.wait::<i64>(1);
        rig.at_once("both are dead letters", || rig.dead().len() == 2);
        // Of messages to different actors a simulation keeps no order.
        let mut dead = rig.dead();
        if rig.is_simulated() {
            dead.sort_unstable_by(|a, b| b.cmp(a));
        }
        assert_eq!(dead, ["string", "bool"]);
        assert_eq!(rig.status(second).unwrap().received, 1);
    });
}

#[test]
fn a_panic_in_the_drop_of_a_message_harms_nobody() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a message that panics when it is dropped");
        }
    }
    impl odeon::Message for Bomb {
        const NAME: &'static str = "bomb";
    }
    hold("order::a_panic_in_the_drop_of_a_message_harms_nobody", |rig| {
        let actor = rig.root(plain("careful", |message, cx| {
            if message.is::<bool>() {
                cx.reply(1i64);
            }
            Ok(())
        }));
        for _ in 0..20 {
            rig.tell(actor, Bomb);
        }
        rig.tell(actor, true);
        rig.wait::<i64>(1);
    });
}
