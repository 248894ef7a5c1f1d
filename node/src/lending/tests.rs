use super::*;
use odeon::host::Level;
use odeon::system::{Alone, Envelope, Spawn, System, on_worker};
use odeon::{
    Actor, Address, AnyMessage, CapabilityMap, Context, Definition, Failure, Incarnation, NodeId, NodeRef, Registry,
};
use std::sync::mpsc;
use tokio::sync::mpsc::{Sender, channel};

const BOUND: Duration = Duration::from_secs(10);

/// Handles a message for as many milliseconds as it says, and says where.
struct Sleeper(mpsc::Sender<String>);

impl Actor for Sleeper {
    fn receive(&mut self, message: &AnyMessage, _: &mut Context) -> Result<(), Failure> {
        if let Some(ms) = message.get::<i64>() {
            assert!(on_worker());
            std::thread::sleep(Duration::from_millis(*ms as u64));
            let _ = self.0.send(std::thread::current().name().unwrap_or_default().to_owned());
        }
        Ok(())
    }
}

/// A system, and a task on the links' thread that gives its actors messages as a link does.
struct Node {
    lending: Lending,
    system: System,
    link: Sender<(Address, i64)>,
}

impl Node {
    fn new(workers: usize) -> Self {
        let node = NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(1) };
        let outside = Alone::new(Registry::new(), CapabilityMap::default(), Level::Error);
        let system = System::start(node, workers, Arc::new(outside));
        let lending = Lending::start("links").expect("two threads");
        let (link, mut frames) = channel(64);
        let to = system.clone();
        lending.handle().spawn(async move {
            while let Some((actor, ms)) = frames.recv().await {
                give(&to, actor, ms);
            }
        });
        let node = Self { lending, system, link };
        node.until_stands_by(true);
        node
    }

    /// Waits until a thread stands by, or none does.
    fn until_stands_by(&self, stands_by: bool) {
        while self.lending.lender.stands_by.load(SeqCst) != stands_by {
            std::thread::yield_now();
        }
    }

    fn sleeper(&self) -> (Address, mpsc::Receiver<String>) {
        let (tell, told) = mpsc::channel();
        let definition = Definition {
            name: "sleeper".into(),
            required: Arc::new([]),
            image: None,
            build: Arc::new(move || Ok(Box::new(Sleeper(tell.clone())) as Box<dyn Actor>)),
            check: Arc::new(|_, _| Ok(true)),
            waits: false,
        };
        let spawn = Spawn { definition, parent: None, global_name: None, address: None };
        (self.system.spawn(spawn).expect("room"), told)
    }

    fn send(&self, actor: Address, ms: i64) {
        self.link.blocking_send((actor, ms)).expect("the task runs");
    }

    fn end(self) {
        self.system.shutdown(BOUND);
        self.lending.shutdown_timeout(BOUND);
    }
}

fn give(system: &System, actor: Address, ms: i64) {
    let message = AnyMessage::new(ms);
    let deliver = || _ = system.deliver(Envelope { to: actor, sender: actor, message });
    if may_lend() { system.catch_turn(deliver).into_iter().for_each(lend) } else { deliver() }
}

#[test]
fn a_message_that_comes_alone_is_handled_where_it_came() {
    let node = Node::new(1);
    let handled_by = || {
        let (actor, told) = node.sleeper();
        node.send(actor, 0);
        told.recv_timeout(BOUND).expect("it is handled")
    };
    // On a machine that is busy with something else a turn may be taken for a long one.
    let lent = (0..100).filter(|_| handled_by() == "links").count();
    assert!(lent > 50, "{lent} of 100");
    node.end();
}

#[test]
fn a_handler_that_takes_long_holds_up_neither_the_runtime_nor_other_messages() {
    let node = Node::new(2);
    for _ in 0..3 {
        node.until_stands_by(true);
        let ((slow, slow_told), (quick, quick_told)) = (node.sleeper(), node.sleeper());
        node.send(slow, 200);
        let (mut longest, mut rounds) = (Duration::ZERO, 0);
        let by = loop {
            if let Ok(by) = slow_told.try_recv() {
                break by;
            }
            let began = Instant::now();
            node.send(quick, 0);
            quick_told.recv_timeout(BOUND).expect("it is handled");
            longest = longest.max(began.elapsed());
            rounds += 1;
        };
        println!("{rounds} round trips beside it, the longest {longest:?}");
        assert_eq!(by, "links");
        assert!(rounds > 10 && longest < Duration::from_millis(20), "{rounds} round trips, the longest {longest:?}");
    }
    node.end();
}

#[test]
fn while_a_turn_lasts_nothing_is_lent_and_afterwards_it_is_again() {
    let node = Node::new(1);
    let ((slow, slow_told), (other, other_told)) = (node.sleeper(), node.sleeper());
    node.send(slow, 100);
    node.until_stands_by(false);
    node.send(other, 0);
    assert_eq!(other_told.recv_timeout(BOUND).expect("it is handled"), "odeon-worker-0");
    assert_eq!(slow_told.recv_timeout(BOUND).expect("it is handled"), "links");
    node.until_stands_by(true);
    let (third, third_told) = node.sleeper();
    node.send(third, 0);
    assert_eq!(third_told.recv_timeout(BOUND).expect("it is handled"), "links");
    node.end();
}

#[test]
fn an_end_does_not_wait_for_a_handler_that_does_not_return() {
    let node = Node::new(1);
    let (slow, slow_told) = node.sleeper();
    node.send(slow, 2000);
    node.until_stands_by(false);
    let began = Instant::now();
    let Node { lending, system, .. } = node;
    lending.shutdown_timeout(Duration::from_millis(50));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    slow_told.recv_timeout(BOUND).expect("it is handled");
    system.shutdown(BOUND);
}
