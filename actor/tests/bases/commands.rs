use crate::rig::{BOUND, Rig, plain};
use crate::table::{Column, hold, holds_on};
use odeon::command::{
    COMMANDS_WAITING_MAX, Command, CommandAbort, CommandOutcome, CommandOutput, CommandResult, CommandStarted,
    KILL_AFTER, OUTPUT_BYTES_MAX, RunCommand, Stream,
};
use odeon::system::{ActorSystem, Base};
use odeon::{ActorExitRequest, ActorType, Definition, Level, PoisonMessage, Troupe, TroupeWorker, Value};
use std::time::{Duration, Instant};

fn runner(rig: &Rig) -> odeon::Address {
    rig.root(Definition::of::<RunCommand>())
}

/// Runs one command to its end.
fn run(rig: &Rig, command: Command) -> CommandResult {
    let runner = runner(rig);
    let before = rig.got::<CommandResult>().len();
    rig.tell(runner, command);
    rig.wait::<CommandResult>(before + 1).pop().unwrap()
}

/// Whether a process runs, by the number that it has printed. One that nobody has waited for yet does not.
fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| !"ZX".contains(state))
}

fn started(rig: &Rig, count: usize) -> Vec<String> {
    rig.wait::<CommandStarted>(count).iter().map(|started| started.pid.to_string()).collect()
}

#[test]
fn a_command_has_its_arguments_variables_folder_and_input_and_its_outputs_come_back() {
    hold("commands::a_command_has_its_arguments_variables_folder_and_input_and_its_outputs_come_back", |rig| {
        let mut command = Command::shell("cat; echo \"$1 $WHAT in $(pwd)\"; echo complaint >&2; exit 3");
        command.id = 7;
        command.args = vec!["it's".into()];
        command.env = [("WHAT".into(), "a test".into())].into();
        command.dir = Some("/".into());
        command.input = b"first, ".to_vec();
        command.error_ok = true;
        let result = run(&rig, command);
        assert_eq!((result.id, result.outcome.clone(), result.is_success()), (7, CommandOutcome::Exited(3), false));
        assert_eq!(result.text(), "first, it's a test in /\n");
        assert_eq!(result.stderr, b"complaint\n");
        assert_eq!((result.stdout_bytes, result.stderr_bytes), (24, 10));
        assert!(rig.notes.logs.lock().unwrap().is_empty());
        let mut clear = Command::new("/usr/bin/env", Vec::<String>::new());
        clear.clear_env = true;
        clear.env = [("ONLY".into(), "this".into())].into();
        assert_eq!(run(&rig, clear).text(), "ONLY=this\n");
    });
}

#[test]
fn what_cannot_be_started_says_why_and_the_log_has_no_arguments() {
    hold("commands::what_cannot_be_started_says_why_and_the_log_has_no_arguments", |rig| {
        let result = run(&rig, Command::new("/no/such/program", ["secret"]));
        let CommandOutcome::NotStarted(reason) = &result.outcome else { panic!("{result:?}") };
        assert!(reason.starts_with("/no/such/program: No such file"), "{reason}");
        let mut elsewhere = Command::new("true", Vec::<String>::new());
        elsewhere.dir = Some("/no/such/folder".into());
        assert!(matches!(run(&rig, elsewhere).outcome, CommandOutcome::NotStarted(_)));
        let mut greedy = Command::new("true", Vec::<String>::new());
        greedy.output_bytes_max = OUTPUT_BYTES_MAX + 1;
        let CommandOutcome::NotStarted(reason) = run(&rig, greedy).outcome else { panic!("it was started") };
        assert_eq!(reason, "output_bytes_max is 67108865, expected 67108864 at most");
        assert_eq!(run(&rig, Command::shell("kill -9 $$ # secret")).outcome, CommandOutcome::Signalled(9));
        let logs = rig.notes.logs.lock().unwrap();
        assert_eq!(logs[0], (Level::Warn, "/no/such/program did not succeed: it was not started".to_owned()));
        assert!(logs.iter().any(|(_, line)| line == "a line for the shell did not succeed: Signalled(9)"));
        assert!(logs.iter().all(|(_, line)| !line.contains("secret")));
    });
}

#[test]
fn a_shell_asks_for_a_command_by_name_and_anything_else_comes_back() {
    hold("commands::a_shell_asks_for_a_command_by_name_and_anything_else_comes_back", |rig| {
        let runner = runner(&rig);
        let json = serde_json::json!({"odeon.Command": {"program": "echo", "args": ["hi"]}});
        rig.tell(runner, serde_json::from_value::<Value>(json).unwrap());
        assert_eq!(rig.wait::<CommandResult>(1)[0].text(), "hi\n");
        rig.tell(runner, 5i64);
        assert_eq!(rig.wait::<PoisonMessage>(1)[0].details, "found a message integer, expected a odeon.Command");
    });
}

