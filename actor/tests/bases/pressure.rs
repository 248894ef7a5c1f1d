use crate::rig::{NODE, Rig, plain};
use crate::table::{Column, hold, holds_on};
use odeon::system::{ActorState, Chain, limits};
use odeon::{Address, Definition, NodeRef};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const HIGH: usize = limits::MAILBOX_MESSAGES_HIGH;

#[test]
fn a_sender_is_put_aside_while_its_target_has_too_much_and_goes_on_when_it_has_drained() {
    let test = "pressure::a_sender_is_put_aside_while_its_target_has_too_much_and_goes_on_when_it_has_drained";
    holds_on(test, &[Column::Threads]);
    let rig = Rig::threads(2);
    let held = Arc::new(AtomicBool::new(true));
    let most = Arc::new(AtomicUsize::new(0));
    let handled = Arc::new(AtomicUsize::new(0));
    let (h, n) = (held.clone(), handled.clone());
    let slow = rig.root(plain("slow", move |_, _| {
        while h.load(SeqCst) {
            std::thread::yield_now();
        }
        n.fetch_add(1, SeqCst);
        Ok(())
    }));
    let total = 3 * HIGH;
    let fast = rig.root(sends(slow, total as i64));
    rig.tell(fast, 0i64);
    rig.until("the sender is put aside", || rig.status(fast).unwrap().state == ActorState::PutAside);
    let queued = rig.status(slow).unwrap().queued;
    assert!((HIGH..HIGH + 10).contains(&queued), "{queued} are queued, the limit is {HIGH}");
    // Whoever is put aside is still delivered to.
    rig.tell(fast, total as i64);
    held.store(false, SeqCst);
    rig.until("all were handled", || {
        most.fetch_max(rig.status(slow).unwrap().queued, SeqCst);
        handled.load(SeqCst) == total + 1
    });
    assert!(most.load(SeqCst) <= HIGH + 10, "{} were queued", most.load(SeqCst));
    assert!(rig.shutdown(crate::rig::BOUND));
}

#[test]
fn senders_that_one_actor_lets_go_on_do_not_wait_for_each_other() {
    holds_on("pressure::senders_that_one_actor_lets_go_on_do_not_wait_for_each_other", &[Column::Threads]);
    let rig = Rig::threads(2);
    let held = Arc::new(AtomicBool::new(true));
    let slow = rig.root(stuck(&held));
    let met = Arc::new(AtomicUsize::new(0));
    let sender = plain("sender", move |message, cx| {
        if message.is::<bool>() {
            (0..=HIGH).for_each(|_| cx.send(slow, ()));
            return Ok(());
        }
        // They let go of their workers only together.
        met.fetch_add(1, SeqCst);
        let end = Instant::now() + Duration::from_secs(10);
        while met.load(SeqCst) < 2 {
            assert!(Instant::now() < end, "the other sender never ran");
            std::thread::yield_now();
        }
        cx.reply(true);
        Ok(())
    });
    let senders = [rig.root(sender.clone()), rig.root(sender)];
    for sender in senders {
        rig.tell(sender, true);
        rig.tell(sender, 0i64);
        rig.until("it is put aside", || rig.status(sender).unwrap().state == ActorState::PutAside);
    }
    held.store(false, SeqCst);
    rig.wait::<bool>(2);
    assert!(rig.notes.logs.lock().unwrap().is_empty());
    assert!(rig.shutdown(crate::rig::BOUND));
}

#[test]
fn a_ring_in_which_everybody_sends_too_much_makes_progress() {
    hold("pressure::a_ring_in_which_everybody_sends_too_much_makes_progress", |rig| {
        // A simulation takes its time for so many messages.
        let sizes: &[usize] = if rig.is_simulated() { &[1, 2, 3] } else { &[1, 2, 3, 17] };
        for &actors in sizes {
            let ring = Arc::new(Mutex::new(Vec::<Address>::new()));
            let handled = Arc::new(AtomicUsize::new(0));
            for place in 0..actors {
                let (ring_, handled) = (ring.clone(), handled.clone());
                let address = rig.root(plain("ring", move |message, cx| {
                    handled.fetch_add(1, SeqCst);
                    let left = *message.get::<i64>().unwrap();
                    let next = ring_.lock().unwrap()[(place + 1) % actors];
                    if left > 0 {
                        // More than the limit at once, to whoever does the same to the next.
                        (0..HIGH + HIGH / 2).for_each(|_| cx.send(next, 0i64));
                        cx.send(next, left - 1);
                    }
                    Ok(())
                }));
                ring.lock().unwrap().push(address);
            }
            let rounds = 6;
            let all = ring.lock().unwrap().clone();
            all.iter().for_each(|a| rig.tell(*a, rounds));
            let expected = actors * (1 + rounds as usize * (HIGH + HIGH / 2 + 1));
            rig.until("all were handled", || handled.load(SeqCst) == expected);
            rig.until_idle();
        }
    });
}

