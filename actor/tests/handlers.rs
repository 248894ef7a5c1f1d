//! Messages find their handlers by type, and untyped values by what they decode as.

#![allow(clippy::unwrap_used)]

use odeon::host::{CreateRequest, Host, Level};
use odeon::{
    Actor, ActorType, Address, AnyMessage, CapabilityMap, CapabilityView, Context, Failure, Incarnation, Message,
    NodeId, NodeRef, Requirements, Topic, Value, Wakeup, actor,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(serde::Serialize, serde::Deserialize, Message)]
struct Greet {
    name: String,
}

#[derive(serde::Serialize, serde::Deserialize, Message)]
struct Part {
    name: String,
}

#[derive(serde::Serialize, serde::Deserialize, Message)]
struct Ping;

#[derive(serde::Serialize, serde::Deserialize, Message)]
struct Fail;

struct Desk {
    seen: Vec<String>,
}

#[actor(name = "front-desk")]
#[require_capability("has a door")]
#[require_capability("has a bell")]
impl Desk {
    #[constructor]
    fn open() -> Result<Self, std::fmt::Error> {
        Ok(Self { seen: Vec::new() })
    }

    #[handler]
    fn greet(&mut self, message: &Greet, _cx: &mut Context) {
        self.seen.push(format!("greet {}", message.name));
    }

    #[handler]
    fn part(&mut self, message: &Part, _cx: &mut Context) {
        self.seen.push(format!("part {}", message.name));
    }

    #[handler]
    fn text(&mut self, message: &String, cx: &mut Context) {
        self.seen.push(format!("text {message}"));
        cx.reply(message.clone());
    }

    #[handler]
    fn ping(&mut self, _: &Ping, _cx: &mut Context) {
        self.seen.push("ping".into());
    }

    #[handler]
    fn fail(&mut self, _: &Fail, _cx: &mut Context) -> Result<(), std::num::ParseIntError> {
        "x".parse::<u8>().map(|_| ())
    }

    #[fallback]
    fn other(&mut self, message: &AnyMessage, _cx: &mut Context) {
        self.seen.push(format!("other {}", message.name()));
    }

    #[capability_check]
    fn check(capabilities: &dyn CapabilityView, requirements: &Requirements) -> bool {
        capabilities.is_true("open") && requirements.is_empty()
    }
}

#[derive(Default)]
struct Deaf;

#[actor]
impl Deaf {}

struct NoHost(Mutex<usize>);

impl Host for NoHost {
    fn address(&self) -> Address {
        nobody()
    }
    fn send(&self, _: Address, _: AnyMessage) {
        *self.0.lock().unwrap() += 1;
    }
    fn create(&self, _: CreateRequest) -> Address {
        nobody()
    }
    fn wakeup_after(&self, _: Duration, _: Option<AnyMessage>) -> Wakeup {
        Wakeup::NEVER
    }
    fn cancel_wakeup(&self, _: Wakeup) {}
    fn defer(&self) {}
    fn resume_deferred(&self) {}
    fn exit(&self) {}
    fn capabilities(&self) -> Arc<CapabilityMap> {
        Arc::default()
    }
    fn update_capability(&self, _: String, _: Option<Value>) {}
    fn watch(&self, _: Topic, _: bool) {}
    fn register_source_authority(&self) {}
    fn log(&self, _: Level, _: &str) {}
}

fn nobody() -> Address {
    Address::mint(NodeRef { id: NodeId([0; 16]), incarnation: Incarnation(0) }, 0, 0)
}

fn untyped(json: &str) -> AnyMessage {
    let value: Value = serde_json::from_str(json).unwrap();
    AnyMessage::from_encoded(AnyMessage::new(value).encode().unwrap())
}

fn seen(messages: &[AnyMessage]) -> Vec<String> {
    let mut desk = Desk::create().unwrap();
    let mut cx = Context::new(Arc::new(NoHost(Mutex::new(0))), nobody());
    for message in messages {
        desk.receive(message, &mut cx).unwrap();
    }
    desk.seen
}

#[test]
fn a_typed_message_goes_to_its_handler_shared_or_encoded() {
    let shared = AnyMessage::new(Part { name: "Ada".into() });
    let encoded = AnyMessage::from_encoded(shared.encode().unwrap());
    assert_eq!(seen(&[shared, encoded, AnyMessage::new(Ping)]), ["part Ada", "part Ada", "ping"]);
}

#[test]
fn an_untyped_value_goes_to_the_first_handler_that_it_decodes_for() {
    let messages = [untyped(r#"{"name":"Ada"}"#), untyped(r#""hi""#), AnyMessage::new(Value::from("typed"))];
    assert_eq!(seen(&messages), ["greet Ada", "text hi", "text typed"]);
}

#[test]
fn a_map_of_one_key_chooses_the_handler_by_name() {
    let messages = [untyped(r#"{"Part":{"name":"Ada"}}"#), untyped(r#"{"Ping":null}"#), untyped(r#"{"string":"hi"}"#)];
    assert_eq!(seen(&messages), ["part Ada", "ping", "text hi"]);
}

#[test]
fn what_no_handler_takes_goes_to_the_fallback() {
    let messages = [untyped(r#"{"Absent":1}"#), untyped(r#"{"Greet":7}"#), AnyMessage::new(true), untyped("[1]")];
    assert_eq!(seen(&messages), ["other value", "other value", "other bool", "other value"]);
}

#[test]
fn an_untyped_value_that_one_actor_has_read_still_fits_another() {
    #[derive(Default)]
    struct Numbers(i64);
    #[actor]
    impl Numbers {
        #[handler]
        fn number(&mut self, number: &i64, _cx: &mut Context) {
            self.0 += number;
        }
    }
    let message = untyped("7");
    assert!(message.is::<f64>(), "some other actor read it as a float");
    let mut cx = Context::new(Arc::new(NoHost(Mutex::new(0))), nobody());
    let mut numbers = Numbers::default();
    numbers.receive(&message, &mut cx).unwrap();
    assert_eq!(numbers.0, 7);
}

#[test]
fn an_error_of_a_handler_is_a_failure_with_its_text() {
    let mut desk = Desk::create().unwrap();
    let mut cx = Context::new(Arc::new(NoHost(Mutex::new(0))), nobody());
    let failure = desk.receive(&AnyMessage::new(Fail), &mut cx).unwrap_err();
    assert_eq!(failure, Failure::new("invalid digit found in string"));
}

#[test]
fn without_a_handler_a_message_is_ignored() {
    let host = Arc::new(NoHost(Mutex::new(0)));
    let mut cx = Context::new(host.clone(), nobody());
    Deaf::create().unwrap().receive(&untyped("1"), &mut cx).unwrap();
    assert_eq!(*host.0.lock().unwrap(), 0);
}

#[test]
fn name_requirements_and_check_are_those_that_were_written() {
    struct View(bool);
    impl CapabilityView for View {
        fn value(&self, key: &str) -> Option<Value> {
            (key == "open").then_some(Value::Bool(self.0))
        }
    }
    assert_eq!((Desk::NAME, Deaf::NAME), ("front-desk", "Deaf"));
    assert_eq!(Desk::REQUIRED, ["has a door", "has a bell"]);
    assert!(Desk::check(&View(true), &Requirements::none()));
    assert!(!Desk::check(&View(false), &Requirements::none()));
    assert!(!Desk::check(&View(true), &Requirements::none().require("x")));
    assert!(Deaf::check(&View(false), &Requirements::none()));
}