#[test]
fn output_is_kept_up_to_its_limit_and_counted_beyond() {
    hold("commands::output_is_kept_up_to_its_limit_and_counted_beyond", |rig| {
        let mut command = Command::shell("head -c 3000000 /dev/zero; head -c 5 /dev/zero >&2");
        command.output_bytes_max = 1_000;
        let result = run(&rig, command);
        assert_eq!((result.stdout.len(), result.stdout_bytes), (1_000, 3_000_000));
        assert_eq!((result.stderr.len(), result.stderr_bytes), (5, 5));
    });
}

#[test]
fn streamed_output_comes_while_the_command_runs_and_in_order() {
    hold("commands::streamed_output_comes_while_the_command_runs_and_in_order", |rig| {
        let runner = runner(&rig);
        let mut command = Command::shell("echo one; echo two >&2; read line; echo $line; sleep 1000");
        command.stream = true;
        command.report_start = true;
        command.input = b"three\n".to_vec();
        rig.tell(runner, command);
        let text = |stream: Stream| {
            let parts = rig.got::<CommandOutput>().into_iter().filter(|part| part.stream == stream);
            String::from_utf8(parts.flat_map(|part| part.bytes).collect()).unwrap()
        };
        rig.until("all is there", || text(Stream::Stdout) == "one\nthree\n" && text(Stream::Stderr) == "two\n");
        assert!(rig.got::<CommandResult>().is_empty());
        assert!(rig.mail.lock().unwrap()[0].message.is::<CommandStarted>());
        rig.tell(runner, CommandAbort::default());
        let result = rig.wait::<CommandResult>(1).remove(0);
        assert_eq!((result.outcome, result.stdout.len(), result.stdout_bytes), (CommandOutcome::Aborted, 0, 10));
    });
}

#[test]
fn a_command_that_reads_and_writes_much_waits_for_nobody() {
    hold("commands::a_command_that_reads_and_writes_much_waits_for_nobody", |rig| {
        let mut command = Command::new("cat", Vec::<String>::new());
        command.input = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
        command.output_bytes_max = 8_000_000;
        let input = command.input.clone();
        assert!(run(&rig, command).stdout == input);
        // Nobody reads this input.
        let mut deaf = Command::new("true", Vec::<String>::new());
        deaf.input = input;
        assert!(run(&rig, deaf).is_success());
    });
}

#[test]
fn a_command_that_takes_too_long_is_ended_with_its_whole_group() {
    hold("commands::a_command_that_takes_too_long_is_ended_with_its_whole_group", |rig| {
        let mut command = Command::shell("sleep 1000 & echo $!; wait");
        command.timeout_ms = Some(100);
        let start = Instant::now();
        let result = run(&rig, command);
        assert_eq!(result.outcome, CommandOutcome::TimedOut);
        assert!(start.elapsed() >= Duration::from_millis(100) && start.elapsed() < KILL_AFTER, "{:?}", start.elapsed());
        rig.until("its child is gone", || !runs(&result.text()));
    });
}

#[test]
fn a_command_that_does_not_want_to_end_is_killed() {
    holds_on("commands::a_command_that_does_not_want_to_end_is_killed", &[Column::Simple, Column::Threads]);
    for rig in [Rig::simple(), Rig::threads(2)] {
        let runner = runner(&rig);
        let mut command = Command::shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
        command.stream = true;
        rig.tell(runner, command);
        rig.wait::<CommandOutput>(1);
        let start = Instant::now();
        rig.tell(runner, CommandAbort::default());
        assert_eq!(rig.wait::<CommandResult>(1)[0].outcome, CommandOutcome::Aborted);
        assert!(start.elapsed() >= KILL_AFTER);
    }
}

#[test]
fn what_a_command_leaves_behind_in_its_group_holds_up_nothing_and_is_killed() {
    holds_on(
        "commands::what_a_command_leaves_behind_in_its_group_holds_up_nothing_and_is_killed",
        &[Column::Simple, Column::Threads],
    );
    for rig in [Rig::simple(), Rig::threads(2)] {
        let result = run(&rig, Command::shell("sleep 1000 & echo $!"));
        assert!(result.is_success());
        rig.until("it is gone", || !runs(&result.text()));
    }
}

