//! Actors that the tests of real nodes link in: they show what happened to them when they are asked.

mod courier;
mod flood;
#[path = "../guest/src/judge.rs"]
mod judge;
mod librarian;
#[path = "../guest/src/loader.rs"]
mod loader;
mod neighbours;
mod rogue;
mod tenants;
#[path = "../guest/src/watcher.rs"]
mod watcher;

pub use courier::{Courier, Deliver};
pub use flood::{BeStage, Crowd, Flood, Flooder, Stage};
pub use judge::{Accomplice, Judge};
pub use librarian::{Bring, Librarian};
pub use loader::{Load, Loader, Unload};
pub use neighbours::{Latencies, Pest, Pester, Populate, Probe, Prober};
pub use rogue::Rogue;
pub use tenants::{Gauge, HowIs, Landlord, Magistrate, Ponderer, SlowTenant, Tenant};
pub use watcher::Watcher;

use odeon::{
    Address, CapabilityView, ChildActorExited, Context, Failure, Message, Registry, Requirements, ValidateSource,
    Value, WakeupMessage, actor,
};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// All of them.
pub fn registry() -> Registry {
    Registry::new()
        .with::<Keeper>()
        .with::<Sleeper>()
        .with::<Source>()
        .with::<Ticker>()
        .with::<Sink>()
        .with::<Digger>()
        .with::<PanickingCheck>()
        .with::<EndlessCheck>()
        .with::<Watcher>()
        .with::<Judge>()
        .with::<Accomplice>()
        .with::<Clumsy>()
        .with::<Librarian>()
        .with::<Loader>()
        .with::<Prober>()
        .with::<Pest>()
        .with::<Rogue>()
        .with::<Courier>()
        .with::<Tenant>()
        .with::<Landlord>()
        .with::<SlowTenant>()
        .with::<Ponderer>()
        .with::<Magistrate>()
        .with::<Gauge>()
        .with::<Crowd>()
        .with::<Flooder>()
        .with::<Stage>()
}

/// Makes a [`Keeper`] create a child.
#[derive(Debug, Serialize, Deserialize, Message)]
pub struct Adopt {
    /// The child's type.
    pub actor: String,
    /// A capability that its node must have.
    pub require: String,
    /// A name in the whole convention.
    pub global_name: Option<String>,
    /// The image that it comes from.
    #[serde(default)]
    pub image: Option<String>,
}

/// Creates children where a capability is, and keeps what it is told of their ends.
#[derive(Default)]
pub struct Keeper {
    exits: Vec<ChildActorExited>,
}

#[actor]
impl Keeper {
    #[handler]
    fn adopt(&mut self, adopt: &Adopt, cx: &mut Context) {
        let mut child = cx.create_named(&adopt.actor).requirements(Requirements::none().require(&adopt.require));
        if let Some(name) = &adopt.global_name {
            child = child.global_name(name);
        }
        if let Some(image) = &adopt.image {
            child = child.image(image);
        }
        let child = child.start();
        // Sent before the child exists: it has to arrive once it does.
        cx.send(child, Knock { reply_to: cx.sender() });
    }

    #[handler]
    fn exited(&mut self, exit: &ChildActorExited, _cx: &mut Context) {
        self.exits.push(exit.clone());
    }

    #[handler]
    fn exits(&mut self, _ask: &String, cx: &mut Context) {
        let told = self.exits.iter().map(|e| Value::from(format!("{}: {}", e.child, e.reason))).collect();
        cx.reply(Value::List(told));
    }
}

/// Answered with the address of the actor that got it.
#[derive(Debug, Serialize, Deserialize, Message)]
pub struct Knock {
    /// Who wants to know.
    pub reply_to: Address,
}

/// Lives where the capability `nursery` is; answers a knock with its address, anything else with `alive`.
#[derive(Default)]
pub struct Sleeper;

#[actor]
#[require_capability("nursery")]
impl Sleeper {
    #[handler]
    fn knock(&mut self, knock: &Knock, cx: &mut Context) {
        cx.send(knock.reply_to, cx.my_address());
    }

    #[handler]
    fn other(&mut self, _text: &String, cx: &mut Context) {
        cx.reply("alive".to_owned());
    }
}

/// Makes a [`Source`] send so many further numbers.
#[derive(Debug, Serialize, Deserialize, Message)]
pub struct Flow {
    /// To whom.
    pub to: Address,
    /// How many.
    pub count: i64,
}

/// One number of a flow.
#[derive(Debug, Serialize, Deserialize, Message)]
pub struct Number(pub i64);

/// Numbers that a [`Source`] sends in one go.
const BURST: i64 = 100;
/// How long it then pauses, so that a flow is still under way when something happens to its link.
const PAUSE: Duration = Duration::from_millis(30);

/// Sends numbers in order, counting on from flow to flow, and says how many it has sent.
#[derive(Default)]
pub struct Source {
    to: Option<Address>,
    sent: i64,
    goal: i64,
}

