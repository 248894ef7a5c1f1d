use crate::rig::{define, plain};
use crate::table::hold;
use odeon::system::limits::DEFERRED_MESSAGES_MAX;
use odeon::{ActorExitRequest, AnyMessage, Context, Definition, Failure, PoisonMessage};

/// Puts off numbers until it is told true, then answers them.
fn shop(name: &str) -> Definition {
    define(name, || {
        let mut is_open = false;
        Ok(move |message: &AnyMessage, cx: &mut Context| {
            if let Some(open) = message.get::<bool>() {
                is_open = *open;
                cx.resume_deferred();
            } else if let Some(number) = message.get::<i64>() {
                if is_open { cx.reply(*number) } else { cx.defer() }
            } else if message.is::<f64>() {
                return Err(Failure::new("as it was told"));
            }
            Ok(())
        })
    })
}

#[test]
fn what_is_put_off_comes_again_in_its_order_before_what_waits_and_from_its_sender() {
    hold("deferral::what_is_put_off_comes_again_in_its_order_before_what_waits_and_from_its_sender", |rig| {
        let shop = rig.root(shop("shop"));
        let other = rig.root(plain("other", move |message, cx| {
            if message.is::<String>() {
                cx.send(shop, 100i64);
            }
            Ok(())
        }));
        (0..10i64).for_each(|number| rig.tell(shop, number));
        rig.until("all are put off", || {
            rig.status(shop).unwrap().received == 10 && rig.status(shop).unwrap().queued == 0
        });
        assert!(rig.got::<i64>().is_empty());
        rig.tell(other, String::from("ask it"));
        rig.until("the other one is put off too", || rig.status(shop).unwrap().received == 11);
        rig.tell(shop, true);
        (10..20i64).for_each(|number| rig.tell(shop, number));
        assert!(rig.wait::<i64>(20).into_iter().eq(0..20), "the answer to the other one is not ours");
        rig.tell(other, ActorExitRequest::default());
    });
}

#[test]
fn what_is_put_off_may_be_put_off_again() {
    hold("deferral::what_is_put_off_may_be_put_off_again", |rig| {
        let shop = rig.root(shop("shop"));
        (0..5i64).for_each(|number| rig.tell(shop, number));
        rig.tell(shop, false);
        rig.tell(shop, false);
        rig.tell(shop, true);
        assert!(rig.wait::<i64>(5).into_iter().eq(0..5));
        assert!(rig.dead().is_empty());
    });
}

#[test]
fn an_actor_that_is_built_anew_finds_what_was_put_off() {
    hold("deferral::an_actor_that_is_built_anew_finds_what_was_put_off", |rig| {
        let shop = rig.root(shop("shop"));
        rig.tell(shop, 1i64);
        rig.tell(shop, 1.5f64);
        rig.wait::<PoisonMessage>(1);
        rig.tell(shop, true);
        assert_eq!(rig.wait::<i64>(1), [1]);
    });
}

#[test]
fn a_handler_that_fails_puts_nothing_off() {
    hold("deferral::a_handler_that_fails_puts_nothing_off", |rig| {
        let actor = rig.root(plain("hasty", |message, cx| {
            if message.is::<bool>() {
                cx.resume_deferred();
                return Ok(());
            }
            cx.defer();
            Err(Failure::new("all the same"))
        }));
        rig.tell(actor, 1i64);
        rig.wait::<PoisonMessage>(1);
        rig.tell(actor, true);
        rig.until_idle();
        assert_eq!(rig.status(actor).unwrap().received, 2, "the message was not given again");
        assert!(rig.dead().is_empty());
    });
}

#[test]
fn what_is_put_off_becomes_dead_letters_when_the_actor_exits() {
    hold("deferral::what_is_put_off_becomes_dead_letters_when_the_actor_exits", |rig| {
        let (first, second) = (rig.root(shop("first")), rig.root(shop("second")));
        for shop in [first, second] {
            (0..3i64).for_each(|number| rig.tell(shop, number));
        }
        rig.until("all are put off", || [first, second].iter().all(|shop| rig.status(*shop).unwrap().received == 3));
        rig.tell(first, ActorExitRequest::default());
        rig.until("it is gone", || rig.count() == 1);
        assert_eq!(rig.dead(), ["integer"; 3]);
        assert!(rig.shutdown(crate::rig::BOUND));
        assert_eq!(rig.dead(), ["integer"; 6]);
    });
}

#[test]
fn one_message_too_many_goes_back_to_its_sender() {
    hold("deferral::one_message_too_many_goes_back_to_its_sender", |rig| {
        let shop = rig.root(shop("shop"));
        (0..=DEFERRED_MESSAGES_MAX as i64).for_each(|number| rig.tell(shop, number));
        let poison = rig.wait::<PoisonMessage>(1);
        assert_eq!(poison[0].details, "the actor has deferred 4096 messages and keeps no more");
        assert_eq!(AnyMessage::from_encoded(poison[0].message.clone()).get::<i64>(), Some(&4096));
        rig.tell(shop, true);
        assert!(rig.wait::<i64>(DEFERRED_MESSAGES_MAX).into_iter().eq(0..4096));
    });
}
