use crate::rig::{Rig, define};
use crate::table::{Column, hold, holds_on};
use odeon::system::Spawn;
use odeon::{
    ActorExitRequest, ActorType, Address, AnyMessage, Context, Definition, Encoded, Failure, Message, PoisonMessage,
    TROUPE_ATTEMPTS_MAX, TROUPE_WAITING_MESSAGES_MAX, Troupe, TroupeMember, TroupeStatus, TroupeStatusRequest,
    TroupeWorker, UNTYPED, UpdateTroupeSettings, Value, actor,
};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

/// Says who it is for each number, then answers it. 0 is not done before the worker is released; -1 cannot be done.
#[derive(Default)]
struct Clerk {
    held_for: Option<Address>,
}

#[actor]
impl Clerk {
    #[handler]
    fn number(&mut self, number: &i64, cx: &mut Context) -> Result<(), Failure> {
        cx.reply(cx.my_address());
        match number {
            0 => self.held_for = Some(cx.sender()),
            -1 => return Err(Failure::new("it cannot be done")),
            number => cx.reply(*number),
        }
        Ok(())
    }

    #[handler]
    fn release(&mut self, _: &bool, cx: &mut Context) {
        self.held_for.take().into_iter().for_each(|asker| cx.send(asker, String::from("released")));
    }

    #[handler]
    fn trip(&mut self, _: &f64, _: &mut Context) {
        panic!("tripped");
    }
}

impl TroupeMember for Clerk {
    const MAX: u32 = 4;
    const IDLE: u32 = 1;

    fn in_progress(&self) -> bool {
        self.held_for.is_some()
    }
}

/// A troupe of `A`s.
fn troupe<A: TroupeMember>(rig: &Rig) -> Address {
    rig.offer(Definition::of::<TroupeWorker<A>>());
    rig.root(Definition::of::<Troupe<A>>())
}

fn status(rig: &Rig, troupe: Address) -> TroupeStatus {
    let before = rig.got::<TroupeStatus>().len();
    rig.tell(troupe, TroupeStatusRequest);
    rig.wait::<TroupeStatus>(before + 1).pop().unwrap()
}

/// Has so many workers hold something.
fn held(rig: &Rig, troupe: Address, count: usize) -> Vec<Address> {
    let before = rig.got::<Address>().len();
    (0..count).for_each(|_| rig.tell(troupe, 0i64));
    rig.wait::<Address>(before + count).split_off(before)
}

#[test]
fn workers_are_created_on_demand_have_their_turns_and_see_the_sender() {
    hold("troupes::workers_are_created_on_demand_have_their_turns_and_see_the_sender", |rig| {
        let troupe = troupe::<Clerk>(&rig);
        assert_eq!(rig.count(), 1, "nobody is there before there is work");
        // None is dismissed, however long this takes.
        rig.tell(troupe, UpdateTroupeSettings { max: None, idle: Some(4) });
        let workers = held(&rig, troupe, 3);
        assert_eq!(rig.count(), 4);
        for worker in &workers {
            rig.tell(*worker, true);
            rig.wait::<String>(1);
        }
        rig.wait::<String>(3);
        rig.until("all are idle", || status(&rig, troupe).busy == 0);
        let before = rig.got::<Address>().len();
        for number in 1..=6 {
            rig.tell(troupe, number);
            assert_eq!(*rig.wait::<i64>(number as usize).last().unwrap(), number);
            rig.until("it is idle again", || status(&rig, troupe).busy == 0);
        }
        let turns = rig.got::<Address>().split_off(before);
        assert_eq!(turns[..3], turns[3..], "each has its turn");
        let mut distinct = turns[..3].to_vec();
        distinct.sort();
        let mut all = workers.clone();
        all.sort();
        assert_eq!(distinct, all);
        let senders =
            rig.mail.lock().unwrap().iter().filter(|e| e.message.is::<i64>()).map(|e| e.sender).collect::<Vec<_>>();
        assert_eq!(senders, turns, "the answer comes from the worker itself");
    });
}

