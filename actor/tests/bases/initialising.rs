use crate::rig::{Rig, plain};
use crate::table::hold;
use odeon::{
    ActorExitRequest, ChildActorExited, Context, Definition, Failure, Initialise, Initialising, Message, PoisonMessage,
    Value, actor,
};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

#[derive(serde::Serialize, serde::Deserialize, Message)]
struct Currency(String);

#[derive(serde::Serialize, serde::Deserialize, Message)]
struct Discount(i64);

#[derive(Default)]
struct Till {
    currency: String,
    discount: i64,
    is_ready: bool,
}

#[actor]
impl Till {
    #[handler]
    fn currency(&mut self, currency: &Currency, cx: &mut Context) -> Result<(), Failure> {
        assert!(!currency.0.is_empty(), "no currency");
        self.currency = currency.0.clone();
        cx.reply(true);
        Ok(())
    }

    #[handler]
    fn discount(&mut self, discount: &Discount, _: &mut Context) {
        self.discount = discount.0;
    }

    #[handler]
    fn price(&mut self, price: &i64, cx: &mut Context) {
        assert!(self.is_ready && *price >= 0, "not for sale");
        cx.reply(format!("{} {}", price - self.discount, self.currency));
    }
}

impl Initialise for Till {
    const NEEDS: &'static [&'static str] = &[Currency::NAME, Discount::NAME];

    fn initialised(&mut self, _: &mut Context) -> Result<(), Failure> {
        if self.discount < 0 {
            return Err(Failure::new("a discount below nothing"));
        }
        self.is_ready = true;
        Ok(())
    }
}

fn till() -> Definition {
    Definition::of::<Initialising<Till>>()
}

#[test]
fn everything_waits_in_its_order_for_what_the_actor_needs() {
    hold("initialising::everything_waits_in_its_order_for_what_the_actor_needs", |rig| {
        let till = rig.root(till());
        rig.tell(till, 5i64);
        rig.tell(till, Discount(1));
        rig.tell(till, 6i64);
        rig.tell(till, Discount(2));
        rig.until_idle();
        assert!(rig.got::<String>().is_empty());
        let shell = serde_json::json!({"Currency": "EUR"});
        rig.tell(till, serde_json::from_value::<Value>(shell).unwrap());
        rig.tell(till, 7i64);
        // The second discount waited like everything else.
        assert_eq!(rig.wait::<String>(3), ["4 EUR", "5 EUR", "5 EUR"]);
        assert_eq!(rig.wait::<bool>(1), [true]);
    });
}

#[test]
fn one_that_fails_later_is_initialised_again_before_it_goes_on() {
    hold("initialising::one_that_fails_later_is_initialised_again_before_it_goes_on", |rig| {
        let till = rig.root(till());
        rig.tell(till, Currency("EUR".into()));
        rig.tell(till, Discount(1));
        rig.tell(till, -5i64);
        rig.tell(till, 3i64);
        assert_eq!(rig.wait::<String>(1), ["2 EUR"]);
        assert_eq!(rig.got::<PoisonMessage>()[0].details, "panicked: not for sale");
        assert_eq!(rig.got::<bool>().len(), 3, "the currency was given at first and after two failures");
    });
}

#[test]
fn what_it_needs_may_be_given_again_when_it_was_bad() {
    hold("initialising::what_it_needs_may_be_given_again_when_it_was_bad", |rig| {
        let till = rig.root(till());
        rig.tell(till, 3i64);
        rig.tell(till, Currency(String::new()));
        rig.tell(till, Currency("EUR".into()));
        rig.tell(till, Discount(-1));
        rig.tell(till, Discount(1));
        assert_eq!(rig.wait::<String>(1), ["2 EUR"]);
        let details: Vec<_> = rig.got::<PoisonMessage>().into_iter().map(|poison| poison.details).collect();
        assert_eq!(details, ["panicked: no currency", "a discount below nothing"]);
    });
}

/// Whether the currency is not accepted any more.
static CLOSED: AtomicBool = AtomicBool::new(false);

#[derive(Default)]
struct Kiosk;

#[actor]
impl Kiosk {
    #[handler]
    fn currency(&mut self, _: &Currency, _: &mut Context) {
        assert!(!CLOSED.load(SeqCst), "closed");
    }

    #[handler]
    fn close(&mut self, _: &bool, _: &mut Context) {
        CLOSED.store(true, SeqCst);
        panic!("closing");
    }
}

impl Initialise for Kiosk {
    const NEEDS: &'static [&'static str] = &[Currency::NAME];
    const WITHIN: Duration = Duration::from_millis(50);
}

/// Creates a kiosk, and reports its exit.
fn parent(rig: &Rig) -> odeon::Address {
    rig.offer(Definition::of::<Initialising<Kiosk>>());
    let me = rig.me();
    rig.root(plain("parent", move |message, cx| {
        if let Some(exited) = message.get::<ChildActorExited>() {
            cx.send(me, exited.clone());
        } else if message.is::<String>() {
            cx.reply(cx.create_actor::<Initialising<Kiosk>>().start());
        }
        Ok(())
    }))
}

#[test]
fn one_that_cannot_be_initialised_again_exits_and_its_parent_is_told() {
    hold("initialising::one_that_cannot_be_initialised_again_exits_and_its_parent_is_told", |rig| {
        CLOSED.store(false, SeqCst);
        let parent = parent(&rig);
        rig.tell(parent, String::from("create"));
        let kiosk = rig.wait::<odeon::Address>(1)[0];
        rig.tell(kiosk, Currency("EUR".into()));
        rig.tell(kiosk, true);
        assert_eq!(rig.wait::<ChildActorExited>(1)[0].child, kiosk);
        assert!(rig.notes.logs.lock().unwrap().iter().any(|(_, line)| line.contains("cannot be initialised again")));
    });
}

#[test]
fn one_that_does_not_have_what_it_needs_in_time_exits_and_says_what_was_missing() {
    hold("initialising::one_that_does_not_have_what_it_needs_in_time_exits_and_says_what_was_missing", |rig| {
        let parent = parent(&rig);
        rig.tell(parent, String::from("create"));
        let kiosk = rig.wait::<odeon::Address>(1)[0];
        rig.tell(kiosk, 1i64);
        rig.wait::<ChildActorExited>(1);
        assert_eq!(rig.dead(), ["integer"]);
        assert!(rig.notes.logs.lock().unwrap().iter().any(|(_, line)| line.ends_with("it needs: Currency")));
    });
}

#[test]
fn an_exit_request_waits_for_nothing() {
    hold("initialising::an_exit_request_waits_for_nothing", |rig| {
        let till = rig.root(till());
        rig.tell(till, 1i64);
        rig.tell(till, ActorExitRequest::default());
        rig.until("it is gone", || rig.count() == 0);
        assert_eq!(rig.dead(), ["integer"]);
    });
}
