//! The actor that asks for children, and the children.

use super::{HOST, HOSTS, figures_of};
use odeon::{
    ActorExitRequest, Address, ChildActorExited, Context, Failure, Message, Registry, Requirements, Value, actor,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Instant;

/// Adds them.
pub fn register(registry: Registry) -> Registry {
    registry.with::<Asker>().with::<Hosted>()
}

/// Are you there?
#[derive(Serialize, Deserialize, Message)]
struct Call;

/// Yes, on this host.
#[derive(Serialize, Deserialize, Message)]
struct Here {
    address: Address,
    host: i64,
}

/// Answers that it is there.
#[derive(Default)]
struct Hosted;

#[actor]
impl Hosted {
    #[handler]
    fn call(&mut self, _: &Call, cx: &mut Context) -> Result<(), Failure> {
        let host = match cx.capabilities().value(HOST) {
            Some(Value::Integer(host)) => *host,
            other => return Err(Failure::new(format!("the host's number is {other:?}"))),
        };
        cx.reply(Here { address: cx.my_address(), host });
        Ok(())
    }
}

/// Makes an asker create so many children, so many of them at once, and end them again.
#[derive(Serialize, Deserialize, Message)]
struct Create {
    children: u64,
    at_once: u64,
    named: bool,
}

/// What an asker says when all its children are gone.
#[derive(Serialize, Deserialize, Message)]
struct Made {
    per_second: f64,
    median: f64,
    p99: f64,
    /// How many answered from each host.
    on_hosts: [u64; 2],
    /// Children that went before they answered, or answered from elsewhere; the reason of one.
    lost: u64,
    why: String,
}

#[derive(Default)]
struct Asker {
    tell: Option<Address>,
    children: u64,
    named: bool,
    begun: u64,
    /// Names that were ever asked for.
    names: u64,
    /// When each child that has not answered was asked for.
    waiting: HashMap<Address, Instant>,
    living: Vec<Address>,
    took: Vec<u64>,
    on_hosts: [u64; 2],
    lost: u64,
    why: String,
    exited: u64,
    started: Option<Instant>,
    seconds: f64,
}

impl Asker {
    fn one_more(&mut self, cx: &mut Context) {
        if self.begun == self.children {
            return;
        }
        self.begun += 1;
        let asked = Instant::now();
        let mut create = cx.create_actor::<Hosted>().requirements(Requirements::none().require(HOSTS));
        if self.named {
            self.names += 1;
            create = create.global_name(format!("child-{}", self.names));
        }
        let child = create.start();
        cx.send(child, Call);
        self.waiting.insert(child, asked);
    }

    fn lose(&mut self, why: String) {
        self.lost += 1;
        self.why = why;
    }

    /// All have answered or are lost: now they end.
    fn end_all(&mut self, cx: &mut Context) {
        self.seconds = self.started.map_or(0.0, |started| started.elapsed().as_secs_f64());
        for child in self.living.drain(..) {
            cx.send(child, ActorExitRequest::default());
        }
    }

    fn say(&mut self, cx: &mut Context) -> Result<(), Failure> {
        let [per_second, median, p99] = figures_of(self.seconds, std::mem::take(&mut self.took));
        let tell = self.tell.ok_or_else(|| Failure::new("nobody asked for children"))?;
        let why = std::mem::take(&mut self.why);
        cx.send(tell, Made { per_second, median, p99, on_hosts: self.on_hosts, lost: self.lost, why });
        Ok(())
    }
}

#[actor]
impl Asker {
    #[handler]
    fn create(&mut self, create: &Create, cx: &mut Context) {
        let names = self.names;
        *self = Self {
            tell: Some(cx.sender()),
            children: create.children,
            named: create.named,
            names,
            took: Vec::with_capacity(create.children as usize),
            started: Some(Instant::now()),
            ..Self::default()
        };
        for _ in 0..create.at_once {
            self.one_more(cx);
        }
    }

    #[handler]
    fn here(&mut self, here: &Here, cx: &mut Context) {
        let Some(asked) = self.waiting.remove(&here.address) else {
            return self.lose(format!("{} answered twice or was not asked for", here.address));
        };
        self.took.push(asked.elapsed().as_nanos() as u64);
        self.living.push(here.address);
        match usize::try_from(here.host).ok().and_then(|host| self.on_hosts.get_mut(host)) {
            Some(count) => *count += 1,
            None => self.lose(format!("there is no host {}", here.host)),
        }
        self.one_more(cx);
        if self.waiting.is_empty() {
            self.end_all(cx);
        }
    }

    #[handler]
    fn exited(&mut self, exited: &ChildActorExited, cx: &mut Context) -> Result<(), Failure> {
        self.exited += 1;
        if self.waiting.remove(&exited.child).is_some() {
            self.lose(exited.reason.clone());
            self.one_more(cx);
            if self.waiting.is_empty() {
                self.end_all(cx);
            }
        }
        if self.exited == self.children { self.say(cx) } else { Ok(()) }
    }
}