#[test]
fn many_senders_to_one_all_get_through() {
    hold("pressure::many_senders_to_one_all_get_through", |rig| {
        const SENDERS: usize = 64;
        const EACH: i64 = 1_000;
        let handled = Arc::new(AtomicUsize::new(0));
        let h = handled.clone();
        let sink = rig.root(plain("sink", move |_, _| {
            h.fetch_add(1, SeqCst);
            Ok(())
        }));
        let sender = plain("sender", move |message, cx| {
            let n = *message.get::<i64>().unwrap();
            (0..10).for_each(|_| cx.send(sink, n));
            if n > 1 {
                cx.send(cx.my_address(), n - 1);
            }
            Ok(())
        });
        for _ in 0..SENDERS {
            rig.tell(rig.root(sender.clone()), EACH / 10);
        }
        rig.until("all were handled", || handled.load(SeqCst) == SENDERS * EACH as usize);
        rig.until_idle();
    });
}

#[test]
fn a_sender_to_the_outside_waits_for_its_ticket() {
    hold("pressure::a_sender_to_the_outside_waits_for_its_ticket", |rig| {
        let far = Address::mint(NodeRef { id: odeon::NodeId([1; 16]), ..NODE }, 1, 1);
        let actor = rig.root(plain("talks", move |message, cx| {
            cx.send(far, *message.get::<i64>().unwrap());
            Ok(())
        }));
        rig.notes.ticket.store(5, SeqCst);
        (0..3i64).for_each(|n| rig.tell(actor, n));
        rig.until("it is put aside", || rig.status(actor).unwrap().state == ActorState::PutAside);
        assert_eq!(rig.notes.sent.lock().unwrap().len(), 1);
        rig.resume(4);
        assert_eq!(rig.status(actor).unwrap().state, ActorState::PutAside, "another ticket is not its own");
        rig.notes.ticket.store(0, SeqCst);
        rig.resume(5);
        rig.until("it goes on", || rig.notes.sent.lock().unwrap().len() == 3);
        rig.until_idle();
    });
}

#[test]
fn a_sender_whose_ticket_nobody_resumes_goes_on_after_a_while() {
    hold("pressure::a_sender_whose_ticket_nobody_resumes_goes_on_after_a_while", |rig| {
        let far = Address::mint(NodeRef { id: odeon::NodeId([1; 16]), ..NODE }, 1, 1);
        let actor = rig.root(plain("talks", move |_, cx| {
            cx.send(far, true);
            Ok(())
        }));
        rig.notes.ticket.store(8, SeqCst);
        let now = rig.clock();
        let start = now();
        rig.tell(actor, true);
        rig.tell(actor, true);
        rig.until("it sent both", || rig.notes.sent.lock().unwrap().len() == 2);
        assert!(now() - start >= limits::PUT_ASIDE_TIME_MAX - Duration::from_millis(1));
    });
}

/// An actor whose handler ends only while `held` is false.
fn stuck(held: &Arc<AtomicBool>) -> Definition {
    let held = held.clone();
    plain("stuck", move |_, _| {
        while held.load(SeqCst) {
            std::thread::yield_now();
        }
        Ok(())
    })
}

/// Sends so many numbers to another one, one in each message.
fn sends(to: Address, total: i64) -> Definition {
    plain("sends", move |message, cx| {
        let n = *message.get::<i64>().unwrap();
        cx.send(to, n);
        if n + 1 < total {
            cx.send(cx.my_address(), n + 1);
        }
        Ok(())
    })
}

#[test]
fn a_slow_actor_holds_back_those_before_those_who_send_to_it() {
    holds_on("pressure::a_slow_actor_holds_back_those_before_those_who_send_to_it", &[Column::Threads]);
    let rig = Rig::threads(2);
    let held = Arc::new(AtomicBool::new(true));
    let slow = rig.root(stuck(&held));
    let (most, handled) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let h = handled.clone();
    let middle = rig.root(plain("middle", move |_, cx| {
        h.fetch_add(1, SeqCst);
        cx.send(slow, ());
        Ok(())
    }));
    let total = 4 * HIGH;
    let first = rig.root(sends(middle, total as i64));
    rig.tell(first, 0i64);
    rig.until("both are put aside", || {
        [first, middle].iter().all(|actor| rig.status(*actor).unwrap().state == ActorState::PutAside)
    });
    held.store(false, SeqCst);
    rig.until("all were handled", || {
        most.fetch_max(rig.status(middle).unwrap().queued, SeqCst);
        handled.load(SeqCst) == total
    });
    assert!(most.load(SeqCst) <= HIGH + 10, "{} were queued", most.load(SeqCst));
    assert!(rig.shutdown(crate::rig::BOUND));
}

