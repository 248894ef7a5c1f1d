//! A host that writes down what an actor asks of it, and a view that writes down what a check reads.

use odeon::host::{CreateRequest, Host};
use odeon::{
    Actor, Address, AnyMessage, CapabilityMap, CapabilityView, Context, Failure, Incarnation, Level, NodeId, NodeRef,
    Topic, Value, Wakeup,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The address of the actor with this number.
pub(crate) fn actor_of(number: u32) -> Address {
    let node = NodeRef { id: NodeId(*b"0123456789abcdef"), incarnation: Incarnation(0x8090_a0b0) };
    Address::mint(node, number, 0xfedc_ba98_7654_3210)
}

/// What the actor that uses everything has noted here.
pub(crate) const NOTES: [&str; 4] = ["cancel 2", "defer", "resume", "status of 100"];

#[derive(Default)]
struct Records {
    sent: Vec<(Address, AnyMessage)>,
    created: Vec<CreateRequest>,
    wakeups: Vec<(Duration, Option<AnyMessage>)>,
    updates: Vec<(String, Option<Value>)>,
    watched: Vec<(Topic, bool)>,
    registrations: usize,
    /// Other calls, in their order.
    notes: Vec<String>,
    lines: Vec<(Level, String)>,
    exits: usize,
    capabilities: CapabilityMap,
}

/// The host of actor 1, whose messages all come from actor 7.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Records>>);

impl Recorder {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Gives an actor a message.
    pub(crate) fn give(&self, actor: &mut dyn Actor, message: &AnyMessage) -> Result<(), Failure> {
        actor.receive(message, &mut Context::new(Arc::new(self.clone()), actor_of(7)))
    }

    pub(crate) fn set(&self, key: &str, value: &str) {
        self.0.lock().unwrap().capabilities.set(key, value).unwrap();
    }

    /// The address that the n-th creation was answered with.
    pub(crate) fn child(&self, n: u32) -> Address {
        actor_of(100 + n)
    }

    pub(crate) fn sent(&self) -> Vec<(Address, AnyMessage)> {
        self.0.lock().unwrap().sent.clone()
    }

    pub(crate) fn created(&self) -> Vec<CreateRequest> {
        self.0.lock().unwrap().created.clone()
    }

    pub(crate) fn wakeups(&self) -> Vec<(Duration, Option<AnyMessage>)> {
        self.0.lock().unwrap().wakeups.clone()
    }

    pub(crate) fn updates(&self) -> Vec<(String, Option<Value>)> {
        self.0.lock().unwrap().updates.clone()
    }

    pub(crate) fn watched(&self) -> Vec<(Topic, bool)> {
        self.0.lock().unwrap().watched.clone()
    }

    /// Wakeups that were cancelled, and what was said of messages and other actors.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.0.lock().unwrap().notes.clone()
    }

    /// How often it asked to be the authority.
    pub(crate) fn registrations(&self) -> usize {
        self.0.lock().unwrap().registrations
    }

    pub(crate) fn lines(&self) -> Vec<(Level, String)> {
        self.0.lock().unwrap().lines.clone()
    }

    pub(crate) fn exits(&self) -> usize {
        self.0.lock().unwrap().exits
    }
}

impl Host for Recorder {
    fn address(&self) -> Address {
        actor_of(1)
    }

    fn send(&self, to: Address, message: AnyMessage) {
        self.0.lock().unwrap().sent.push((to, message));
    }

    fn create(&self, request: CreateRequest) -> Address {
        let created = &mut self.0.lock().unwrap().created;
        created.push(request);
        actor_of(99 + created.len() as u32)
    }

    fn wakeup_after(&self, delay: Duration, payload: Option<AnyMessage>) -> Wakeup {
        let wakeups = &mut self.0.lock().unwrap().wakeups;
        wakeups.push((delay, payload));
        Wakeup::from_number(wakeups.len() as u64)
    }

    fn cancel_wakeup(&self, wakeup: Wakeup) {
        self.0.lock().unwrap().notes.push(format!("cancel {}", wakeup.number()));
    }

    fn defer(&self) {
        self.0.lock().unwrap().notes.push("defer".to_owned());
    }

    fn resume_deferred(&self) {
        self.0.lock().unwrap().notes.push("resume".to_owned());
    }

    fn request_status(&self, of: Address) {
        self.0.lock().unwrap().notes.push(format!("status of {}", of.slot()));
    }

    fn exit(&self) {
        self.0.lock().unwrap().exits += 1;
    }

    fn capabilities(&self) -> Arc<CapabilityMap> {
        Arc::new(self.0.lock().unwrap().capabilities.clone())
    }

    fn update_capability(&self, key: String, value: Option<Value>) {
        self.0.lock().unwrap().updates.push((key, value));
    }

    fn watch(&self, topic: Topic, on: bool) {
        self.0.lock().unwrap().watched.push((topic, on));
    }

    fn register_source_authority(&self) {
        self.0.lock().unwrap().registrations += 1;
    }

    fn log(&self, level: Level, message: &str) {
        self.0.lock().unwrap().lines.push((level, message.to_owned()));
    }
}

/// A node's capabilities, and the keys that were read.
pub(crate) struct View {
    values: Option<BTreeMap<String, Value>>,
    read: RefCell<Vec<String>>,
}

impl View {
    pub(crate) fn new(values: &[(&str, Value)]) -> Self {
        let values = values.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        Self { values: Some(values), read: RefCell::default() }
    }

    /// One that panics when it is read.
    pub(crate) fn broken() -> Self {
        Self { values: None, read: RefCell::default() }
    }

    pub(crate) fn read(&self) -> Vec<String> {
        self.read.borrow().clone()
    }
}

impl CapabilityView for View {
    fn value(&self, key: &str) -> Option<Value> {
        self.read.borrow_mut().push(key.to_owned());
        self.values.as_ref().expect("this view is broken").get(key).cloned()
    }
}
