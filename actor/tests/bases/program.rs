use crate::table::{BASES, Column, bases_of, holds_on};
use odeon::host::CreateRequest;
use odeon::system::{ActorSystem, AskError, Base, CreateError};
use odeon::{
    Actor, ActorType, Address, AnyMessage, CapabilityView, Context, Failure, Level, Requirements, Value, WakeupMessage,
};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

/// Declares an actor type by hand.
macro_rules! actor_type {
    ($t:ident, $required:expr, |$caps:ident, $req:ident| $check:expr, |$self:ident, $message:ident, $cx:ident| $body:expr) => {
        impl ActorType for $t {
            const NAME: &'static str = stringify!($t);
            const REQUIRED: &'static [&'static str] = $required;

            fn create() -> Result<Self, Failure> {
                Ok(Self::default())
            }

            fn check($caps: &dyn CapabilityView, $req: &Requirements) -> bool {
                $check
            }
        }

        impl Actor for $t {
            fn receive(&mut $self, $message: &AnyMessage, $cx: &mut Context) -> Result<(), Failure> {
                $body;
                Ok(())
            }
        }
    };
}

/// The seed's first example: Hello creates World, which answers whoever asked Hello.
#[derive(Default)]
struct Hello;
#[derive(Default)]
struct World;

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Greeting {
    text: String,
    to: Address,
}

impl odeon::Message for Greeting {
    const NAME: &'static str = "Greeting";
}

actor_type!(Hello, &[], |_caps, _req| true, |self, message, cx| {
    if message.is::<String>() {
        let world = cx.create_actor::<World>().start();
        cx.send(world, Greeting { text: "Hello,".into(), to: cx.sender() });
    }
});
actor_type!(World, &[], |_caps, _req| true, |self, message, cx| {
    if let Some(greeting) = message.get::<Greeting>() {
        cx.send(greeting.to, format!("{} world!", greeting.text));
    }
});

#[derive(Default)]
struct Database;
actor_type!(
    Database,
    &["Has DB access"],
    |caps, _req| caps.value("zone") != Some("closed".into()),
    |self, message, cx| {
        if let Some(key) = message.get::<String>() {
            cx.update_capability(key.clone(), 1i64);
            cx.reply(true);
        }
    }
);

#[derive(Default)]
struct Picky;
actor_type!(Picky, &[], |_caps, _req| panic!("a check that panics"), |self, _message, cx| cx.exit());

#[derive(Default)]
struct Sleeper(Option<Address>);
actor_type!(Sleeper, &[], |_caps, _req| true, |self, message, cx| {
    if let Some(ms) = message.get::<i64>() {
        self.0 = Some(cx.sender());
        cx.wakeup_after(Duration::from_millis(*ms as u64));
    } else if message.is::<WakeupMessage>() {
        self.0.into_iter().for_each(|asker| cx.send(asker, true));
    } else if message.is::<bool>() {
        panic!("as it was told");
    }
});

fn each(test: &str, run: impl Fn(ActorSystem)) {
    for column in bases_of(test) {
        let base = match column {
            Column::Simple => Base::Simple,
            Column::Threads => Base::Threads,
            _ => Base::Simulated,
        };
        let system = ActorSystem::builder(base).log_level(Level::Error).start();
        assert_eq!(system.base(), base);
        run(system);
    }
}

/// Time, virtual where it is.
fn now(system: &ActorSystem, started: Instant) -> Duration {
    system.simulation().map_or_else(|| started.elapsed(), |simulation| simulation.now())
}

#[test]
fn hello_creates_world_without_registration() {
    each("program::hello_creates_world_without_registration", |system| {
        let hello = system.create_actor::<Hello>().unwrap();
        assert_eq!(system.ask::<String>(hello, String::from("hi"), LONG).unwrap(), "Hello, world!");
        system.tell(hello, String::from("hi"));
        let envelope = system.listen(LONG).unwrap();
        assert_eq!(envelope.message.get::<String>().unwrap(), "Hello, world!");
        assert!(system.shutdown());
        assert_eq!(system.system().count(), 0);
        assert_eq!(system.ask::<String>(hello, String::from("hi"), LONG), Err(AskError::Gone { actor: hello }));
    });
}

#[test]
fn a_base_is_named_by_its_name() {
    holds_on("program::a_base_is_named_by_its_name", &BASES);
    assert_eq!("simple".parse(), Ok(Base::Simple));
    assert_eq!("threads".parse(), Ok(Base::Threads));
    let error = "multiprocTCPBase".parse::<Base>().unwrap_err();
    assert_eq!("simulated".parse(), Ok(Base::Simulated));
    assert_eq!(error.to_string(), "\"multiprocTCPBase\" is no base: expected \"simple\", \"threads\" or \"simulated\"");
}