#[test]
fn an_actor_that_waits_for_itself_by_way_of_the_outside_is_asked_about_and_let_go_for_some_messages() {
    holds_on(
        "pressure::an_actor_that_waits_for_itself_by_way_of_the_outside_is_asked_about_and_let_go_for_some_messages",
        &[Column::Threads],
    );
    let rig = Rig::threads(2);
    let far = Address::mint(NodeRef { id: odeon::NodeId([1; 16]), ..NODE }, 1, 1);
    let near = rig.root(plain("near", move |_, cx| {
        cx.send(far, true);
        Ok(())
    }));
    rig.notes.is_held.store(true, SeqCst);
    rig.notes.ticket.store(5, SeqCst);
    (0..=2 * HIGH).for_each(|_| rig.tell(near, true));
    rig.until("it is put aside", || rig.status(near).unwrap().state == ActorState::PutAside);
    let before = rig.root(sends(near, 10));
    rig.tell(before, 0i64);
    rig.until("whoever sends to it is, too", || rig.status(before).unwrap().state == ActorState::PutAside);
    // In the order in which they began to wait, each by the same way out.
    rig.until("both are asked about", || *rig.notes.waits.lock().unwrap() == [(near, 5), (before, 5)]);
    assert_eq!(rig.system().chain(before, near), Chain::Returns);
    assert_eq!(rig.system().chain(before, far), Chain::Leaves(5));
    assert_eq!(rig.system().chain(far, near), Chain::Ends);
    assert!(!rig.system().let_go(far), "it does not live here");
    assert_eq!(rig.notes.sent.lock().unwrap().len(), 1);
    assert!(rig.system().let_go(near));
    let sent = 1 + usize::from(limits::CIRCLE_MESSAGES) + 1;
    rig.until("it has sent some and waits again", || {
        rig.notes.sent.lock().unwrap().len() == sent && rig.status(near).unwrap().state == ActorState::PutAside
    });
    rig.until("it is asked about again", || rig.notes.waits.lock().unwrap().last() == Some(&(near, 5)));
    rig.notes.ticket.store(0, SeqCst);
    rig.resume(5);
    rig.until("all is sent", || rig.notes.sent.lock().unwrap().len() == 2 * HIGH + 1 + 10);
    rig.until_idle();
    assert!(rig.shutdown(crate::rig::BOUND));
}

#[test]
fn the_outside_is_told_once_that_an_actor_has_drained_or_is_gone() {
    holds_on("pressure::the_outside_is_told_once_that_an_actor_has_drained_or_is_gone", &[Column::Threads]);
    let rig = Rig::threads(2);
    let held = Arc::new(AtomicBool::new(true));
    let [slow, ends] = [(); 2].map(|()| rig.root(stuck(&held)));
    assert!(!rig.system().tell_when_drained(slow), "it has nothing");
    for actor in [slow, ends] {
        (0..=HIGH + 1).for_each(|_| rig.tell(actor, ()));
        assert!(rig.system().tell_when_drained(actor));
        assert!(rig.system().tell_when_drained(actor));
    }
    assert_eq!(*rig.notes.drained.lock().unwrap(), []);
    held.store(false, SeqCst);
    rig.until_idle();
    let drained = || {
        let mut drained = rig.notes.drained.lock().unwrap().clone();
        drained.sort();
        drained
    };
    let mut both = vec![slow, ends];
    both.sort();
    assert_eq!(drained(), both);
    held.store(true, SeqCst);
    rig.tell(ends, ());
    rig.tell(ends, odeon::ActorExitRequest::default());
    (0..=HIGH + 1).for_each(|_| rig.tell(ends, ()));
    assert!(rig.system().tell_when_drained(ends));
    held.store(false, SeqCst);
    rig.until("it is gone", || rig.status(ends).is_none());
    both.push(ends);
    both.sort();
    rig.until("its end is told", || drained() == both);
    assert!(!rig.system().tell_when_drained(ends), "it is gone");
    assert!(rig.shutdown(crate::rig::BOUND));
}