#[test]
fn what_finds_no_idle_worker_waits_in_its_order_and_a_busy_worker_gets_nothing_else() {
    hold("troupes::what_finds_no_idle_worker_waits_in_its_order_and_a_busy_worker_gets_nothing_else", |rig| {
        let troupe = troupe::<Clerk>(&rig);
        let workers = held(&rig, troupe, 4);
        (1..=20i64).for_each(|number| rig.tell(troupe, number));
        let now = status(&rig, troupe);
        assert_eq!((now.workers, now.busy, now.waiting, now.handled), (4, 4, 20, 0));
        assert!(rig.got::<i64>().is_empty());
        rig.tell(workers[2], true);
        assert!(rig.wait::<i64>(20).into_iter().eq(1..=20));
        rig.until("it is idle", || status(&rig, troupe).busy == 3);
        assert!(rig.got::<Address>()[4..].iter().all(|worker| *worker == workers[2]));
    });
}

#[test]
fn workers_that_are_too_many_are_dismissed_after_a_pause_and_not_before() {
    hold("troupes::workers_that_are_too_many_are_dismissed_after_a_pause_and_not_before", |rig| {
        let troupe = troupe::<Clerk>(&rig);
        let clock = rig.clock();
        let start = clock();
        for worker in held(&rig, troupe, 4) {
            rig.tell(worker, true);
        }
        rig.wait::<String>(4);
        rig.until("one worker is left", || rig.count() == 2);
        assert!(clock() - start >= odeon::TROUPE_PAUSE);
        rig.until("all is done", || status(&rig, troupe).handled == 4);
        let now = status(&rig, troupe);
        assert_eq!((now.workers, now.busy), (1, 0));
        rig.until("it has one child", || rig.status(troupe).unwrap().children == 1);
    });
}

#[test]
fn settings_change_at_run_time_also_from_a_shell_and_bad_ones_come_back() {
    hold("troupes::settings_change_at_run_time_also_from_a_shell_and_bad_ones_come_back", |rig| {
        let troupe = troupe::<Clerk>(&rig);
        let workers = held(&rig, troupe, 4);
        rig.tell(troupe, 7i64);
        assert_eq!(status(&rig, troupe).waiting, 1);
        rig.tell(troupe, UpdateTroupeSettings { max: Some(5), idle: Some(3) });
        assert_eq!(rig.wait::<i64>(1), [7]);
        // A lower limit takes those that are idle now, and the others once they are.
        let json = serde_json::json!({"odeon.UpdateTroupeSettings": {"max": 2}});
        rig.tell(troupe, serde_json::from_value::<Value>(json).unwrap());
        rig.until("the idle one is gone", || rig.count() == 5);
        rig.tell(workers[0], true);
        rig.tell(workers[1], true);
        rig.until("two are left", || rig.count() == 3);
        let now = status(&rig, troupe);
        assert_eq!((now.max, now.idle, now.workers), (2, 2, 2));
        for (max, idle, reason) in [
            (Some(0), None, "max is 0, expected 1 to 10000"),
            (Some(10_001), None, "max is 10001, expected 1 to 10000"),
            (None, Some(3), "idle is 3, expected 2 at most, which is max"),
        ] {
            let before = rig.got::<PoisonMessage>().len();
            rig.tell(troupe, UpdateTroupeSettings { max, idle });
            assert_eq!(rig.wait::<PoisonMessage>(before + 1)[before].details, reason);
        }
        let json = serde_json::json!({"odeon.UpdateTroupeSettings": {"most": 2}});
        rig.tell(troupe, serde_json::from_value::<Value>(json).unwrap());
        assert!(rig.wait::<PoisonMessage>(4)[3].details.contains("expected a map with numbers `max` and `idle`"));
        assert_eq!((status(&rig, troupe).max, status(&rig, troupe).idle), (2, 2));
    });
}

#[test]
fn a_message_that_a_worker_fails_on_twice_comes_back_as_it_was_and_the_worker_goes_on() {
    hold("troupes::a_message_that_a_worker_fails_on_twice_comes_back_as_it_was_and_the_worker_goes_on", |rig| {
        let troupe = troupe::<Clerk>(&rig);
        rig.tell(troupe, -1i64);
        let poison = rig.wait::<PoisonMessage>(1).remove(0);
        let workers = rig.wait::<Address>(2);
        assert_eq!((workers.len(), workers[0]), (2, workers[1]), "it was given twice to one worker");
        assert_eq!((poison.actor, poison.details.as_str()), (workers[0], "it cannot be done"));
        assert_eq!(AnyMessage::from_encoded(poison.message).get::<i64>(), Some(&-1));
        rig.tell(troupe, 5i64);
        rig.wait::<i64>(1);
        rig.until("it is idle", || status(&rig, troupe).busy == 0);
        let now = status(&rig, troupe);
        assert_eq!((now.workers, now.handled, now.failed), (1, 1, 1));
    });
}

