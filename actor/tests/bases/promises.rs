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
const IN_CONVENTION: Cell = Cannot("a node is in a convention, and tells of it");
const NO_WORKER: Cell = Held(&[(
    "node/tests/granted/engine.rs",
    "connections_that_never_answer_hold_up_nobody_and_end_with_the_time_of_their_message",
)]);
const NAMES: Cell =
    Held(&[("tests/tests/placement.rs", "one_global_name_is_one_actor_however_many_nodes_ask_at_once")]);
const OFFERED_WASM: Cell = Held(&[("node/tests/wasm.rs", "everything_that_a_context_offers_reaches_the_host")]);
const OFFERED_PROCESS: Cell = Held(&[("node/tests/process.rs", "everything_that_a_context_offers_reaches_the_host")]);

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
    .node(IN_CONVENTION)
    .images(IN_CONVENTION, IN_CONVENTION),
    // Limits.
    pool(
        "pressure::a_sender_is_put_aside_while_its_target_has_too_much_and_goes_on_when_it_has_drained",
        "Whoever sends to a mailbox with more than 4,096 messages is put aside until 1,024 are left; it is still delivered to.",
    )
    .simple(Cannot("the test holds up an actor in its handler while another one sends, which takes two threads; the ring below runs"))
    .simulated(Cannot("the test holds up an actor in its handler while another one sends, which takes two threads; the ring below runs")),
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
];
