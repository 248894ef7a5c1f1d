use crate::rig::{BOUND, Rig, define};
use crate::table::{Column, hold, holds_on};
use odeon::system::{ActorSystem, Base};
use odeon::{AnyMessage, Context, Definition, Failure, Message, PIPE_MESSAGES_MAX, Pipe, PipeError, actor};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, Message)]
struct Line(i64);

/// Hands out pipes for `true`, exits for `false`, and answers nobody: lines are counted.
fn reader(pipes: &Arc<Mutex<Vec<Pipe<Line>>>>, lines: &Arc<Mutex<Vec<i64>>>) -> Definition {
    let (pipes, lines) = (pipes.clone(), lines.clone());
    define("reader", move || {
        let (pipes, lines) = (pipes.clone(), lines.clone());
        Ok(move |message: &AnyMessage, cx: &mut Context| {
            match (message.get::<bool>(), message.get::<Line>()) {
                (Some(true), _) => pipes.lock().unwrap().push(cx.pipe::<Line>()?),
                (Some(false), _) => cx.exit(),
                (_, Some(line)) => {
                    assert_eq!(cx.sender(), cx.my_address());
                    lines.lock().unwrap().push(line.0);
                }
                _ => {}
            }
            Ok::<(), Failure>(())
        })
    })
}

type Shared<T> = Arc<Mutex<Vec<T>>>;

fn open(rig: &Rig) -> (odeon::Address, Pipe<Line>, Shared<i64>) {
    let (pipes, lines) = (Arc::default(), Arc::default());
    let actor = rig.root(reader(&pipes, &lines));
    rig.tell(actor, true);
    rig.until("there is a pipe", || !pipes.lock().unwrap().is_empty());
    let pipe = pipes.lock().unwrap().remove(0);
    (actor, pipe, lines)
}

#[test]
fn what_threads_send_comes_in_the_order_of_each_and_is_given_back_after_the_exit() {
    hold("pipes::what_threads_send_comes_in_the_order_of_each_and_is_given_back_after_the_exit", |rig| {
        let (actor, pipe, lines) = open(&rig);
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let pipe = pipe.clone();
                std::thread::spawn(move || {
                    (0..2_000).for_each(|n| pipe.send_blocking(Line(thread * 10_000 + n)).unwrap())
                })
            })
            .collect();
        rig.until("all lines came", || lines.lock().unwrap().len() == 8_000);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let all = lines.lock().unwrap().clone();
        for thread in 0..4 {
            assert!(all.iter().filter(|line| *line / 10_000 == thread).map(|line| line % 10_000).eq(0..2_000));
        }
        assert!(!pipe.is_closed());
        rig.tell(actor, false);
        rig.until("it is gone", || rig.count() == 0);
        assert!(pipe.is_closed());
        match pipe.send(Line(7)) {
            Err(PipeError::Gone(line)) => assert_eq!(line, Line(7)),
            other => panic!("{other:?}"),
        }
        assert!(rig.dead().is_empty(), "what comes for one that is gone is no letter");
    });
}

#[test]
fn a_pipe_holds_so_many_messages_and_who_waits_goes_on_when_there_is_room_or_nobody() {
    holds_on(
        "pipes::a_pipe_holds_so_many_messages_and_who_waits_goes_on_when_there_is_room_or_nobody",
        &[Column::Simple],
    );
    let rig = Rig::simple();
    let (actor, pipe, lines) = open(&rig);
    (0..PIPE_MESSAGES_MAX as i64).for_each(|n| pipe.send(Line(n)).unwrap());
    assert!(matches!(pipe.send(Line(-1)), Err(PipeError::Full(Line(-1)))));
    let waits = pipe.clone();
    let waiting = std::thread::spawn(move || waits.send_blocking(Line(5_000)));
    rig.until("all came", || lines.lock().unwrap().len() == PIPE_MESSAGES_MAX + 1);
    waiting.join().unwrap().unwrap();
    (0..PIPE_MESSAGES_MAX as i64).for_each(|n| pipe.send(Line(n)).unwrap());
    let waiting = std::thread::spawn(move || pipe.send_blocking(Line(5_000)));
    // Another actor's message first, then the exit, and the rest is dropped.
    rig.tell(actor, false);
    let gone = Arc::new(AtomicBool::new(false));
    rig.until("it is gone", || rig.count() == 0);
    let result = waiting.join().unwrap();
    gone.store(true, SeqCst);
    assert!(matches!(result, Ok(()) | Err(PipeError::Gone(Line(5_000)))), "{result:?}");
    assert!(gone.load(SeqCst) && rig.shutdown(BOUND));
}

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_future_sends_what_it_comes_to_and_ends_without_when_the_actor_is_gone() {
    hold("pipes::a_future_sends_what_it_comes_to_and_ends_without_when_the_actor_is_gone", |rig| {
        let (actor, pipe, lines) = open(&rig);
        let waker = Waker::from(Arc::new(Nobody));
        let mut cx = std::task::Context::from_waker(&waker);
        let polls = AtomicUsize::new(0);
        let later = |n: i64| {
            let polls = &polls;
            std::future::poll_fn(move |_| match polls.fetch_add(1, SeqCst) {
                0 => Poll::Pending,
                _ => Poll::Ready(Line(n)),
            })
        };
        let mut future = Box::pin(pipe.future(later(3)));
        assert!(future.as_mut().poll(&mut cx).is_pending());
        assert!(future.as_mut().poll(&mut cx).is_ready());
        rig.until("it came", || *lines.lock().unwrap() == [3]);
        let mut forgotten = Box::pin(pipe.future(std::future::pending()));
        assert!(forgotten.as_mut().poll(&mut cx).is_pending());
        rig.tell(actor, false);
        rig.until("it is gone", || rig.count() == 0);
        assert!(forgotten.as_mut().poll(&mut cx).is_ready());
    });
}

