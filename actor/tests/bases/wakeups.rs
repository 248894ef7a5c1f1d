use crate::rig::{Rig, plain};
use crate::table::{Column, hold, holds_on};
use odeon::{ActorExitRequest, AnyMessage, WakeupMessage};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn wakeups_come_by_due_time_and_never_early() {
    hold("wakeups::wakeups_come_by_due_time_and_never_early", |rig| {
        let woken = Arc::new(Mutex::new(Vec::new()));
        let w = woken.clone();
        let now = rig.clock();
        let (start, clock) = (now(), now.clone());
        let actor = rig.root(plain("sleeper", move |message, cx| {
            match message.get::<WakeupMessage>() {
                Some(wakeup) => {
                    assert_eq!(cx.sender(), cx.my_address());
                    w.lock().unwrap().push((wakeup.delay_ms, clock() - start, wakeup.payload.clone()));
                }
                None => {
                    for delay in [40, 10, 30, 20, 0] {
                        cx.wakeup_after(Duration::from_millis(delay));
                    }
                    cx.wakeup_after_with(Duration::from_millis(20), 7i64);
                    cx.wakeup_after(Duration::MAX);
                }
            }
            Ok(())
        }));
        rig.tell(actor, true);
        rig.until("all came", || woken.lock().unwrap().len() == 6);
        let woken = woken.lock().unwrap();
        assert_eq!(woken.iter().map(|w| w.0).collect::<Vec<_>>(), [0, 10, 20, 20, 30, 40]);
        assert!(woken.iter().all(|(delay, at, _)| *at >= Duration::from_millis(*delay)), "early: {woken:?}");
        let payload = woken[3].2.clone().unwrap();
        assert_eq!(AnyMessage::from_encoded(payload).get::<i64>(), Some(&7));
    });
}

#[test]
fn a_wakeup_is_gone_when_its_actor_is() {
    hold("wakeups::a_wakeup_is_gone_when_its_actor_is", |rig| {
        let sleeper = rig.root(plain("sleeper", |message, cx| {
            if message.is::<bool>() {
                cx.wakeup_after(Duration::from_millis(5));
            }
            Ok(())
        }));
        let later = rig.root(plain("later", |message, cx| {
            if message.is::<i64>() {
                cx.wakeup_after(Duration::from_millis(30));
            } else if let Some(wakeup) = message.get::<WakeupMessage>() {
                assert_eq!(wakeup.delay_ms, 30);
                cx.exit();
            }
            Ok(())
        }));
        rig.tell(sleeper, true);
        rig.tell(sleeper, ActorExitRequest::default());
        rig.tell(later, 1i64);
        rig.until("both are gone", || rig.count() == 0);
        assert!(rig.dead().is_empty());
        assert!(rig.notes.logs.lock().unwrap().is_empty());
    });
}

#[test]
fn ten_thousand_wakeups_share_one_clock() {
    hold("wakeups::ten_thousand_wakeups_share_one_clock", |rig| {
        let count = Arc::new(Mutex::new(0));
        let c = count.clone();
        let actor = rig.root(plain("busy", move |message, cx| {
            if message.is::<bool>() {
                for n in 0..10_000 {
                    cx.wakeup_after(Duration::from_micros(n));
                }
            } else {
                *c.lock().unwrap() += 1;
            }
            Ok(())
        }));
        rig.tell(actor, true);
        rig.until("all came", || *count.lock().unwrap() == 10_000);
    });
}

#[test]
fn a_wakeup_that_was_cancelled_does_not_come_and_no_other_is_affected() {
    hold("wakeups::a_wakeup_that_was_cancelled_does_not_come_and_no_other_is_affected", |rig| {
        let stranger = rig.root(plain("stranger", |message, cx| {
            if let Some(number) = message.get::<i64>() {
                cx.cancel_wakeup(odeon::Wakeup::from_number(*number as u64));
            }
            Ok(())
        }));
        let sleeper = rig.root(plain("sleeper", move |message, cx| {
            if let Some(wakeup) = message.get::<WakeupMessage>() {
                cx.send(
                    wakeup.payload.clone().map(AnyMessage::from_encoded).unwrap().take().unwrap(),
                    wakeup.delay_ms as i64,
                );
            } else if message.is::<bool>() {
                let me = cx.sender();
                let first = cx.wakeup_after_with(Duration::from_millis(30), me);
                let second = cx.wakeup_after_with(Duration::from_millis(31), me);
                let third = cx.wakeup_after_with(Duration::from_millis(32), me);
                assert!(first != second && second != third);
                cx.cancel_wakeup(second);
                cx.cancel_wakeup(second);
                cx.cancel_wakeup(odeon::Wakeup::NEVER);
                cx.cancel_wakeup(odeon::Wakeup::from_number(u64::MAX));
                // Nobody cancels what another one has asked for.
                cx.send(stranger, third.number() as i64);
            }
            Ok(())
        }));
        rig.tell(sleeper, true);
        assert_eq!(rig.wait::<i64>(2), [30, 32]);
        rig.until_idle();
        assert_eq!(rig.got::<i64>(), [30, 32]);
    });
}

#[test]
fn wakeups_that_are_asked_for_and_cancelled_for_ever_take_no_room() {
    holds_on("wakeups::wakeups_that_are_asked_for_and_cancelled_for_ever_take_no_room", &[Column::Threads]);
    let rig = Rig::threads(1);
    let actor = rig.root(plain("nervous", |message, cx| {
        if message.is::<bool>() {
            for _ in 0..odeon::system::limits::WAKEUPS_MAX + 10_000 {
                let wakeup = cx.wakeup_after(Duration::from_secs(3600));
                cx.cancel_wakeup(wakeup);
            }
            cx.wakeup_after(Duration::ZERO);
        } else if message.is::<WakeupMessage>() {
            cx.exit();
        }
        Ok(())
    }));
    rig.tell(actor, true);
    rig.until("the last one came", || rig.count() == 0);
    assert!(rig.notes.logs.lock().unwrap().is_empty(), "none was dropped");
    assert!(rig.shutdown(crate::rig::BOUND));
}
