use crate::rig::{BOUND, Rig, define, plain};
use crate::table::{bases_of, hold};
use odeon::system::ActorState;
use odeon::{AnyMessage, ChildActorExited, Context, Definition, Ending, Failure, Message, PoisonMessage, Suspended};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// The messages that are not over, in their order.
type Held = Arc<Mutex<Vec<Suspended>>>;

/// Suspends every number that it is given, and answers a text with the name of its type.
fn holder(held: &Held) -> Definition {
    let held = held.clone();
    plain("holder", move |message, cx| {
        match message.get::<i64>() {
            Some(n) => {
                cx.reply(*n);
                held.lock().unwrap().push(cx.host().suspend().expect("a system can"));
            }
            None => cx.reply(message.name().to_owned()),
        }
        Ok(())
    })
}

fn take(rig: &Rig, held: &Held) -> Suspended {
    rig.until("a message is held", || !held.lock().unwrap().is_empty());
    held.lock().unwrap().remove(0)
}

#[test]
fn an_actor_whose_message_is_suspended_gets_no_other_and_takes_no_worker() {
    hold("suspended::an_actor_whose_message_is_suspended_gets_no_other_and_takes_no_worker", |rig| {
        let held = Held::default();
        let waiting: Vec<_> = (0..100).map(|_| rig.root(holder(&held))).collect();
        for actor in &waiting {
            rig.tell(*actor, 1i64);
            rig.tell(*actor, 2i64);
        }
        rig.until("all wait", || waiting.iter().all(|actor| rig.status(*actor).unwrap().state == ActorState::Waiting));
        rig.at_once("each was given one", || rig.got::<i64>() == vec![1; 100]);
        let other = rig.root(plain("other", |_, cx| {
            cx.reply(true);
            Ok(())
        }));
        rig.tell(other, ());
        rig.wait::<bool>(1);
        for _ in 0..100 {
            take(&rig, &held).end(Ending::Handled);
        }
        rig.until("the second ones are held", || held.lock().unwrap().len() == 100);
        rig.at_once("each was given another", || rig.got::<i64>().iter().filter(|n| **n == 2).count() == 100);
        held.lock().unwrap().drain(..).for_each(|message| message.end(Ending::Handled));
        rig.until_idle();
    });
}

#[test]
fn a_message_that_has_ended_before_its_receive_returns_is_over() {
    hold("suspended::a_message_that_has_ended_before_its_receive_returns_is_over", |rig| {
        let actor = rig.root(plain("quick", |message, cx| {
            cx.host().suspend().unwrap().end(Ending::Handled);
            cx.forward(cx.sender(), message);
            Ok(())
        }));
        (0..300i64).for_each(|n| rig.tell(actor, n));
        assert_eq!(rig.wait::<i64>(300), (0..300).collect::<Vec<_>>());
    });
}

#[test]
fn a_suspended_message_that_fails_is_given_once_more_and_comes_back_as_poison() {
    hold("suspended::a_suspended_message_that_fails_is_given_once_more_and_comes_back_as_poison", |rig| {
        let held = Held::default();
        let actor = rig.root(holder(&held));
        rig.tell(actor, 1i64);
        rig.tell(actor, String::from("next"));
        take(&rig, &held).end(Ending::Failed(Failure::new("the first time")));
        assert!(rig.got::<PoisonMessage>().is_empty());
        // Whoever drops it has failed it.
        drop(take(&rig, &held));
        let poison = rig.wait::<PoisonMessage>(1);
        assert_eq!((poison[0].actor, poison[0].details.as_str()), (actor, "whoever handled it is gone"));
        assert_eq!(rig.got::<i64>(), [1, 1]);
        assert_eq!(rig.wait::<String>(1), [String::NAME]);
    });
}

#[test]
fn an_actor_that_cannot_be_built_for_its_message_ends_and_its_parent_is_told() {
    hold("suspended::an_actor_that_cannot_be_built_for_its_message_ends_and_its_parent_is_told", |rig| {
        let held = Held::default();
        rig.offer(holder(&held));
        let reasons: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = reasons.clone();
        let parent = rig.root(define("parent", move || {
            let told = told.clone();
            Ok(move |message: &AnyMessage, cx: &mut Context| {
                if message.is::<()>() {
                    let child = cx.create_named("holder").start();
                    cx.send(child, 1i64);
                    cx.reply(child);
                } else if let Some(exited) = message.get::<ChildActorExited>() {
                    told.lock().unwrap().push(exited.reason.clone());
                }
                Ok(())
            })
        }));
        rig.tell(parent, ());
        let child = rig.wait::<odeon::Address>(1)[0];
        take(&rig, &held).end(Ending::Unbuilt(Failure::new("no ground")));
        rig.until("the child is gone", || rig.status(child).is_none());
        rig.until("its message is a dead letter", || rig.dead().contains(&i64::NAME.to_owned()));
        rig.until("its parent is told", || !reasons.lock().unwrap().is_empty());
        assert_eq!(*reasons.lock().unwrap(), ["it failed and could not be built again: no ground"]);
    });
}

#[test]
fn whoever_sends_too_much_to_a_waiting_actor_is_put_aside_and_goes_on_after_it() {
    hold("suspended::whoever_sends_too_much_to_a_waiting_actor_is_put_aside_and_goes_on_after_it", |rig| {
        let held = Held::default();
        let slow = rig.root(holder(&held));
        rig.tell(slow, 1i64);
        let first = take(&rig, &held);
        let fast = rig.root(plain("fast", move |message, cx| {
            if message.is::<()>() {
                (0..5_000).for_each(|_| cx.send(slow, String::from("x")));
            }
            Ok(())
        }));
        rig.tell(fast, ());
        rig.until("the sender is put aside", || rig.status(fast).unwrap().state == ActorState::PutAside);
        first.end(Ending::Handled);
        rig.until_idle();
    });
}

#[test]
fn a_system_that_shuts_down_does_not_wait_for_ever_for_a_suspended_message() {
    let test = "suspended::a_system_that_shuts_down_does_not_wait_for_ever_for_a_suspended_message";
    for rig in bases_of(test).into_iter().flat_map(Rig::of) {
        let held = Held::default();
        let actor = rig.root(holder(&held));
        rig.tell(actor, 1i64);
        let message = take(&rig, &held);
        rig.until("it waits", || rig.status(actor).unwrap().state == ActorState::Waiting);
        let started = Instant::now();
        assert!(!rig.shutdown(std::time::Duration::from_millis(100)));
        assert!(started.elapsed() < BOUND);
        message.end(Ending::Handled);
        assert_eq!(rig.count(), 1, "an end that comes too late brings nothing back to life");
    }
}
