use crate::rig::{define, plain};
use crate::table::hold;
use odeon::{ActorExitRequest, AnyMessage, ChildActorExited, Context, Failure, Message, PoisonMessage};
use serde::{Deserialize, Serialize, Serializer};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Counts what it was given; fails on a negative number, and panics on one below -100.
fn counter(builds: Arc<AtomicUsize>) -> odeon::Definition {
    define("counter", move || {
        builds.fetch_add(1, SeqCst);
        let mut count = 0i64;
        Ok(move |message: &AnyMessage, cx: &mut Context| {
            count += 1;
            match message.get::<i64>() {
                Some(n) if *n < -100 => panic!("given {n}"),
                Some(n) if *n < 0 => Err(Failure::new(format!("refused {n}"))),
                _ => {
                    cx.reply(count);
                    Ok(())
                }
            }
        })
    })
}

#[test]
fn an_actor_that_fails_is_rebuilt_and_given_the_message_once_more() {
    hold("failure::an_actor_that_fails_is_rebuilt_and_given_the_message_once_more", |rig| {
        let attempts = Arc::new(AtomicUsize::new(0));
        let a = attempts.clone();
        let actor = rig.root(define("once", move || {
            let a = a.clone();
            let mut state = 0i64;
            Ok(move |_: &AnyMessage, cx: &mut Context| {
                state += 1;
                assert!(a.fetch_add(1, SeqCst) != 1, "the second message fails the first time");
                cx.reply(state);
                Ok(())
            })
        }));
        rig.tell(actor, true);
        rig.tell(actor, true);
        rig.tell(actor, true);
        // The state is new after the failure, no message is lost, and nobody is told.
        assert_eq!(rig.wait::<i64>(3), [1, 1, 2]);
        assert!(rig.got::<PoisonMessage>().is_empty());
    });
}

#[test]
fn a_message_that_fails_twice_comes_back_as_poison_and_the_next_one_is_handled() {
    hold("failure::a_message_that_fails_twice_comes_back_as_poison_and_the_next_one_is_handled", |rig| {
        let builds = Arc::new(AtomicUsize::new(0));
        let actor = rig.root(counter(builds.clone()));
        for n in [1i64, -1, -101, 2] {
            rig.tell(actor, n);
        }
        assert_eq!(rig.wait::<i64>(2), [1, 1]);
        let poison = rig.wait::<PoisonMessage>(2);
        assert_eq!(poison[0].actor, actor);
        assert_eq!(poison[0].details, "refused -1");
        assert_eq!(AnyMessage::from_encoded(poison[0].message.clone()).get::<i64>(), Some(&-1));
        assert_eq!(poison[1].details, "panicked: given -101");
        assert_eq!(builds.load(SeqCst), 5, "built once, and twice for each poisonous message");
    });
}

/// A message that nobody can encode.
#[derive(Debug, Deserialize, Message)]
struct Unspeakable;

impl Serialize for Unspeakable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("cannot be said")
    }
}

#[test]
fn a_poison_message_whose_encoding_panics_comes_back_without_its_bytes_and_the_actor_goes_on() {
    hold("failure::a_poison_message_whose_encoding_panics_comes_back_without_its_bytes_and_the_actor_goes_on", |rig| {
        let actor = rig.root(plain("picky", |message, cx| {
            if message.is::<i64>() {
                cx.reply(7i64);
                return Ok(());
            }
            Err(Failure::new("not that"))
        }));
        rig.tell(actor, Unspeakable);
        rig.tell(actor, 1i64);
        assert_eq!(rig.wait::<i64>(1), [7]);
        let poison = rig.wait::<PoisonMessage>(1);
        assert!(poison[0].message.bytes.is_empty());
        assert!(
            poison[0].details.starts_with("not that (") && poison[0].details.contains("cannot be said"),
            "{poison:?}"
        );
    });
}

#[test]
fn a_poison_message_that_fails_is_not_answered_with_another() {
    hold("failure::a_poison_message_that_fails_is_not_answered_with_another", |rig| {
        let actor = rig.root(plain("bitter", |message, cx| {
            if message.is::<bool>() {
                cx.reply(true);
                return Ok(());
            }
            Err(Failure::new("whatever it is"))
        }));
        let starter = rig.root(plain("starter", move |message, cx| {
            if message.is::<i64>() {
                cx.send(actor, 1i64);
            }
            Ok(())
        }));
        rig.tell(starter, 1i64);
        let poison = PoisonMessage { actor, message: AnyMessage::new(1i64).encode().unwrap(), details: String::new() };
        rig.tell(actor, poison);
        rig.tell(actor, true);
        rig.wait::<bool>(1);
        rig.until_idle();
        assert!(rig.got::<PoisonMessage>().is_empty());
        assert_eq!(rig.status(starter).unwrap().received, 2, "its message and one poison message");
    });
}

#[test]
fn an_actor_that_cannot_be_rebuilt_exits_and_its_mail_is_dead() {
    hold("failure::an_actor_that_cannot_be_rebuilt_exits_and_its_mail_is_dead", |rig| {
        let builds = Arc::new(AtomicUsize::new(0));
        rig.offer(define("brittle", move || {
            if builds.fetch_add(1, SeqCst) > 0 {
                return Err(Failure::new("no glass left"));
            }
            Ok(|_: &AnyMessage, _: &mut Context| -> Result<(), Failure> { panic!("breaks") })
        }));
        let me = rig.me();
        let parent = rig.root(plain("parent", move |message, cx| {
            match message.get::<ChildActorExited>() {
                Some(exited) => cx.send(me, exited.clone()),
                None => {
                    let child = cx.create_named("brittle").start();
                    (0..3i64).for_each(|n| cx.send(child, n));
                }
            }
            Ok(())
        }));
        rig.tell(parent, true);
        let exited = rig.wait::<ChildActorExited>(1);
        assert_eq!(exited[0].reason, "it failed and could not be built again: no glass left");
        rig.until("the mail is dead", || rig.dead() == ["integer"; 3]);
        assert_eq!(rig.count(), 1);
    });
}

#[test]
fn a_panic_in_the_drop_of_an_actor_is_caught() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("an actor that panics when it is dropped");
        }
    }
    hold("failure::a_panic_in_the_drop_of_an_actor_is_caught", |rig| {
        let actor = rig.root(define("bomb", || {
            let bomb = Bomb;
            Ok(move |message: &AnyMessage, cx: &mut Context| {
                let _ = &bomb;
                if message.is::<i64>() {
                    return Err(Failure::new("rebuild me"));
                }
                cx.reply(true);
                Ok(())
            })
        }));
        rig.tell(actor, 1i64);
        rig.tell(actor, true);
        rig.wait::<bool>(1);
        rig.tell(actor, ActorExitRequest::default());
        rig.until("it is gone", || rig.count() == 0);
    });
}

#[test]
fn an_actor_that_panics_for_ever_does_not_disturb_others() {
    hold("failure::an_actor_that_panics_for_ever_does_not_disturb_others", |rig| {
        let bad = rig.root(plain("bad", |_, _| panic!("always")));
        let good = rig.root(plain("good", |message, cx| {
            cx.reply(*message.get::<i64>().unwrap());
            Ok(())
        }));
        for n in 0..100i64 {
            rig.tell(bad, n);
            rig.tell(good, n);
        }
        rig.wait::<PoisonMessage>(100);
        assert!(rig.wait::<i64>(100).into_iter().eq(0..100));
    });
}
