//! Races of parking and mailboxes, hunted with many threads for a bounded time.

use crate::rig::{Rig, plain};
use crate::table::{Column, holds_on};
use odeon::{ActorExitRequest, Address, ChildActorExited};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// How long each hunts; `scripts/soak` has them do so for longer.
fn hunt() -> Duration {
    let seconds = std::env::var("ODEON_STRESS_SECONDS").ok().map(|text| text.parse().unwrap());
    Duration::from_secs(seconds.unwrap_or(3))
}

#[test]
fn no_wakeup_of_a_parked_worker_is_lost() {
    holds_on("stress::no_wakeup_of_a_parked_worker_is_lost", &[Column::Threads]);
    let rig = Rig::threads(4);
    let echo = rig.root(plain("echo", |message, cx| {
        cx.reply(*message.get::<i64>().unwrap());
        Ok(())
    }));
    // Each thread lets the pool fall asleep between its questions, in its own rhythm; a lost wakeup never answers.
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let rig = &rig;
            scope.spawn(move || {
                let (tx, rx) = std::sync::mpsc::sync_channel(1);
                let put = move |e: odeon::system::Envelope| tx.send(*e.message.get::<i64>().unwrap()).unwrap();
                let me = rig.endpoint(Box::new(put)).unwrap();
                let end = Instant::now() + hunt();
                let mut n = 0i64;
                while Instant::now() < end {
                    rig.deliver(odeon::system::Envelope {
                        to: echo,
                        sender: me.address(),
                        message: odeon::AnyMessage::new(n),
                    });
                    assert_eq!(rx.recv_timeout(crate::rig::BOUND), Ok(n), "no answer: a wakeup was lost");
                    n += 1;
                    for _ in 0..(n as u64 * 7919 * (thread + 1)) % 3000 {
                        std::hint::spin_loop();
                    }
                }
            });
        }
    });
    assert!(rig.shutdown(crate::rig::BOUND));
}

#[test]
fn many_threads_and_actors_lose_and_double_nothing() {
    holds_on("stress::many_threads_and_actors_lose_and_double_nothing", &[Column::Threads]);
    let rig = Rig::threads(4);
    const ACTORS: usize = 50;
    const BEHIND_MAX: usize = 200_000;
    let handled = Arc::new(AtomicUsize::new(0));
    let actors: Vec<Address> = (0..ACTORS)
        .map(|_| {
            let handled = handled.clone();
            rig.root(plain("hop", move |message, cx| {
                // At the end it is asked to exit.
                let Some(&left) = message.get::<i64>() else { return Ok(()) };
                handled.fetch_add(1, SeqCst);
                if left > 0 {
                    cx.send(cx.my_address(), left - 1);
                }
                Ok(())
            }))
        })
        .collect();
    let sent = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4usize {
            let (rig, actors, sent, handled) = (&rig, &actors, &sent, &handled);
            scope.spawn(move || {
                let end = Instant::now() + hunt();
                let mut n = thread;
                while Instant::now() < end {
                    for _ in 0..20 {
                        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        rig.tell(actors[(n >> 33) % ACTORS], 2i64);
                        sent.fetch_add(3, SeqCst);
                    }
                    // Nobody holds a thread up that is none of the system's.
                    let behind = || sent.load(SeqCst).saturating_sub(handled.load(SeqCst));
                    rig.until("they are not too far behind", || behind() < BEHIND_MAX);
                }
            });
        }
    });
    rig.until_idle();
    assert_eq!(handled.load(SeqCst), sent.load(SeqCst));
    assert!(rig.shutdown(crate::rig::BOUND));
}

#[test]
fn actors_that_come_and_go_under_fire_are_each_told_of_once() {
    holds_on("stress::actors_that_come_and_go_under_fire_are_each_told_of_once", &[Column::Threads]);
    let rig = Rig::threads(4);
    let (created, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    rig.offer(plain("fly", |message, cx| {
        if message.is::<i64>() {
            cx.exit();
        }
        Ok(())
    }));
    let parents: Vec<_> = (0..8)
        .map(|_| {
            let (created, told) = (created.clone(), told.clone());
            rig.root(plain("parent", move |message, cx| {
                if message.is::<ChildActorExited>() {
                    told.fetch_add(1, SeqCst);
                } else if message.is::<bool>() {
                    created.fetch_add(1, SeqCst);
                    let child = cx.create_named("fly").start();
                    cx.send(child, 1i64);
                    cx.send(child, ActorExitRequest::default());
                    cx.send(child, 1i64);
                }
                Ok(())
            }))
        })
        .collect();
    let asked = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let end = Instant::now() + hunt();
                while Instant::now() < end {
                    parents.iter().for_each(|p| rig.tell(*p, true));
                    asked.fetch_add(parents.len(), SeqCst);
                    let behind = || asked.load(SeqCst).saturating_sub(told.load(SeqCst));
                    rig.until("they are not too far behind", || behind() < 2_000);
                    // What an hour of this says would not fit.
                    rig.notes.dead.lock().unwrap().clear();
                    rig.notes.exits.lock().unwrap().clear();
                }
            });
        }
    });
    rig.until("only parents are left", || rig.count() == parents.len());
    rig.until_idle();
    assert!(created.load(SeqCst) > 100);
    assert_eq!(created.load(SeqCst), told.load(SeqCst));
    assert!(rig.shutdown(crate::rig::BOUND));
}

#[test]
fn an_actor_woken_by_a_worker_that_is_held_up_runs_elsewhere() {
    holds_on("stress::an_actor_woken_by_a_worker_that_is_held_up_runs_elsewhere", &[Column::Threads]);
    let rig = Rig::threads(2);
    let free = Arc::new(AtomicBool::new(false));
    let f = free.clone();
    let other = rig.root(plain("other", move |_, _| {
        f.store(true, SeqCst);
        Ok(())
    }));
    let blocked = rig.root(plain("blocked", move |_, cx| {
        cx.send(other, true);
        // Only the other actor ends this.
        let end = Instant::now() + crate::rig::BOUND;
        while !free.load(SeqCst) {
            assert!(Instant::now() < end, "the other actor never ran");
            std::thread::yield_now();
        }
        cx.reply(true);
        Ok(())
    }));
    rig.tell(blocked, true);
    rig.wait::<bool>(1);
    assert!(rig.notes.logs.lock().unwrap().is_empty());
    assert!(rig.shutdown(crate::rig::BOUND));
}
