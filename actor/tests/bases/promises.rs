//! The table of promises. What a base or runtime cannot hold says why.

use crate::table::Cell::{self, Cannot, Follows, Held, Run};
use crate::table::Promise;

/// What holds on `threads` holds on a node: it runs the same engine with the same pool.
const POOL: Cell = Follows("a node runs the engine and the pool of `threads`");
/// The engine does not know of what an actor is made.
const ENGINE: Cell =
    Follows("the engine's promise, for whatever it runs: an actor of an image is an `Actor` like others");
const STEPS: Cell = Cannot("it runs one actor at a time: no worker can be held up, parked or raced with");
const UNORDERED: Cell = Cannot("they are asked in that order, but what is sent to different actors arrives in any");
const NO_LINK: Cell = Cannot("an image has the actors of its manifest; the compiler sees to it that each is exported");
const NO_HANDLE: Cell = Cannot("there is no `ActorSystem`: `odeon shutdown` and signals stop a node");
const ALONE: Cell = Cannot("a system on its own is in no convention");
const TOLD: Cell = Held(&[(
    "tests/tests/notifications.rs",
    "native_and_wasm_actors_are_told_of_each_join_change_loss_and_image_once_also_over_a_restart_of_the_leader",
)]);
const IN_CONVENTION: Cell = Cannot("a node is in a convention, and tells of it");
const NO_WORKER: Cell = Held(&[(
    "node/tests/granted/engine.rs",
    "connections_that_never_answer_hold_up_nobody_and_end_with_the_time_of_their_message",
)]);
const NAMES: Cell =
    Held(&[("tests/tests/placement.rs", "one_global_name_is_one_actor_however_many_nodes_ask_at_once")]);
const OFFERED_WASM: Cell = Held(&[("node/tests/wasm.rs", "everything_that_a_context_offers_reaches_the_host")]);
const OFFERED_PROCESS: Cell = Held(&[("node/tests/process.rs", "everything_that_a_context_offers_reaches_the_host")]);

/// What stands around an actor is an actor.
const SAME: Cell = Follows("it is made of actors, and the same code in an image");
const TROUPE: Cell = Held(&[(
    "tests/tests/troupes.rs",
    "a_troupe_of_an_image_has_as_many_workers_as_its_work_needs_and_what_finds_none_waits",
)]);
const TROUPE_AGAIN: Cell = Held(&[(
    "tests/tests/troupes.rs",
    "the_work_of_a_worker_that_dies_is_done_by_another_one_and_comes_back_when_three_have_died",
)]);
const LINKED: Cell = Cannot("only for actors that are linked into a program");
const NOTHING_OUTSIDE: Cell =
    Cannot("nothing comes from outside of a simulation: it would not be the same the next time");
const NO_SHUTDOWN: Cell = Cannot("a node is not shut down by an actor");
const LOOKED_AT: Cell = Held(&[
    ("tests/tests/capabilities.rs", "actors_exit_when_their_node_does_not_suit_them_any_more_and_others_stay"),
    ("tests/tests/capabilities.rs", "a_check_that_gives_no_word_ends_nobody_until_it_does"),
]);
const TOLD_OF_NODES: Cell = Held(&[("tests/tests/capabilities.rs", "an_actor_is_told_how_its_node_is_and_others_are")]);
const OF_PROCESS: Cell =
    Held(&[("tests/tests/capabilities.rs", "an_actor_of_a_process_exits_when_its_check_says_no_or_fails")]);
const ONE_BASE: Cell = Cannot("the test takes long, or a thread of its own, and runs on one base");