#[test]
fn the_work_of_a_worker_that_exits_goes_to_another_one_and_at_last_back_to_its_sender() {
    hold("troupes::the_work_of_a_worker_that_exits_goes_to_another_one_and_at_last_back_to_its_sender", |rig| {
        let troupe = troupe::<Clerk>(&rig);
        for attempt in 1..=TROUPE_ATTEMPTS_MAX as usize {
            if attempt == 1 {
                rig.tell(troupe, 0i64);
            }
            let worker = rig.wait::<Address>(attempt)[attempt - 1];
            assert!(rig.got::<PoisonMessage>().is_empty());
            rig.tell(worker, ActorExitRequest::default());
        }
        let poison = rig.wait::<PoisonMessage>(1).remove(0);
        assert_eq!(poison.details, "3 workers of this troupe were lost with it; the last: it was asked to exit");
        assert_eq!(AnyMessage::from_encoded(poison.message).get::<i64>(), Some(&0));
        rig.tell(troupe, 3i64);
        assert_eq!(rig.wait::<i64>(1), [3]);
        assert_eq!(rig.got::<Address>().len(), 4);
    });
}

/// What the next constructors of a [`Brittle`] do: so many fail.
static BROKEN: AtomicU32 = AtomicU32::new(0);

struct Brittle;

#[actor]
impl Brittle {
    #[constructor]
    fn new() -> Result<Self, Failure> {
        match BROKEN.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Err(Failure::new("no glass left")),
            Err(_) => Ok(Self),
        }
    }

    #[handler]
    fn number(&mut self, number: &i64, cx: &mut Context) {
        if *number < 0 {
            // Neither the worker nor what stands around it is built again; the next worker is.
            BROKEN.store(2, SeqCst);
            panic!("breaks");
        }
        cx.reply(*number);
    }
}

impl TroupeMember for Brittle {
    const MAX: u32 = 1;
}

#[test]
fn a_message_that_kills_its_workers_does_not_do_so_for_ever() {
    hold("troupes::a_message_that_kills_its_workers_does_not_do_so_for_ever", |rig| {
        let troupe = troupe::<Brittle>(&rig);
        rig.tell(troupe, -1i64);
        rig.tell(troupe, 2i64);
        let poison = rig.wait::<PoisonMessage>(1).remove(0);
        assert!(poison.details.starts_with("3 workers of this troupe were lost with it"), "{}", poison.details);
        assert!(poison.details.ends_with("no glass left"), "{}", poison.details);
        assert_eq!(rig.wait::<i64>(1), [2]);
    });
}

#[test]
fn work_for_which_no_worker_can_be_created_comes_back_with_the_reason() {
    hold("troupes::work_for_which_no_worker_can_be_created_comes_back_with_the_reason", |rig| {
        rig.notes.definitions.lock().unwrap().clear();
        let troupe = rig.root(Definition::of::<Troupe<Clerk>>());
        rig.tell(troupe, 1i64);
        let poison = rig.wait::<PoisonMessage>(1).remove(0);
        assert!(poison.details.ends_with("the last: nobody has Clerk.worker"), "{}", poison.details);
        assert_eq!(rig.count(), 1);
    });
}

#[test]
fn a_worker_that_loses_its_work_by_failing_on_something_else_is_given_it_again() {
    hold("troupes::a_worker_that_loses_its_work_by_failing_on_something_else_is_given_it_again", |rig| {
        let troupe = troupe::<Clerk>(&rig);
        let worker = held(&rig, troupe, 1)[0];
        // Without its state it does not know for whom it holds anything.
        rig.tell(worker, 1.5f64);
        rig.wait::<Address>(2);
        rig.tell(worker, true);
        assert_eq!(rig.wait::<String>(1), ["released"]);
        assert_eq!(rig.wait::<PoisonMessage>(1)[0].details, "panicked: tripped");
        rig.until("it is done", || status(&rig, troupe).handled == 1);
    });
}

