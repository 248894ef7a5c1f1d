use super::*;
use crate::admin::protocol::LogLine;
use crate::logs::config::Lines;
use crate::logs::outbox::tests::origin;
use crate::logs::{ActorLog, LOCAL_TARGET, OutboxLimits, limits};
use odeon::{Address, Incarnation, Level, NodeId, NodeRef, Value};
use std::path::Path;
use tracing::{error, info, warn};

/// A part of the node; these tests themselves have a target that stays local.
const NODE: &str = "odeon_node::links";

struct Bench {
    folder: tempfile::TempDir,
    outbox: Outbox,
}

impl Bench {
    fn run(shape: Shape, filter: Option<&str>, work: impl FnOnce(&ActorLog)) -> Self {
        let (lines, to) = (Lines::All, |folder: &Path| file(folder, "all", shape));
        Self::with(|folder| vec![Output { to: to(folder), filter: None, lines }], filter, work)
    }

    fn with(outputs: impl FnOnce(&Path) -> Vec<Output>, filter: Option<&str>, work: impl FnOnce(&ActorLog)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(&folder.path().join("spool"), origin(3), OutboxLimits::default()).unwrap();
        let (setup, subscriber) = build(&LogConfig { outputs: outputs(folder.path()) }, filter).unwrap();
        setup.attach(outbox.clone());
        let log = ActorLog::new(outbox.clone(), setup.levels().clone());
        tracing::subscriber::with_default(subscriber, || work(&log));
        Self { folder, outbox }
    }

    fn text(&self) -> String {
        self.text_of("all")
    }

    fn text_of(&self, output: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(output)).unwrap()
    }

    fn taken(&self) -> Vec<LogLine> {
        self.outbox.batch(1 << 20).map_or(vec![], |b| b.lines)
    }
}

fn file(folder: &Path, name: &str, shape: Shape) -> To {
    To::File { path: folder.join(name), shape, max_mib: 1, keep: 1 }
}

fn address() -> Address {
    Address::mint(NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(3) }, 1, 99)
}

#[test]
fn warnings_and_errors_are_taken_and_lesser_events_only_shown() {
    let bench = Bench::run(Shape::Text, None, |_| {
        info!(target: NODE, "an info");
        warn!(target: NODE, peer = "member-2", count = 7u64, ok = false, "a warning");
        error!(target: NODE, "an error");
        tracing::debug!(target: NODE, "a debug");
    });
    let taken = bench.taken();
    assert_eq!(taken.iter().map(|l| l.message.as_str()).collect::<Vec<_>>(), ["a warning", "an error"]);
    assert_eq!(taken[0].fields["count"], Value::Integer(7));
    assert_eq!((taken[0].node.as_str(), taken[0].incarnation, taken[0].seq), ("member-1", 3, 1));
    let text = bench.text();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.lines().all(|l| l.contains(" member-1#3 ")), "{text}");
    assert!(text.contains("a warning count=7 ok=false peer=member-2"), "{text}");
}

#[test]
fn a_filter_hides_lines_but_warnings_are_taken_all_the_same() {
    let bench = Bench::run(Shape::Text, Some("off"), |_| warn!(target: NODE, "a warning"));
    assert_eq!(bench.text(), "");
    assert_eq!(bench.taken().len(), 1);
    let standard = LogConfig::standard(false);
    assert!(matches!(build(&standard, Some("a=b=c")), Err(SetupError::Filter { from: FILTER_VARIABLE, .. })));
}

#[test]
fn an_actors_line_is_shown_with_its_node_and_taken_once() {
    let bench = Bench::run(Shape::Text, None, |log| {
        log.line(address(), "Hello", Some("abc123"), Level::Info, "only shown");
        log.line(address(), "Hello", Some("abc123"), Level::Warn, "taken\nand shown");
    });
    let taken = bench.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].actor, Some(address()));
    assert_eq!((taken[0].target.as_str(), taken[0].image.as_deref()), ("Hello", Some("abc123")));
    assert_eq!(taken[0].message, "taken\nand shown");
    let text = bench.text();
    assert_eq!(text.lines().count(), 2, "a line break does not begin a line: {text}");
    let expected = format!("WARN member-1#3 Hello {} image=abc123: taken\\nand shown", address());
    assert!(text.contains(&expected), "{text}");
}