#[test]
fn an_actor_lives_only_where_the_capabilities_are() {
    each("program::an_actor_lives_only_where_the_capabilities_are", |system| {
        let refused = |r: Result<Address, CreateError>| match r {
            Err(CreateError::NoCompatibleNode { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        let db = || system.create_actor::<Database>();
        assert_eq!(refused(db()), "capability \"Has DB access\" is not there");
        system.update_capability("Has DB access", Some(true.into())).unwrap();
        db().unwrap();
        let zone = |zone: &str| system.create_actor_with::<Database>(Requirements::none().equal("zone", zone));
        assert!(refused(zone("eu")).starts_with("capability \"zone\" is not there"));
        system.update_capability("zone", Some("eu".into())).unwrap();
        zone("eu").unwrap();
        assert!(refused(zone("us")).starts_with("capability \"zone\" is String(\"eu\")"));
        system.update_capability("zone", Some("closed".into())).unwrap();
        assert_eq!(refused(db()), "its own check says no");
        let cel = system.create_actor_with::<World>(Requirements::none().expression("gpu > 1"));
        assert!(refused(cel).contains("gpu > 1"));
        assert_eq!(refused(system.create_actor::<Picky>()), "its own check failed: panicked: a check that panics");
        assert!(refused(system.create_named("Unknown")).contains("\"Unknown\""));
        // An actor changes what its node has. The one from before the zone was closed is gone.
        system.update_capability("zone", Some("eu".into())).unwrap();
        let actor = db().unwrap();
        assert!(system.ask::<bool>(actor, String::from("gpu"), LONG).unwrap());
        assert_eq!(system.capabilities().value("gpu"), Some(&Value::Integer(1)));
    });
}

#[test]
fn an_ask_that_is_not_answered_says_why() {
    each("program::an_ask_that_is_not_answered_says_why", |system| {
        let sleeper = system.create_actor::<Sleeper>().unwrap();
        let start = Instant::now();
        let before = now(&system, start);
        assert!(system.ask::<bool>(sleeper, 30i64, LONG).unwrap());
        assert!(now(&system, start) - before >= Duration::from_millis(30), "a wakeup was early");
        let short = Duration::from_millis(20);
        let error = system.ask::<bool>(sleeper, 60_000i64, short).unwrap_err();
        assert_eq!(error, AskError::Timeout { actor: sleeper, timeout: short });
        let error = system.ask::<i64>(sleeper, 0i64, LONG).unwrap_err();
        assert_eq!(error, AskError::Unexpected { found: "bool".into(), expected: "integer" });
        let error = system.ask::<bool>(sleeper, true, LONG).unwrap_err();
        assert_eq!(error, AskError::Poison { actor: sleeper, details: "panicked: as it was told".into() });
    });
}

#[test]
fn a_global_name_gives_the_same_actor_twice() {
    each("program::a_global_name_gives_the_same_actor_twice", |system| {
        let first = system.create_global::<World>("the world").unwrap();
        assert_eq!(system.create_global::<World>("the world"), Ok(first));
        assert_eq!(system.create(CreateRequest::named("World").global_name("the world")), Ok(first));
        assert_ne!(system.create_actor::<World>(), Ok(first));
    });
}

#[test]
fn the_last_handle_stops_the_system() {
    each("program::the_last_handle_stops_the_system", |system| {
        let (engine, simulation) = (system.system().clone(), system.simulation().cloned());
        let count = || simulation.as_ref().map_or_else(|| engine.count(), |simulation| simulation.count());
        system.create_actor::<Hello>().unwrap();
        let other = system.clone();
        drop(system);
        assert_eq!(count(), 1);
        drop(other);
        assert_eq!(count(), 0);
    });
}

#[test]
fn the_simple_base_runs_in_the_same_order_every_time() {
    holds_on("program::the_simple_base_runs_in_the_same_order_every_time", &[Column::Simple]);
    let run = || {
        let system = ActorSystem::simple();
        let actors: Vec<_> = (0..5).map(|_| system.create_actor::<Hello>().unwrap()).collect();
        actors.iter().for_each(|a| system.tell(*a, String::from("hi")));
        let mut slots = Vec::new();
        while let Some(envelope) = system.listen(Duration::ZERO) {
            slots.push(envelope.sender.slot());
        }
        slots
    };
    let first = run();
    assert_eq!(first.len(), 5);
    (0..20).for_each(|_| assert_eq!(run(), first));
}