#[test]
fn a_worker_that_was_built_anew_and_forgot_its_work_is_found_out() {
    /// As a worker answers.
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Probed {
        number: u64,
        has_it: bool,
    }
    impl Message for Probed {
        const NAME: &'static str = "odeon.TroupeProbed";
    }
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Probe {
        number: u64,
    }
    impl Message for Probe {
        const NAME: &'static str = "odeon.TroupeProbe";
    }
    holds_on("troupes::a_worker_that_was_built_anew_and_forgot_its_work_is_found_out", &[Column::Threads]);
    let rig = Rig::threads(2);
    let forgot = std::sync::Arc::new(AtomicBool::new(false));
    let has_forgotten = forgot.clone();
    // The first worker says nothing of the work that it was given; the probe is the only one that asks.
    let forgetful = define(<TroupeWorker<Clerk> as ActorType>::NAME, move || {
        let first = !forgot.swap(true, SeqCst);
        let mut worker = TroupeWorker::<Clerk>::create()?;
        Ok(move |message: &AnyMessage, cx: &mut Context| {
            let encoded = message.encode().unwrap();
            if first && message.name() == Probe::NAME {
                let probe = AnyMessage::from_encoded(Encoded { name: Probe::NAME.into(), bytes: encoded.bytes });
                cx.reply(Probed { number: probe.get::<Probe>().unwrap().number, has_it: false });
                cx.exit();
                return Ok(());
            }
            if first { Ok(()) } else { odeon::Actor::receive(&mut worker, message, cx) }
        })
    });
    rig.offer(forgetful);
    let troupe = rig.spawn(Spawn {
        definition: Definition::of::<Troupe<Clerk>>(),
        parent: None,
        global_name: None,
        address: None,
    });
    rig.tell(troupe.unwrap(), 9i64);
    assert_eq!(rig.wait::<i64>(1), [9]);
    assert!(has_forgotten.load(SeqCst));
    assert!(rig.shutdown(crate::rig::BOUND));
}

#[test]
fn the_exit_of_a_troupe_takes_its_workers_and_gives_back_what_waits() {
    hold("troupes::the_exit_of_a_troupe_takes_its_workers_and_gives_back_what_waits", |rig| {
        let troupe = troupe::<Clerk>(&rig);
        held(&rig, troupe, 4);
        (1..=3i64).for_each(|number| rig.tell(troupe, number));
        rig.tell(troupe, ActorExitRequest::default());
        let poison = rig.wait::<PoisonMessage>(3);
        assert!(poison.iter().all(|poison| poison.details == "the troupe exits" && poison.actor == troupe));
        rig.until("all are gone", || rig.count() == 0);
    });
}

#[test]
fn a_troupe_with_as_much_to_do_as_it_holds_gives_back_what_comes_then() {
    holds_on("troupes::a_troupe_with_as_much_to_do_as_it_holds_gives_back_what_comes_then", &[Column::Threads]);
    let rig = Rig::threads(2);
    let troupe = troupe::<Clerk>(&rig);
    held(&rig, troupe, 4);
    (0..=TROUPE_WAITING_MESSAGES_MAX as i64).for_each(|number| rig.tell(troupe, number + 1));
    let poison = rig.wait::<PoisonMessage>(1);
    assert_eq!(AnyMessage::from_encoded(poison[0].message.clone()).get::<i64>(), Some(&65_537));
    assert_eq!(status(&rig, troupe).waiting, 65_536);
    assert!(rig.shutdown(crate::rig::BOUND));
}

#[test]
fn an_untyped_value_that_looks_like_a_request_is_work() {
    hold("troupes::an_untyped_value_that_looks_like_a_request_is_work", |rig| {
        let troupe = troupe::<Clerk>(&rig);
        let nothing = Encoded { name: UNTYPED.into(), bytes: AnyMessage::new(()).encode().unwrap().bytes };
        let to = odeon::system::Envelope { to: troupe, sender: rig.me(), message: AnyMessage::from_encoded(nothing) };
        rig.deliver(to);
        rig.until("it is done", || status(&rig, troupe).handled == 1);
        let answers = rig.got::<TroupeStatus>().len();
        let json = serde_json::json!({"odeon.TroupeStatusRequest": null});
        rig.tell(troupe, serde_json::from_value::<Value>(json).unwrap());
        rig.wait::<TroupeStatus>(answers + 1);
    });
}