#[test]
fn nothing_is_left_when_the_actor_exits_or_fails_and_a_shutdown_waits_for_that() {
    holds_on(
        "commands::nothing_is_left_when_the_actor_exits_or_fails_and_a_shutdown_waits_for_that",
        &[Column::Simple, Column::Threads],
    );
    for rig in [Rig::simple(), Rig::threads(2)] {
        let polite = |line: &str| {
            let mut command = Command::shell(line);
            command.report_start = true;
            command
        };
        let (first, second) = (runner(&rig), runner(&rig));
        rig.tell(first, polite("sleep 1000"));
        started(&rig, 1);
        rig.tell(first, ActorExitRequest::default());
        rig.until("its process is gone", || !runs(&started(&rig, 1)[0]));
        assert_eq!(rig.wait::<CommandResult>(1)[0].outcome, CommandOutcome::Aborted);
        let mut deaf = polite("trap '' TERM; echo deaf; while :; do sleep 0.05; done");
        deaf.stream = true;
        rig.tell(second, deaf);
        let pids = started(&rig, 2);
        rig.wait::<CommandOutput>(1);
        let start = Instant::now();
        assert!(rig.shutdown(BOUND));
        assert!(start.elapsed() >= KILL_AFTER);
        assert!(pids.iter().all(|pid| !runs(pid)));
    }
}

#[test]
fn commands_wait_for_each_other_and_are_taken_back_by_their_number() {
    hold("commands::commands_wait_for_each_other_and_are_taken_back_by_their_number", |rig| {
        let runner = runner(&rig);
        let numbered = |id: u64, line: &str| Command { id, ..Command::shell(line) };
        rig.tell(runner, numbered(0, "sleep 1000"));
        (1..5).for_each(|id| rig.tell(runner, numbered(id, &format!("echo {id}"))));
        rig.tell(runner, CommandAbort { id: Some(3) });
        assert_eq!(rig.wait::<CommandResult>(1)[0].outcome, CommandOutcome::Aborted);
        rig.tell(runner, CommandAbort { id: Some(0) });
        let results = rig.wait::<CommandResult>(5);
        assert_eq!(results.iter().map(|result| result.id).collect::<Vec<_>>(), [3, 0, 1, 2, 4]);
        assert_eq!(results[4].text(), "4\n");
    });
}

#[test]
fn more_commands_than_may_wait_are_not_started() {
    holds_on("commands::more_commands_than_may_wait_are_not_started", &[Column::Threads]);
    let rig = Rig::threads(2);
    let runner = runner(&rig);
    rig.tell(runner, Command::shell("sleep 1000"));
    rig.until("it is taken", || rig.status(runner).unwrap().queued == 0);
    (0..=COMMANDS_WAITING_MAX as u64).for_each(|id| rig.tell(runner, Command { id, ..Command::shell("true") }));
    let result = rig.wait::<CommandResult>(1).remove(0);
    assert_eq!(result.id, COMMANDS_WAITING_MAX as u64);
    assert_eq!(result.outcome, CommandOutcome::NotStarted("1024 commands wait already".into()));
    rig.tell(runner, CommandAbort::default());
    rig.wait::<CommandResult>(COMMANDS_WAITING_MAX + 2);
    assert!(rig.shutdown(BOUND));
}

#[test]
fn commands_take_no_worker() {
    holds_on("commands::commands_take_no_worker", &[Column::Threads]);
    let rig = Rig::threads(1);
    let runners: Vec<_> = (0..16).map(|_| runner(&rig)).collect();
    let start = Instant::now();
    for runner in &runners {
        rig.tell(*runner, Command::shell("sleep 0.5"));
    }
    let other = rig.root(plain("other", |_, cx| {
        cx.reply(true);
        Ok(())
    }));
    rig.tell(other, ());
    rig.wait::<bool>(1);
    assert!(rig.got::<CommandResult>().is_empty());
    assert!(rig.wait::<CommandResult>(16).iter().all(CommandResult::is_success));
    assert!(start.elapsed() < Duration::from_secs(4), "one after the other would be eight: {:?}", start.elapsed());
    assert!(rig.shutdown(BOUND));
}

#[test]
fn a_troupe_runs_several_commands_at_a_time() {
    hold("commands::a_troupe_runs_several_commands_at_a_time", |rig| {
        rig.offer(Definition::of::<TroupeWorker<RunCommand>>());
        assert_eq!(<Troupe<RunCommand>>::NAME, "RunCommand.troupe");
        let troupe = rig.root(Definition::of::<Troupe<RunCommand>>());
        let start = Instant::now();
        (0..8).for_each(|id| rig.tell(troupe, Command { id, ..Command::shell("sleep 0.3") }));
        assert!(rig.wait::<CommandResult>(8).iter().all(CommandResult::is_success));
        assert!(start.elapsed() < Duration::from_millis(2_000), "{:?}", start.elapsed());
    });
}

#[test]
fn a_program_on_the_simple_base_hears_of_its_command() {
    holds_on("commands::a_program_on_the_simple_base_hears_of_its_command", &[Column::Simple, Column::Threads]);
    for base in [Base::Simple, Base::Threads] {
        let system = ActorSystem::new(base);
        let runner = system.create_actor::<RunCommand>().unwrap();
        let result: CommandResult = system.ask(runner, Command::shell("sleep 0.05; echo done"), BOUND).unwrap();
        assert_eq!(result.text(), "done\n");
        assert!(result.duration_ms >= 50);
    }
}