const AT_ONCE: Cell = Follows("what an actor of an image sends is handed to the engine at once");
/// The tests that run over both runtimes, and over both languages of the second.
const IMAGES: &str = "node/tests/wasm/promises.rs";
const IN_ORDER: Cell = Held(&[(IMAGES, "an_actor_handles_one_message_at_a_time_and_in_order")]);
const REBUILT: Cell = Held(&[(
    IMAGES,
    "a_message_that_fails_is_given_twice_and_comes_back_as_poison_and_the_next_one_is_handled_by_a_new_actor",
)]);
const UNDISTURBED: Cell = Held(&[(IMAGES, "an_actor_that_fails_for_ever_does_not_disturb_another")]);
const GONE: Cell = Held(&[(IMAGES, "an_actor_that_is_asked_to_exit_is_gone_and_what_it_is_sent_is_a_dead_letter")]);
const UNBUILT: Cell = Held(&[(IMAGES, "a_constructor_that_fails_leaves_nothing_and_its_name_is_free")]);
/// On a real node, asked from another one.
const REAL: Cell = Held(&[(
    "tests/tests/conformance.rs",
    "on_another_node_an_actor_of_each_kind_keeps_count_fails_twice_begins_anew_and_is_gone_when_it_is_stopped",
)]);
const KILLED: Cell = Held(&[(
    "tests/tests/processes.rs",
    "a_message_that_kills_its_process_twice_comes_back_as_poison_and_others_are_answered",
)]);

/// One that every base holds, and with them the node and what it runs.
const fn everywhere(test: &'static str, says: &'static str) -> Promise {
    Promise { test, says, cells: [Run, Run, Run, POOL, ENGINE, ENGINE] }
}

/// One of the pool alone.
const fn pool(test: &'static str, says: &'static str) -> Promise {
    Promise { test, says, cells: [STEPS, Run, STEPS, POOL, ENGINE, ENGINE] }
}

impl Promise {
    const fn simple(mut self, cell: Cell) -> Self {
        self.cells[0] = cell;
        self
    }

    const fn threads(mut self, cell: Cell) -> Self {
        self.cells[1] = cell;
        self
    }

    const fn simulated(mut self, cell: Cell) -> Self {
        self.cells[2] = cell;
        self
    }

    const fn node(mut self, cell: Cell) -> Self {
        self.cells[3] = cell;
        self
    }

    const fn images(mut self, wasm: Cell, process: Cell) -> Self {
        self.cells[4] = wasm;
        self.cells[5] = process;
        self
    }
}

