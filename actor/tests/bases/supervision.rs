use crate::rig::{Rig, plain};
use crate::table::hold;
use odeon::{
    ActorExitRequest, Address, ChildActorExited, Consequence, Context, Restarts, Supervised, Supervisor, WakeupMessage,
    actor,
};
use std::time::Duration;

/// Supervises one engine, of which it says everything to whoever told it to begin.
#[derive(Default)]
struct Driver {
    children: Supervisor,
    engine: Option<Supervised>,
    owner: Option<Address>,
}

impl Driver {
    fn say(&self, cx: &Context, text: &str) {
        self.owner.into_iter().for_each(|owner| cx.send(owner, text.to_owned()));
    }
}

#[actor]
impl Driver {
    #[handler]
    fn begin(&mut self, max: &i64, cx: &mut Context) -> Result<(), odeon::Failure> {
        self.owner = Some(cx.sender());
        let restarts = Restarts {
            max: *max as u32,
            within: Duration::from_millis(400),
            first: Duration::from_millis(10),
            longest: Duration::from_millis(20),
            jitter_percent: 50,
        };
        let engine = self.children.start(cx, restarts, |cx| cx.create_named("engine").start())?;
        self.engine = Some(engine);
        cx.reply(self.children.address(engine).unwrap());
        Ok(())
    }

    #[handler]
    fn stop(&mut self, _: &bool, cx: &mut Context) {
        let stopped = self.engine.is_some_and(|engine| self.children.stop(engine, cx));
        cx.reply(stopped);
    }

    #[handler]
    fn exited(&mut self, exited: &ChildActorExited, cx: &mut Context) {
        match self.children.exited(exited, cx) {
            Consequence::Restarts { child, pause } => {
                assert_eq!((Some(child), self.children.address(child)), (self.engine, None));
                assert!(pause >= Duration::from_millis(5) && pause <= Duration::from_millis(20), "{pause:?}");
            }
            Consequence::GivenUp { .. } => self.say(cx, "given up"),
            Consequence::NotSupervised => self.say(cx, "not supervised"),
        }
    }

    #[handler]
    fn woken(&mut self, wakeup: &WakeupMessage, cx: &mut Context) {
        if let (Some((_, address)), Some(owner)) = (self.children.woken(wakeup, cx), self.owner) {
            cx.send(owner, address);
        }
    }
}

fn driver(rig: &Rig) -> Address {
    rig.offer(plain("engine", |message, cx| {
        if message.is::<i64>() {
            cx.exit();
        }
        Ok(())
    }));
    rig.root(odeon::Definition::of::<Driver>())
}

#[test]
fn a_child_is_created_again_after_a_pause_until_it_has_exited_too_often() {
    hold("supervision::a_child_is_created_again_after_a_pause_until_it_has_exited_too_often", |rig| {
        let driver = driver(&rig);
        rig.tell(driver, 3i64);
        for start in 1..=4 {
            let engine = rig.wait::<Address>(start)[start - 1];
            rig.tell(engine, 1i64);
        }
        assert_eq!(rig.wait::<String>(1), ["given up"]);
        assert_eq!((rig.got::<Address>().len(), rig.count()), (4, 1));
        // All that it has asked for was cancelled, or is of no account.
        rig.pass(Duration::from_millis(450));
        rig.until_idle();
        assert_eq!((rig.got::<Address>().len(), rig.count()), (4, 1));
    });
}

#[test]
fn exits_that_are_long_ago_do_not_count() {
    hold("supervision::exits_that_are_long_ago_do_not_count", |rig| {
        let driver = driver(&rig);
        rig.tell(driver, 1i64);
        for start in 1..=3 {
            let engine = rig.wait::<Address>(start)[start - 1];
            rig.tell(engine, 1i64);
            rig.wait::<Address>(start + 1);
            rig.pass(Duration::from_millis(1_000));
            rig.until_idle();
        }
        assert!(rig.got::<String>().is_empty());
    });
}

#[test]
fn a_child_that_is_stopped_is_not_created_again() {
    hold("supervision::a_child_that_is_stopped_is_not_created_again", |rig| {
        let driver = driver(&rig);
        rig.tell(driver, 1i64);
        let engine = rig.wait::<Address>(1)[0];
        rig.tell(driver, true);
        rig.tell(driver, true);
        assert_eq!(rig.wait::<bool>(2), [true, false]);
        assert_eq!(rig.wait::<String>(1), ["not supervised"]);
        assert!(rig.status(engine).is_none());
        rig.tell(engine, ActorExitRequest::default());
        rig.pass(Duration::from_millis(30));
        rig.until_idle();
        assert_eq!(rig.count(), 1);
    });
}
