use crate::rig::plain;
use crate::table::hold;
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
                (0..10_000).for_each(|n| cx.wakeup_after(Duration::from_micros(n)));
            } else {
                *c.lock().unwrap() += 1;
            }
            Ok(())
        }));
        rig.tell(actor, true);
        rig.until("all came", || *count.lock().unwrap() == 10_000);
    });
}