pub(crate) const PROMISES: &[Promise] = &[
    // Order and delivery.
    everywhere("order::an_actor_handles_one_message_at_a_time", "An actor handles one message at a time.")
        .images(IN_ORDER, IN_ORDER),
    everywhere(
        "order::messages_between_two_actors_arrive_in_order",
        "Messages from one actor to another arrive in the order in which they were sent, each once.",
    )
    .node(Held(&[(
        "tests/tests/hosts.rs",
        "a_hundred_thousand_messages_arrive_once_and_in_order_while_their_link_is_cut_ten_times",
    )]))
    .images(IN_ORDER, IN_ORDER),
    pool("stress::many_threads_and_actors_lose_and_double_nothing", "So they do from many threads at once."),
    everywhere(
        "order::messages_to_a_child_just_created_arrive_in_order_after_its_creation",
        "The address of a child can be used at once: what is sent to it comes after its creation, in order.",
    ),
    everywhere("create::what_is_sent_to_a_child_elsewhere_goes_outside_in_order", "What is sent to a child elsewhere goes outside in order."),
    everywhere(
        "order::messages_sent_by_a_handler_that_fails_later_are_delivered",
        "What a handler sent is delivered even when the handler fails later.",
    )
    .images(AT_ONCE, AT_ONCE),
    everywhere(
        "order::what_is_sent_to_nobody_is_a_dead_letter",
        "A message to an actor that is gone, or never was, is a dead letter; a slot's next actor never gets it.",
    )
    .node(REAL)
    .images(GONE, GONE),
    everywhere("order::a_panic_in_the_drop_of_a_message_harms_nobody", "A panic while a message is dropped harms nobody."),
    everywhere("program::the_simple_base_runs_in_the_same_order_every_time", "A program runs in the same order every time.")
        .threads(Cannot("whichever worker is free goes first"))
        .simulated(Held(&[("actor/tests/simulated/same.rs", "the_same_seed_gives_the_same_run_and_so_do_its_decisions_without_it")]))
        .node(Cannot("whichever worker is free goes first"))
        .images(Cannot("whichever worker is free goes first"), Cannot("whichever worker is free goes first")),
    // Creation.
    everywhere(
        "create::a_child_that_cannot_be_created_is_an_address_of_nobody_and_its_creator_is_told",
        "A child that cannot be created is an address of nobody; its creator gets one `ChildActorExited` with the reason.",
    )
    .node(Held(&[("tests/tests/failures.rs", "a_creation_whose_only_candidate_is_dead_fails_as_soon_as_that_is_known")]))
    .images(
        ENGINE,
        Held(&[("tests/tests/processes.rs", "a_child_of_a_process_is_created_there_and_one_that_cannot_be_is_told_to_its_parent")]),
    ),
    everywhere("create::a_failing_constructor_leaves_nothing_behind", "A failing constructor leaves nothing behind.").images(UNBUILT, UNBUILT),
    everywhere("create::a_global_name_belongs_to_one_actor_until_it_exits", "A global name has one actor until that one exits.")
        .node(NAMES)
        .images(NAMES, NAMES),
    everywhere(
        "program::a_global_name_gives_the_same_actor_twice",
        "Whoever asks for a global name that is taken gets the actor that has it.",
    )
    .node(NAMES)
    .images(NAMES, NAMES),
    everywhere(
        "program::an_actor_lives_only_where_the_capabilities_are",
        "An actor is created only where the capabilities, the requirements and its own check agree; a check that panics refuses.",
    )
    .node(Held(&[(
        "tests/tests/placement.rs",
        "a_check_that_panics_or_never_ends_is_a_refusal_with_a_reason_and_the_node_goes_on",
    )]))
    .images(
        Held(&[(
            "tests/tests/placement.rs",
            "a_check_in_an_image_that_panics_loops_or_takes_all_memory_is_a_refusal_with_a_reason_everywhere",
        )]),
        Held(&[("node/tests/process.rs", "a_check_constructor_or_message_that_loops_is_ended_with_its_process_and_another_one_goes_on")]),
    ),
    everywhere("program::hello_creates_world_without_registration", "A type that is linked into the program needs no registration.")
        .images(NO_LINK, NO_LINK),
    // Failure.
    everywhere(
        "failure::an_actor_that_fails_is_rebuilt_and_given_the_message_once_more",
        "After a panic or an error the actor is rebuilt and given the same message once more.",
    )
    .node(REAL)
    .images(REBUILT, REBUILT),
    everywhere(
        "failure::a_message_that_fails_twice_comes_back_as_poison_and_the_next_one_is_handled",
        "After a second failure it is rebuilt, the sender gets `PoisonMessage`, and the next message follows.",
    )
    .node(REAL)
    .images(REBUILT, REBUILT),
    everywhere(
        "failure::a_poison_message_whose_encoding_panics_comes_back_without_its_bytes_and_the_actor_goes_on",
        "A message whose `Serialize` panics comes back as poison without its bytes, and the actor goes on.",
    ),
    everywhere(
        "failure::a_poison_message_that_fails_is_not_answered_with_another",
        "A poison message that fails is not answered with another.",
    ),
    everywhere(
        "failure::an_actor_that_cannot_be_rebuilt_exits_and_its_mail_is_dead",
        "An actor that cannot be rebuilt exits, with its children; its mail becomes dead letters.",
    ),
    everywhere("failure::a_panic_in_the_drop_of_an_actor_is_caught", "A panic while an actor is dropped harms nobody.").images(
        Cannot("with an instance for each actor the drop does not run; in a shared one a panic is a trap, and all begin anew"),
        Follows("the process catches it as a base does (`actor/src/process/serve.rs`)"),
    ),
    everywhere("failure::an_actor_that_panics_for_ever_does_not_disturb_others", "Others do not notice an actor that keeps failing.")
        .node(REAL)
        .images(UNDISTURBED, UNDISTURBED),
    // Messages that are handled elsewhere.
    everywhere(
        "suspended::an_actor_whose_message_is_suspended_gets_no_other_and_takes_no_worker",
        "An actor whose message is handled elsewhere gets no other one until that has ended, and takes no worker.",
    )
    .images(NO_WORKER, Held(&[("tests/tests/processes.rs", "many_actors_of_a_slow_process_hold_up_no_other_actor")])),
    everywhere(
        "suspended::a_message_that_has_ended_before_its_receive_returns_is_over",
        "A message that has ended elsewhere before its `receive` returns is over.",
    ),
    everywhere(
        "suspended::a_suspended_message_that_fails_is_given_once_more_and_comes_back_as_poison",
        "A message that fails elsewhere is given once more, and comes back as poison.",
    )
    .images(ENGINE, KILLED),
    everywhere(
        "suspended::an_actor_that_cannot_be_built_for_its_message_ends_and_its_parent_is_told",
        "An actor that cannot be built elsewhere for its message ends, and its parent is told.",
    ),
    everywhere(
        "suspended::whoever_sends_too_much_to_a_waiting_actor_is_put_aside_and_goes_on_after_it",
        "Whoever sends too much to an actor that waits is put aside, and goes on after it.",
    ),
    everywhere(
        "suspended::a_system_that_shuts_down_does_not_wait_for_ever_for_a_suspended_message",
        "A system that shuts down does not wait for ever for what is handled elsewhere.",
    ),
    // Exits.
    everywhere(
        "exits::an_actor_is_handed_its_exit_request_and_destroyed_even_when_it_fails_on_it",
        "`ActorExitRequest` is handed to the actor once; then it is destroyed, however the handler ended.",
    )
    .node(REAL)
    .images(GONE, GONE),
    everywhere(
        "exits::a_recursive_exit_takes_the_whole_tree_and_each_parent_is_told_after_its_children",
        "A recursive exit takes the tree; a parent's parent is told when its children are gone.",
    ),
    everywhere("exits::a_tree_deeper_than_a_stack_exits", "So it does when the tree is deeper than a stack."),
    everywhere(
        "exits::an_exiting_parent_waits_for_its_children_elsewhere",
        "An exiting parent waits for its children elsewhere.",
    ),
    everywhere(
        "exits::children_are_asked_to_exit_in_the_order_of_their_creation",
        "Children exit in the order of their creation.",
    )
    .threads(UNORDERED)
    .simulated(UNORDERED)
    .node(UNORDERED)
    .images(UNORDERED, UNORDERED),
    everywhere(
        "exits::an_exit_that_is_not_recursive_leaves_the_children",
        "An exit that is not recursive leaves the children; they tell nobody when they exit.",
    ),
    everywhere(
        "exits::an_actor_that_exits_by_itself_handles_its_current_message_only",
        "`cx.exit()` takes effect after the current message; it is recursive.",
    )
    .images(OFFERED_WASM, OFFERED_PROCESS),
    everywhere(
        "exits::a_child_elsewhere_is_told_of_once",
        "A parent is told of each child once, whatever the cause and wherever the child was.",
    )
    .node(Held(&[(
        "tests/tests/failures.rs",
        "a_parent_is_told_exactly_once_when_the_node_of_its_child_is_killed_and_the_node_comes_back_as_a_new_one",
    )])),
    pool("stress::actors_that_come_and_go_under_fire_are_each_told_of_once", "So it is when actors come and go under fire."),
    everywhere(
        "exits::an_actor_under_a_promised_address_lives_here_and_tells_both_sides",
        "An actor may live here under an address that another node promised.",
    ),
    everywhere("program::the_last_handle_stops_the_system", "The last handle on an `ActorSystem` stops it.")
        .node(NO_HANDLE)
        .images(NO_HANDLE, NO_HANDLE),
    // Timers.
    everywhere(
        "wakeups::wakeups_come_by_due_time_and_never_early",
        "A wakeup is never early; wakeups come by due time, with the actor itself as their sender.",
    )
    .images(OFFERED_WASM, OFFERED_PROCESS),
    everywhere("wakeups::a_wakeup_is_gone_when_its_actor_is", "A wakeup is gone when its actor is."),
    everywhere("wakeups::ten_thousand_wakeups_share_one_clock", "One clock serves all."),
    everywhere("program::an_ask_that_is_not_answered_says_why", "An ask that is not answered says why.")
        .node(Held(&[("tests/tests/refusals.rs", "what_is_asked_of_a_node_that_is_gone_fails_at_once_and_names_it")])),
    // Notifications.
    everywhere("watching::what_an_actor_watches_goes_outside_in_its_order", "What an actor watches goes outside in its order.")
        .images(OFFERED_WASM, OFFERED_PROCESS),
    everywhere("watching::whoever_wants_to_be_the_authority_is_named_outside", "Whoever wants to be the authority is named outside.")
        .images(OFFERED_WASM, OFFERED_PROCESS),
    everywhere(
        "watching::a_notification_that_fails_twice_comes_back_to_nobody",
        "A notification that fails twice comes back to nobody.",
    ),
    everywhere(
        "watching::in_a_system_on_its_own_nothing_is_told_and_nothing_fails",
        "In a system on its own nothing is told of a convention, and nothing fails.",
    )
    .simulated(Cannot("to those who watch, its nodes are the members of a convention"))
    .node(IN_CONVENTION)
    .images(IN_CONVENTION, IN_CONVENTION),
    everywhere(
        "watching::who_watches_members_is_told_of_each_that_is_there_and_then_of_each_loss",
        "Whoever watches members is told of each that is there, and then of each loss, once and in turn.",
    )
    .simple(ALONE)
    .threads(ALONE)
    .node(TOLD)
    .images(TOLD, ENGINE),
    // Limits.
    pool(
        "pressure::a_sender_is_put_aside_while_its_target_has_too_much_and_goes_on_when_it_has_drained",
        "Whoever sends to a mailbox with more than 4,096 messages is put aside until 1,024 are left; it is still delivered to.",
    )
    .simple(Cannot("the test holds up an actor in its handler while another one sends, which takes two threads; the ring below runs"))
    .simulated(Cannot("the test holds up an actor in its handler while another one sends, which takes two threads; the ring below runs")),
    pool("pressure::a_slow_actor_holds_back_those_before_those_who_send_to_it", "So is whoever sends to one that is put aside.")
        .simple(Cannot("the test holds up an actor in its handler while another one sends, which takes two threads; the ring below runs"))
        .simulated(Cannot("the test holds up an actor in its handler while another one sends, which takes two threads; the ring below runs")),
    pool(
        "pressure::the_outside_is_told_once_that_an_actor_has_drained_or_is_gone",
        "Other nodes that an actor holds back are told once when it has drained or is gone.",
    ),
    pool(
        "pressure::an_actor_that_waits_for_itself_by_way_of_the_outside_is_asked_about_and_let_go_for_some_messages",
        "An actor that waits for itself by way of other nodes goes on with some messages.",
    ),
    pool(
        "pressure::senders_that_one_actor_lets_go_on_do_not_wait_for_each_other",
        "Senders that one actor lets go on do not wait for each other.",
    ),
    everywhere(
        "pressure::a_ring_in_which_everybody_sends_too_much_makes_progress",
        "Actors put aside cannot wait for each other for ever.",
    ),
    everywhere("pressure::many_senders_to_one_all_get_through", "Many senders to one all get through."),
    everywhere(
        "pressure::a_sender_to_the_outside_waits_for_its_ticket",
        "A sender to the outside waits until the outside lets it go on.",
    ),
    everywhere(
        "pressure::a_sender_whose_ticket_nobody_resumes_goes_on_after_a_while",
        "It goes on after a second at most.",
    ),
    pool(
        "stress::an_actor_woken_by_a_worker_that_is_held_up_runs_elsewhere",
        "A long handler does not hold up the actor that it woke.",
    ),
    pool("stress::no_wakeup_of_a_parked_worker_is_lost", "A parked worker misses no work."),
    // Names.
    everywhere("program::a_base_is_named_by_its_name", "A base is chosen by its name; a wrong one is an error that says which there are.")
        .node(Cannot("a node is started by `odeon up`, not chosen by a program"))
        .images(NO_HANDLE, NO_HANDLE),
    // What stands around actors, and what they may ask.
    everywhere("troupes::workers_are_created_on_demand_have_their_turns_and_see_the_sender", "Workers are created on demand have their turns and see the sender.").images(TROUPE, SAME),
    everywhere("troupes::what_finds_no_idle_worker_waits_in_its_order_and_a_busy_worker_gets_nothing_else", "What finds no idle worker waits in its order and a busy worker gets nothing else.").images(TROUPE, SAME),
    everywhere("troupes::workers_that_are_too_many_are_dismissed_after_a_pause_and_not_before", "Workers that are too many are dismissed after a pause and not before.").images(SAME, SAME),
    everywhere("troupes::settings_change_at_run_time_also_from_a_shell_and_bad_ones_come_back", "Settings change at run time also from a shell and bad ones come back.").images(SAME, SAME),
    everywhere("troupes::a_message_that_a_worker_fails_on_twice_comes_back_as_it_was_and_the_worker_goes_on", "A message that a worker fails on twice comes back as it was and the worker goes on.").images(SAME, SAME),
    everywhere("troupes::the_work_of_a_worker_that_exits_goes_to_another_one_and_at_last_back_to_its_sender", "The work of a worker that exits goes to another one and at last back to its sender.").images(TROUPE_AGAIN, SAME),
    everywhere("troupes::a_message_that_kills_its_workers_does_not_do_so_for_ever", "A message that kills its workers does not do so for ever.").images(SAME, SAME),
    everywhere("troupes::work_for_which_no_worker_can_be_created_comes_back_with_the_reason", "Work for which no worker can be created comes back with the reason.").images(SAME, SAME),
    everywhere("troupes::a_worker_that_loses_its_work_by_failing_on_something_else_is_given_it_again", "A worker that loses its work by failing on something else is given it again.").images(SAME, SAME),
    everywhere("troupes::a_worker_that_was_built_anew_and_forgot_its_work_is_found_out", "A worker that was built anew and forgot its work is found out.").simple(ONE_BASE).simulated(ONE_BASE).images(TROUPE_AGAIN, SAME),
    everywhere("troupes::the_exit_of_a_troupe_takes_its_workers_and_gives_back_what_waits", "The exit of a troupe takes its workers and gives back what waits.").images(SAME, SAME),
    everywhere("troupes::a_troupe_with_as_much_to_do_as_it_holds_gives_back_what_comes_then", "A troupe with as much to do as it holds gives back what comes then.").simple(ONE_BASE).simulated(ONE_BASE).images(SAME, SAME),
    everywhere("troupes::an_untyped_value_that_looks_like_a_request_is_work", "An untyped value that looks like a request is work.").images(SAME, SAME),
    everywhere("transient::a_transient_actor_lives_on_until_its_first_message_and_then_for_its_time", "A transient actor lives on until its first message and then for its time.").images(SAME, SAME),
    everywhere("transient::an_idle_actor_lives_for_as_long_as_somebody_speaks_to_it", "An idle actor lives for as long as somebody speaks to it.").images(SAME, SAME),
    everywhere("transient::a_troupe_may_be_transient", "A troupe may be transient.").images(SAME, SAME),
    everywhere("initialising::everything_waits_in_its_order_for_what_the_actor_needs", "Everything waits in its order for what the actor needs.").images(SAME, SAME),
    everywhere("initialising::one_that_fails_later_is_initialised_again_before_it_goes_on", "One that fails later is initialised again before it goes on.").images(SAME, SAME),
    everywhere("initialising::what_it_needs_may_be_given_again_when_it_was_bad", "What it needs may be given again when it was bad.").images(SAME, SAME),
    everywhere("initialising::one_that_cannot_be_initialised_again_exits_and_its_parent_is_told", "One that cannot be initialised again exits and its parent is told.").images(SAME, SAME),
    everywhere("initialising::one_that_does_not_have_what_it_needs_in_time_exits_and_says_what_was_missing", "One that does not have what it needs in time exits and says what was missing.").images(SAME, SAME),
    everywhere("initialising::an_exit_request_waits_for_nothing", "An exit request waits for nothing.").images(SAME, SAME),
    everywhere("supervision::a_child_is_created_again_after_a_pause_until_it_has_exited_too_often", "A child is created again after a pause until it has exited too often.").images(SAME, SAME),
    everywhere("supervision::exits_that_are_long_ago_do_not_count", "Exits that are long ago do not count.").images(SAME, SAME),
    everywhere("supervision::a_child_that_is_stopped_is_not_created_again", "A child that is stopped is not created again.").images(SAME, SAME),
    everywhere("deferral::what_is_put_off_comes_again_in_its_order_before_what_waits_and_from_its_sender", "What is put off comes again in its order before what waits and from its sender."),
    everywhere("deferral::what_is_put_off_may_be_put_off_again", "What is put off may be put off again."),
    everywhere("deferral::an_actor_that_is_built_anew_finds_what_was_put_off", "An actor that is built anew finds what was put off."),
    everywhere("deferral::a_handler_that_fails_puts_nothing_off", "A handler that fails puts nothing off."),
    everywhere("deferral::what_is_put_off_becomes_dead_letters_when_the_actor_exits", "What is put off becomes dead letters when the actor exits."),
    everywhere("deferral::one_message_too_many_goes_back_to_its_sender", "One message too many goes back to its sender."),
    everywhere("pipes::what_threads_send_comes_in_the_order_of_each_and_is_given_back_after_the_exit", "What threads send comes in the order of each and is given back after the exit.").simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("pipes::a_pipe_holds_so_many_messages_and_who_waits_goes_on_when_there_is_room_or_nobody", "A pipe holds so many messages and who waits goes on when there is room or nobody.").threads(ONE_BASE).simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("pipes::a_future_sends_what_it_comes_to_and_ends_without_when_the_actor_is_gone", "A future sends what it comes to and ends without when the actor is gone.").simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("pipes::a_shutdown_waits_for_what_has_to_be_put_in_order", "A shutdown waits for what has to be put in order.").simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("pipes::a_program_that_waits_on_the_simple_base_is_woken_by_a_thread", "A program that waits on the simple base is woken by a thread.").simulated(NOTHING_OUTSIDE).node(NO_HANDLE).images(NO_HANDLE, NO_HANDLE),
    everywhere("pipes::an_actor_is_told_once_that_a_descriptor_is_ready_and_not_before", "An actor is told once that a descriptor is ready and not before.").simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("pipes::what_is_not_watched_any_more_is_let_go_of", "What is not watched any more is let go of.").simple(ONE_BASE).simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("commands::a_command_has_its_arguments_variables_folder_and_input_and_its_outputs_come_back", "A command has its arguments variables folder and input and its outputs come back.").simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("commands::what_cannot_be_started_says_why_and_the_log_has_no_arguments", "What cannot be started says why and the log has no arguments.").simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("commands::a_shell_asks_for_a_command_by_name_and_anything_else_comes_back", "A shell asks for a command by name and anything else comes back.").simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("commands::output_is_kept_up_to_its_limit_and_counted_beyond", "Output is kept up to its limit and counted beyond.").simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("commands::streamed_output_comes_while_the_command_runs_and_in_order", "Streamed output comes while the command runs and in order.").simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("commands::a_command_that_reads_and_writes_much_waits_for_nobody", "A command that reads and writes much waits for nobody.").simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("commands::a_command_that_takes_too_long_is_ended_with_its_whole_group", "A command that takes too long is ended with its whole group.").simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("commands::a_command_that_does_not_want_to_end_is_killed", "A command that does not want to end is killed.").simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("commands::what_a_command_leaves_behind_in_its_group_holds_up_nothing_and_is_killed", "What a command leaves behind in its group holds up nothing and is killed.").simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("commands::nothing_is_left_when_the_actor_exits_or_fails_and_a_shutdown_waits_for_that", "Nothing is left when the actor exits or fails and a shutdown waits for that.").simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("commands::commands_wait_for_each_other_and_are_taken_back_by_their_number", "Commands wait for each other and are taken back by their number.").simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("commands::more_commands_than_may_wait_are_not_started", "More commands than may wait are not started.").simple(ONE_BASE).simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("commands::commands_take_no_worker", "Commands take no worker.").simple(ONE_BASE).simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("commands::a_troupe_runs_several_commands_at_a_time", "A troupe runs several commands at a time.").simulated(NOTHING_OUTSIDE).images(LINKED, LINKED),
    everywhere("commands::a_program_on_the_simple_base_hears_of_its_command", "A program on the simple base hears of its command.").simulated(NOTHING_OUTSIDE).node(NO_HANDLE).images(NO_HANDLE, NO_HANDLE),
    everywhere("api::dead_letters_go_to_the_last_actor_that_asked_for_them_until_it_is_gone", "Dead letters go to the last actor that asked for them until it is gone.").simulated(Cannot("each of its nodes has a handler of its own, as on nodes")).images(LINKED, LINKED),
    everywhere("api::a_letter_that_the_handler_cannot_be_told_of_goes_round_in_no_circle", "A letter that the handler cannot be told of goes round in no circle.").simulated(Cannot("each of its nodes has a handler of its own, as on nodes")).images(LINKED, LINKED),
    everywhere("api::an_actor_is_told_how_another_one_is_though_that_is_stuck_or_gone", "An actor is told how another one is though that is stuck or gone.").simple(STEPS).simulated(STEPS),
    everywhere("api::an_actor_shuts_its_system_down_and_nothing_is_created_then", "An actor shuts its system down and nothing is created then.").simulated(NO_SHUTDOWN).node(NO_SHUTDOWN).images(LINKED, LINKED),
    everywhere("api::where_actors_may_not_shut_down_they_do_not", "Where actors may not shut down they do not."),
    everywhere("api::an_actor_is_told_how_one_is_wherever_that_lives", "An actor is told how one is wherever that lives."),
    everywhere("api::every_private_context_hears_what_is_for_it_and_nothing_else", "Every private context hears what is for it and nothing else.").simulated(Cannot("the test asks from several threads")).node(NO_HANDLE).images(NO_HANDLE, NO_HANDLE),
    everywhere("api::actors_whose_check_holds_no_more_exit_when_capabilities_change", "Actors whose check holds no more exit when capabilities change.").node(LOOKED_AT).images(LOOKED_AT, OF_PROCESS),
    everywhere("api::an_actor_is_told_how_its_node_is", "An actor is told how its node is, and in a convention how others are.")
        .node(TOLD_OF_NODES)
        .images(TOLD_OF_NODES, OF_PROCESS),
    everywhere("api::a_message_may_be_part_of_a_message", "A message may be part of a message."),
    everywhere("wakeups::a_wakeup_that_was_cancelled_does_not_come_and_no_other_is_affected", "A wakeup that was cancelled does not come and no other is affected."),
    everywhere("wakeups::wakeups_that_are_asked_for_and_cancelled_for_ever_take_no_room", "Wakeups that are asked for and cancelled for ever take no room.").simple(ONE_BASE).simulated(ONE_BASE),
];