#[actor]
impl Source {
    #[handler]
    fn flow(&mut self, flow: &Flow, cx: &mut Context) {
        if self.sent == self.goal {
            cx.wakeup_after(Duration::ZERO);
        }
        self.to = Some(flow.to);
        self.goal += flow.count;
        cx.reply("flowing".to_owned());
    }

    #[handler]
    fn go_on(&mut self, _wakeup: &WakeupMessage, cx: &mut Context) {
        let Some(to) = self.to else { return };
        let end = (self.sent + BURST).min(self.goal);
        while self.sent < end {
            self.sent += 1;
            cx.send(to, Number(self.sent));
        }
        if self.sent < self.goal {
            cx.wakeup_after(PAUSE);
        }
    }

    #[handler]
    fn sent(&mut self, _ask: &String, cx: &mut Context) {
        cx.reply(self.sent);
    }
}

/// Makes a [`Ticker`] send a number every few milliseconds.
#[derive(Debug, Serialize, Deserialize, Message)]
pub struct Tick {
    /// To whom.
    pub to: Address,
    /// How often.
    pub every_ms: u64,
}

/// Sends a number again and again.
#[derive(Default)]
pub struct Ticker {
    tick: Option<(Address, Duration)>,
    sent: i64,
}

#[actor]
impl Ticker {
    #[handler]
    fn start(&mut self, tick: &Tick, cx: &mut Context) {
        self.tick = Some((tick.to, Duration::from_millis(tick.every_ms)));
        cx.wakeup_after(Duration::ZERO);
        cx.reply("ticking".to_owned());
    }

    #[handler]
    fn tick(&mut self, _wakeup: &WakeupMessage, cx: &mut Context) {
        if let Some((to, every)) = self.tick {
            self.sent += 1;
            cx.send(to, Number(self.sent));
            cx.wakeup_after(every);
        }
    }
}

/// What a [`Sink`] got.
#[derive(Debug, Default, Clone, Serialize, Deserialize, Message)]
pub struct Report {
    /// Numbers that came.
    pub received: i64,
    /// Numbers that were not one more than the number before.
    pub out_of_order: i64,
    /// The last number.
    pub last: i64,
    /// Milliseconds of the longest time between two numbers.
    pub longest_pause_ms: i64,
}

/// Counts the numbers that it gets, and those that are not in order.
#[derive(Default)]
pub struct Sink {
    report: Report,
    last_at: Option<Instant>,
}

#[actor]
impl Sink {
    #[handler]
    fn number(&mut self, number: &Number, _cx: &mut Context) {
        let now = Instant::now();
        if let Some(before) = self.last_at.replace(now) {
            let pause_ms = now.duration_since(before).as_millis() as i64;
            self.report.longest_pause_ms = self.report.longest_pause_ms.max(pause_ms);
        }
        self.report.received += 1;
        if number.0 != self.report.last + 1 {
            self.report.out_of_order += 1;
        }
        self.report.last = number.0;
    }

    #[handler]
    fn report(&mut self, _ask: &String, cx: &mut Context) {
        cx.reply(self.report.clone());
    }
}

/// Keeps a [`Digger`] busy for so long.
#[derive(Debug, Serialize, Deserialize, Message)]
pub struct Dig {
    /// Milliseconds.
    pub ms: u64,
}

/// Is in its handler for as long as it is told, and hears nothing else meanwhile.
#[derive(Default)]
pub struct Digger;

#[actor]
impl Digger {
    #[handler]
    fn dig(&mut self, dig: &Dig, _cx: &mut Context) {
        std::thread::sleep(Duration::from_millis(dig.ms));
    }
}

/// Its check panics.
#[derive(Default)]
pub struct PanickingCheck;

#[actor]
impl PanickingCheck {
    #[capability_check]
    fn check(_capabilities: &dyn CapabilityView, _requirements: &Requirements) -> bool {
        panic!("this check always panics")
    }
}

/// Its check never ends.
#[derive(Default)]
pub struct EndlessCheck;

#[actor]
impl EndlessCheck {
    #[capability_check]
    fn check(_capabilities: &dyn CapabilityView, _requirements: &Requirements) -> bool {
        loop {
            std::thread::park();
        }
    }

    #[handler]
    fn nothing(&mut self, _ask: &String, _cx: &mut Context) -> Result<(), Failure> {
        Ok(())
    }
}

/// Fails on every image on which it is to decide.
#[derive(Default)]
pub struct Clumsy;

#[actor]
impl Clumsy {
    #[handler]
    fn register(&mut self, _ask: &bool, cx: &mut Context) {
        cx.register_source_authority();
    }

    #[handler]
    fn validate(&mut self, _image: &ValidateSource, _cx: &mut Context) -> Result<(), Failure> {
        Err(Failure::new("all thumbs"))
    }
}