#[test]
fn json_lines_have_the_shape_of_the_query() {
    let bench = Bench::run(Shape::Json, None, |log| {
        warn!(target: NODE, n = 1, "a warning");
        log.line(address(), "Hello", None, Level::Info, "hi");
    });
    let lines: Vec<LogLine> = bench.text().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((lines[0].message.as_str(), lines[0].node.as_str(), lines[0].incarnation), ("a warning", "member-1", 3));
    assert_eq!(
        (lines[1].actor, lines[1].target.as_str(), lines[1].node.as_str()),
        (Some(address()), "Hello", "member-1")
    );
}

#[test]
fn a_warning_about_shipping_or_from_within_the_taking_is_not_taken() {
    struct Loud;
    impl std::fmt::Debug for Loud {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            warn!(target: NODE, "a warning while formatting");
            f.write_str("loud")
        }
    }
    let bench = Bench::run(Shape::Text, Some("off"), |_| {
        warn!(target: LOCAL_TARGET, "the leader is away");
        warn!(target: "odeon_node::logs::outbox", "the spool is full");
        warn!(target: "odeon_node::logs_of_others", value = ?Loud, "mine");
    });
    let taken = bench.taken();
    assert_eq!(taken.iter().map(|l| l.message.as_str()).collect::<Vec<_>>(), ["mine"]);
    assert_eq!(taken[0].fields["value"], Value::String("loud".into()));
}

#[test]
fn a_line_that_is_too_long_is_cut_with_a_mark() {
    let long = "x".repeat(1_000_000);
    let bench = Bench::run(Shape::Text, Some("off"), |log| {
        warn!(target: NODE, "{long}");
        log.line(address(), "Hello", None, Level::Warn, &long);
    });
    for line in bench.taken() {
        assert!(line.message.len() <= limits::MESSAGE_BYTES_MAX);
        assert!(line.message.contains("(cut, "), "{}", &line.message[8_000..]);
    }
    assert_eq!(bench.taken().len(), 2);
}

#[test]
fn an_actor_whose_level_was_chosen_shows_and_ships_from_there_on_whatever_the_filter_hides() {
    let (chosen, loud) = (address(), Address::mint(address().node(), 2, 99));
    let bench = Bench::run(Shape::Text, Some("warn"), |log| {
        let say = |actor, level, text| log.line(actor, "Hello", None, level, text);
        say(chosen, Level::Debug, "before");
        assert!(log.levels().set(chosen, Some(Level::Debug), |_| true));
        assert!(log.levels().set(loud, Some(Level::Error), |_| true));
        say(chosen, Level::Debug, "a debug");
        say(chosen, Level::Trace, "a trace");
        say(Address::mint(address().node(), 3, 99), Level::Info, "of another");
        say(loud, Level::Warn, "a loud warning");
        say(loud, Level::Error, "a loud error");
        for actor in [chosen, loud] {
            assert!(log.levels().set(actor, None, |_| true));
        }
        say(chosen, Level::Debug, "after");
        say(loud, Level::Warn, "a warning after");
    });
    let shown: Vec<String> = bench.text().lines().map(|l| l.rsplit(": ").next().unwrap().to_owned()).collect();
    assert_eq!(shown, ["a debug", "a loud error", "a warning after"]);
    let taken: Vec<String> = bench.taken().into_iter().map(|l| l.message).collect();
    assert_eq!(taken, ["a debug", "a loud warning", "a loud error", "a warning after"], "warnings are shipped always");
}

#[test]
fn each_output_has_its_own_lines_and_filter() {
    let outputs = |folder: &Path| {
        vec![
            Output { to: file(folder, "actors", Shape::Text), filter: Some("trace".into()), lines: Lines::Actors },
            Output { to: file(folder, "node", Shape::Json), filter: None, lines: Lines::Node },
        ]
    };
    let bench = Bench::with(outputs, Some("warn"), |log| {
        info!(target: NODE, "an info");
        warn!(target: NODE, "a warning");
        log.line(address(), "Hello", None, Level::Trace, "an actor's trace");
        log.line(address(), "Hello", None, Level::Error, "an actor's error");
        assert!(log.levels().set(address(), Some(Level::Trace), |_| true));
        log.line(address(), "Hello", None, Level::Trace, "chosen");
    });
    let actors = bench.text_of("actors");
    assert_eq!(actors.lines().count(), 3, "{actors}");
    assert!(actors.contains("an actor's trace") && actors.contains("an actor's error") && actors.contains("chosen"));
    let node = bench.text_of("node");
    assert_eq!(node.lines().count(), 1, "{node}");
    assert_eq!(serde_json::from_str::<LogLine>(&node).unwrap().message, "a warning");
}