#[test]
fn a_shutdown_waits_for_what_has_to_be_put_in_order() {
    hold("pipes::a_shutdown_waits_for_what_has_to_be_put_in_order", |rig| {
        let (_, pipe, _) = open(&rig);
        let hold = pipe.hold();
        assert!(!rig.shutdown(Duration::from_millis(50)));
        assert_eq!(rig.count(), 0);
        drop(hold);
        assert!(rig.shutdown(BOUND));
    });
}

/// Asks a thread, and answers when the thread has.
#[derive(Default)]
struct Slow(Option<odeon::Address>);

#[actor]
impl Slow {
    #[handler]
    fn ask(&mut self, number: &i64, cx: &mut Context) -> Result<(), Failure> {
        self.0 = Some(cx.sender());
        let (pipe, number) = (cx.pipe::<Line>()?, *number);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            let _ = pipe.send(Line(number * 2));
        });
        Ok(())
    }

    #[handler]
    fn line(&mut self, line: &Line, cx: &mut Context) {
        self.0.take().into_iter().for_each(|asker| cx.send(asker, line.0));
    }
}

#[test]
fn a_program_that_waits_on_the_simple_base_is_woken_by_a_thread() {
    holds_on("pipes::a_program_that_waits_on_the_simple_base_is_woken_by_a_thread", &[Column::Simple, Column::Threads]);
    for base in [Base::Simple, Base::Threads] {
        let system = ActorSystem::new(base);
        let slow = system.create_actor::<Slow>().unwrap();
        assert_eq!(system.ask::<i64>(slow, 21i64, BOUND).unwrap(), 42);
        assert!(system.shutdown());
    }
}

/// Has `when_ready` called from outside of actors, over a pipe to one.
fn watched(pipe: &Pipe<Line>, fd: impl std::os::fd::AsFd, readiness: odeon::Readiness, line: i64) -> odeon::Watch {
    pipe.when_ready(fd, readiness, Line(line)).unwrap()
}

#[test]
fn an_actor_is_told_once_that_a_descriptor_is_ready_and_not_before() {
    use odeon::Readiness::{Read, Write};
    use std::io::{Read as _, Write as _};
    hold("pipes::an_actor_is_told_once_that_a_descriptor_is_ready_and_not_before", |rig| {
        let (_, pipe, lines) = open(&rig);
        let (mut from, mut into) = std::io::pipe().unwrap();
        let watch = watched(&pipe, &from, Read, 1);
        let _room = watched(&pipe, &into, Write, 2);
        rig.until("there is room", || *lines.lock().unwrap() == [2]);
        into.write_all(b"x").unwrap();
        rig.until("it is readable", || *lines.lock().unwrap() == [2, 1]);
        // Nobody reads it, and nobody is told again.
        into.write_all(b"y").unwrap();
        let again = watched(&pipe, &from, Read, 3);
        rig.until("it still is", || *lines.lock().unwrap() == [2, 1, 3]);
        from.read_exact(&mut [0; 2]).unwrap();
        let end = watched(&pipe, &from, Read, 4);
        drop(into);
        rig.until("the end is something to read as well", || lines.lock().unwrap().last() == Some(&4));
        drop((watch, again, end));
        assert_eq!(*lines.lock().unwrap(), [2, 1, 3, 4]);
    });
}

#[test]
fn what_is_not_watched_any_more_is_let_go_of() {
    use odeon::Readiness::Read;
    use std::io::Write as _;
    holds_on("pipes::what_is_not_watched_any_more_is_let_go_of", &[Column::Threads]);
    let rig = Rig::threads(2);
    let (_, pipe, lines) = open(&rig);
    let (from, mut into) = std::io::pipe().unwrap();
    let watches: Vec<_> = (0..100).map(|n| watched(&pipe, &from, Read, n)).collect();
    drop(from);
    into.write_all(b"x").unwrap();
    rig.until("all were told", || lines.lock().unwrap().len() == 100);
    drop(watches);
    let (from, into) = std::io::pipe().unwrap();
    let watch = watched(&pipe, &from, Read, 1000);
    drop(from);
    drop(watch);
    // Whoever polls may have it for a moment longer.
    rig.until("nobody reads", || (&into).write_all(b"x").is_err());
    assert!(!lines.lock().unwrap().contains(&1000));
    assert!(rig.shutdown(BOUND));
}
