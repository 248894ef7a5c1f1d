//! Assembles a node and runs it until it is told to stop.
//!
//! A node whose convention took it for dead starts again inside the same process, as a new incarnation: its actors
//! were declared gone, so none of them may go on.

mod wiring;

use crate::admin::AdminSocket;
use crate::admin::protocol::Failed;
use crate::advertise::{self, Interfaces};
use crate::backend::{NodeBackend, failed};
use crate::causes::{chain, of_data};
use crate::cli::{ImageAuthority, UpOptions};
use crate::driver::{Driver, EVENTS_MAX, End, Event, Means};
use crate::grants::Allowed;
use crate::hosting::Hosting;
use crate::identity::{self, DataFolder, DialFrom, Identity, InviteCode, Joined, Stays, Token, TokenError, Tokens};
use crate::leaders::{self, Leaders};
use crate::ledger::{Ledger, Listener, Seat};
use crate::lending::Lending;
use crate::link::{self, LinkConfig, Links};
use crate::logs::{self, ActorLog, LogSetup, Origin, Outbox, OutboxLimits, SetupError, StoreLimits};
use crate::memory;
use crate::process::{ProcessRuntime, ProcessSettings};
use crate::runtimes::Runtimes;
use crate::shipping;
use crate::store::Store;
use crate::test_actor::TestActor;
use crate::transfer::{Images, Own, OwnAuthority, OwnSigners, Rate, Rates, Room};
use crate::wasm::{WasmLimits, WasmRuntime};
use odeon::{NodeRef, Registry};
use odeon_convention::codes;
use odeon_convention::leader::{Answer, Operation};
use odeon_convention::member::{Member, MemberConfig};
use odeon_convention::record::AuthoritySetting;
use odeon_convention::types::{Load, NativeActor, NodeFacts, Role};
use std::future::poll_fn;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use wiring::{Gate, Wiring};

/// How long a start waits for the leader's word before it calls itself ready without it.
const JOIN_WAIT: Duration = Duration::from_secs(5);
/// How often that is looked at.
const JOIN_LOOK: Duration = Duration::from_millis(5);
/// How long the port of an earlier start may be taken.
const PORT_MAX: Duration = Duration::from_secs(20);
const PORT_LOOK: Duration = Duration::from_millis(50);
/// How long actors may take to exit when the node stops.
const EXIT_MAX: Duration = Duration::from_secs(5);
/// How long a member may take to leave in good order.
const LEAVE_MAX: Duration = Duration::from_secs(3);
/// The leader's ledger in the data folder.
const LEDGER: &str = "ledger.redb";
/// Threads for links and commands; actors have their own.
const IO_THREADS: usize = 2;

/// Runs a node until SIGINT, SIGTERM or `odeon shutdown`.
pub(crate) fn run(options: UpOptions, registry: Registry) -> Result<(), Failed> {
    let registry = registry.with::<TestActor>();
    let logging = logs::init(&options.log_config).map_err(log_unusable)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(IO_THREADS)
        .thread_name("odeon-io")
        .enable_all()
        .build()
        .map_err(|e| failed(codes::INTERNAL, e.to_string()))?;
    // The thread of the socket and the first links, beside those for all others.
    let urgent = Lending::start("odeon-urgent").map_err(|e| failed(codes::INTERNAL, e.to_string()))?;
    let ended = runtime.block_on(async {
        let mut announce = true;
        loop {
            match run_once(&options, &registry, &logging, &mut announce, urgent.handle()).await? {
                End::Left => return Ok(()),
                End::Rejected { code, reason } => return Err(failed(code, reason)),
                End::StartAgain(reason) => {
                    tracing::warn!(reason, "the convention took this node for gone: it starts again");
                    until_free(options.listen).await;
                    until_unlocked(&options.data).await;
                }
            }
        }
    });
    // A native check that never ends must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    urgent.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// Returns once the port of the start before can be had again: what is left of it may take a moment to end.
async fn until_free(listen: SocketAddr) {
    let free = async {
        while link::can_listen(listen).is_err() {
            tokio::time::sleep(PORT_LOOK).await;
        }
    };
    // Whoever has it by then is told to the operator by the next start.
    let _ = tokio::time::timeout(PORT_MAX, free).await;
}

/// Returns once the folder is free as well: a task of the start before may be about to let go of it.
async fn until_unlocked(data: &Path) {
    let unlocked = async {
        while DataFolder::open(data).is_err() {
            tokio::time::sleep(PORT_LOOK).await;
        }
    };
    // As above.
    let _ = tokio::time::timeout(PORT_MAX, unlocked).await;
}

/// One start of the node, to its end. Whether it is to say that it is ready; once said, it is not said again.
async fn run_once(
    options: &UpOptions,
    registry: &Registry,
    logging: &LogSetup,
    announce: &mut bool,
    urgent: &Handle,
) -> Result<End, Failed> {
    let name = options.name.clone().unwrap_or_else(host_name);
    if options.allow_process {
        let checked = ProcessRuntime::check_user(options.process_user.as_deref());
        checked.map_err(|e| failed(codes::PROCESS_USER, e.to_string()))?;
    }
    if let Some(ImageAuthority { actor, .. }) = &options.image_authority
        && registry.find(actor).is_none()
    {
        let known: Vec<&str> = registry.iter().map(|d| &*d.name).collect();
        return Err(unappointed(actor, &format!("linked into this node are {}", known.join(", "))));
    }
    let data = options.data.clone();
    let folder = DataFolder::open(&data).map_err(|e| of_data(e.code(), &e))?;
    // What can be refused is looked at before anything is founded or a token used: then the folder is as it was.
    link::can_listen(options.listen).map_err(|e| failed(codes::LISTEN, e.to_string()))?;
    let socket = AdminSocket::bind(&data).await.map_err(|e| of_data(e.code(), &e))?;
    let (identity, Stays { connection, sockets }) = spawning_on(urgent, identify(options, folder, &name)).await?;
    let identity = Arc::new(identity);
    if options.outbound_only && identity.role() == Role::Leader {
        return Err(failed(codes::OUTBOUND_ONLY, "a node that may lead has to be one that others can dial"));
    }
    let me = identity.node();
    let [spool, logs, stored, compiled, approvals] =
        ["spool", "logs", "images", "compiled", "approvals"].map(|part| data.join(part));
    let outbox = Outbox::open(&spool, origin(&name, me), OutboxLimits::default()).map_err(unusable(&spool))?;
    logging.attach(outbox.clone());

    let (events, received) = mpsc::channel(EVENTS_MAX);
    let started = tokio::time::Instant::now();
    let leads = identity.can_admit();
    if leads {
        prepare_ledger(&data)?;
    }
    let log_store = match leads {
        true => Some(Arc::new(logs::Store::open(&logs, StoreLimits::default()).map_err(unusable(&logs))?)),
        false => None,
    };

    let log = ActorLog::new(outbox.clone(), logging.levels().clone());
    let (hosting, orders, asks) = Hosting::new(me, registry.clone(), options.capabilities.clone(), events.clone(), log);
    let store = Store::open(stored.clone()).map_err(unusable(&stored))?;
    let wasm = WasmRuntime::new(&compiled, WasmLimits::default()).map_err(unusable(&compiled))?;
    let allowed = Allowed::new(options.allowed.clone(), &data);
    let runtimes = Runtimes::new(wasm, processes(options, &name, &allowed)?, allowed);
    let signers = options.image_signers.clone().map(|keyring| OwnSigners::open(keyring, &approvals));
    let signers = signers.transpose().map_err(unusable(&approvals))?;
    let authority = options.image_authority.clone();
    let own = Own { signers, authority: authority.map(|own| OwnAuthority::new(own.actor, own.answer)) };
    let room = Room::new(options.image_store_bytes_max, (!leads).then(|| events.clone()));
    let rates =
        Rates { upload: Rate::new(options.image_upload_limit), download: Rate::new(options.image_download_limit) };
    let allow = options.allow_remote_images;
    let images = Arc::new(Images::new(store, runtimes, allow, own, room, hosting.clone(), rates));
    let tokens = Tokens::default();
    let gate = leads.then(|| Arc::new(Gate::default()));
    let wiring = Arc::new(Wiring::new(me, events.clone(), &hosting, log_store.clone()));
    let links = Links::start(
        LinkConfig {
            listen: options.listen,
            sockets,
            identity: identity.clone(),
            name: name.clone(),
            tokens: tokens.clone(),
            admission: gate.clone().map(|gate| gate as Arc<dyn crate::link::Admission>),
            outbound_only: options.outbound_only,
            tcp_only: options.tcp_only,
            urgent: Some(urgent.clone()),
        },
        wiring.clone(),
    )
    .map_err(|e| failed(codes::LISTEN, e.to_string()))?;
    let local = links.local_addr().map_err(internal)?;
    let listen = match options.outbound_only {
        true => String::new(),
        false => advertise::addresses(&options.advertise, local, &Interfaces::read())
            .join(&link::ADDRESS_SEPARATOR.to_string()),
    };
    hosting.attach(workers(), options.rate_limits, links.clone());
    hosting.keep_rechecking();
    if let Some(ImageAuthority { actor, .. }) = options.image_authority.clone() {
        let (appoints, named) = (hosting.clone(), actor.clone());
        let appointed = tokio::task::spawn_blocking(move || appoints.appoint_own(&named)).await;
        appointed.map_err(internal)?.map_err(|why| unappointed(&actor, &why))?;
    }

    let facts = NodeFacts {
        name: name.clone(),
        listen: listen.clone(),
        capabilities: options.capabilities.clone(),
        capabilities_version: 0,
        natives: natives(registry),
        images: images.held().map_err(unusable(&stored))?,
        load: Load::default(),
        hosted: Vec::new(),
        draining: false,
    };
    let member = Member::new(MemberConfig::default(), me, facts, seed()?);
    let seat = Seat { name: name.clone(), listen: listen.clone() };
    let known = identity.leaders().map_err(|e| of_data(e.code(), &e))?;
    let (ledger, listener) = match leads {
        true => open_ledger(&data, me, seat, leaders::alone(&known, me.id), &links, urgent).await?,
        false => (None, None),
    };
    let means = Means {
        hosting: hosting.clone(),
        links: links.clone(),
        images: images.clone(),
        tokens,
        ledger: ledger.clone(),
        leaders: Leaders::new(identity.clone(), links.clone(), known, connection),
        events: events.clone(),
    };
    let backend = Arc::new(NodeBackend {
        name: name.clone(),
        me,
        started: std::time::Instant::now(),
        identity: identity.clone(),
        events: events.clone(),
        hosting: hosting.clone(),
        images,
        links: links.clone(),
        listen: listen.clone(),
        names: Arc::default(),
        invitations: Arc::default(),
        pushing: Arc::default(),
        pending: Arc::default(),
        actor_pushes: Arc::default(),
        allow_actor_unload: options.allow_actor_unload,
        log_store: log_store.clone(),
        ledger: ledger.clone(),
    });
    if let Some(gate) = &gate {
        gate.open(backend.clone());
    }
    wiring.open(backend.clone());
    let memory = leads.then(|| tokio::spawn(memory::tend(links.clone())));
    let loads = tokio::spawn(backend.as_ref().clone().serve_loads(orders));
    let statuses = tokio::spawn(backend.as_ref().clone().serve_statuses(asks));
    let keeper = tokio::spawn(backend.as_ref().clone().keep_images());
    let driver = Driver::new(me, member, seed()?, means, started);
    let driver = tokio::spawn(driver.run(received, listener));
    let shipper = tokio::spawn(shipping::ship(name.clone(), me, outbox, log_store, links.clone(), events.clone()));
    let (stop_socket, socket_stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(socket.serve(backend, async move {
        // Either a word or the end of the sender.
        let _ = socket_stopped.await;
    }));
    let signals = tokio::spawn(leave_on_signal(events.clone()));

    until_joined(&events).await;
    if let Some(authority) = options.authority.clone().filter(|_| leads) {
        set_authority(&events, authority).await;
    }
    if *announce && !driver.is_finished() {
        // Where it listens itself is what a script that let it choose a port wants to know.
        let listens = if options.outbound_only { String::new() } else { local.to_string() };
        say_ready(options, &name, me, &listens)?;
        *announce = false;
    }
    let end = driver.await.map_err(internal)?;

    signals.abort();
    // Whoever asked for the end hears that it is coming.
    let _ = stop_socket.send(());
    let _ = tokio::join!(serving, wiring.drained());
    hosting.dismiss_own();
    let system = hosting.system().clone();
    let exited = tokio::task::spawn_blocking(move || system.shutdown(EXIT_MAX));
    if !matches!(exited.await, Ok(true)) {
        tracing::warn!("some actors did not exit in time");
    }
    shipper.abort();
    keeper.abort();
    loads.abort();
    statuses.abort();
    if let Some(memory) = memory {
        memory.abort();
    }
    if let Some(ledger) = ledger {
        ledger.shut_down().await;
    }
    links.shutdown().await;
    // Each holds the other: whoever starts again in this process needs the folder and the port.
    wiring.close();
    if let Some(gate) = gate {
        gate.close();
    }
    logging.detach();
    Ok(end)
}

/// Has a future spawn there what it spawns.
async fn spawning_on<F: Future>(runtime: &Handle, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let _there = runtime.enter();
        future.as_mut().poll(cx)
    })
    .await
}

/// Who this node is: as its folder says, else by joining with the token, else by founding a convention.
async fn identify(options: &UpOptions, folder: DataFolder, name: &str) -> Result<(Identity, Stays), Failed> {
    let token = match &options.join {
        Some(text) => Some(text.parse::<Token>().map_err(|e: TokenError| failed(e.code(), e.to_string()))?),
        None if options.await_invite && !folder.has_identity() => Some(await_invitation(options).await?),
        None => None,
    };
    let at = |part: &str| options.data.join(part).display().to_string();
    if folder.has_identity() {
        let identity = Identity::load(folder).map_err(|e| of_data(e.code(), &e))?;
        if token.is_some_and(|token| token.ca_digest != identity.ca_digest()) {
            let data = options.data.display();
            let message = format!("{data} belongs to another convention than the token: use an empty folder");
            return Err(failed(codes::ALREADY_JOINED, message));
        }
        if identity.role() == Role::Leader && !identity.can_admit() {
            let message =
                format!("{} is missing: a leader needs the key of the CA that it founded", at("identity/ca.key"));
            return Err(failed(codes::DATA_UNUSABLE, message));
        }
        return Ok((identity, Stays::default()));
    }
    if options.data.join(LEDGER).exists() {
        let message = format!("{} is missing, and {} belongs to it", at("identity"), at(LEDGER));
        return Err(failed(codes::DATA_UNUSABLE, format!("{message}: put it back, or use an empty folder")));
    }
    match token {
        Some(token) => {
            let from = match options.tcp_only {
                true => DialFrom::Tcp,
                false => DialFrom::Node { listen: options.listen, outbound_only: options.outbound_only },
            };
            let joined = identity::join(folder, &token, name, from).await;
            let Joined { identity, stays, .. } = joined.map_err(|e| of_data(e.code(), &e))?;
            if stays.sockets.is_none() {
                until_free(options.listen).await;
            }
            Ok((identity, stays))
        }
        None if options.outbound_only => {
            let message = "a node that only dials cannot found a convention: it needs --join TOKEN of one";
            Err(failed(codes::OUTBOUND_ONLY, message))
        }
        None => Ok((Identity::found(folder).map_err(|e| of_data(e.code(), &e))?, Stays::default())),
    }
}

/// The runtime of processes, where the operator allows them.
fn processes(options: &UpOptions, name: &str, allowed: &Arc<Allowed>) -> Result<Option<Arc<ProcessRuntime>>, Failed> {
    if !options.allow_process {
        return Ok(None);
    }
    let settings = ProcessSettings::new(&options.data, name, options.process_user.clone(), allowed.clone());
    let runtime = ProcessRuntime::new(settings).map_err(|e| of_data(codes::DATA_UNUSABLE, &e))?;
    match runtime.cage().lacks() {
        Some(lacks) => tracing::warn!(lacks, "processes of images are less caged than they could be"),
        None => tracing::info!("processes of images are allowed"),
    }
    Ok(Some(runtime))
}

/// Waits until a leader that knows the code has handed over a token.
async fn await_invitation(options: &UpOptions) -> Result<Token, Failed> {
    let code = InviteCode::of_folder(&options.data).map_err(|e| of_data(e.code(), &e))?;
    let waiting = link::invite::wait(options.listen, &code, |at| say_waiting(options, at, &code));
    let token = waiting.await.map_err(|e| failed(e.code(), e.to_string()))?;
    InviteCode::forget(&options.data).map_err(|e| of_data(e.code(), &e))?;
    until_free(options.listen).await;
    Ok(token)
}

/// The line that a node prints when it waits for an invitation.
#[derive(serde::Serialize)]
struct WaitingLine {
    waiting: bool,
    listen: String,
    code: String,
}

fn say_waiting(options: &UpOptions, at: SocketAddr, code: &InviteCode) {
    let waiting = WaitingLine { waiting: true, listen: at.to_string(), code: code.to_string() };
    let line = match serde_json::to_string(&waiting) {
        Ok(line) if options.json => line,
        _ => format!("waiting at {at}; at a leader: odeon invite {at} --code {code}"),
    };
    let mut out = std::io::stdout().lock();
    // Nobody has to read it.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Makes the ledger of a node that may lead, when this is its first start.
fn prepare_ledger(data: &std::path::Path) -> Result<(), Failed> {
    let (path, logs) = (data.join(LEDGER), data.join("logs"));
    // The log is begun after the ledger, so one without the other was taken away.
    if logs.exists() && !path.exists() {
        let message =
            format!("{} is missing, and {} shows that this leader has run before", path.display(), logs.display());
        return Err(failed(codes::DATA_UNUSABLE, format!("{message}: put it back, or found anew in an empty folder")));
    }
    Ledger::prepare(&path).map_err(|e| failed(e.code(), format!("{}: {}", path.display(), chain(&e))))
}

/// The ledger of a node that may lead, and the end of it that the driver has.
async fn open_ledger(
    data: &std::path::Path,
    me: NodeRef,
    seat: Seat,
    founds: bool,
    links: &Links,
    urgent: &Handle,
) -> Result<(Option<Ledger>, Option<Listener>), Failed> {
    let path = data.join(LEDGER);
    let (at, way) = (path.clone(), Arc::new(links.clone()));
    let opened = urgent.spawn(async move { Ledger::open(&at, me.id, seat, founds, way).await });
    let opened = opened.await.map_err(internal)?;
    let (ledger, listener) = opened.map_err(|e| failed(e.code(), format!("{}: {}", path.display(), chain(&e))))?;
    Ok((Some(ledger), Some(listener)))
}

async fn until_joined(events: &mpsc::Sender<Event>) {
    let joined = async {
        loop {
            let (end, leader) = oneshot::channel();
            if events.send(Event::Leader(end)).await.is_err() {
                return;
            }
            match leader.await {
                Ok(None) => tokio::time::sleep(JOIN_LOOK).await,
                _ => return,
            }
        }
    };
    if tokio::time::timeout(JOIN_WAIT, joined).await.is_err() {
        tracing::warn!("the leader does not answer; this node keeps trying");
    }
}

/// The flag is the word of the one who leads; what another leader's flag says is not taken.
async fn set_authority(events: &mpsc::Sender<Event>, authority: AuthoritySetting) {
    let (end, answer) = oneshot::channel();
    let operation = Box::new(Operation::SetAuthority(authority));
    // The driver answers, or has ended for a reason that is told elsewhere.
    if events.send(Event::Operation { operation, end }).await.is_ok()
        && let Ok(Answer::Refused { .. }) = answer.await
    {
        tracing::warn!("--authority is not applied, as another node leads: use `odeon authority set`");
    }
}

/// The line that a node prints when it is ready.
#[derive(serde::Serialize)]
struct Ready<'a> {
    ready: bool,
    node: String,
    name: &'a str,
    listen: &'a str,
    http: Option<String>,
    data: String,
}

fn say_ready(options: &UpOptions, name: &str, me: NodeRef, listen: &str) -> Result<(), Failed> {
    let data = options.data.display().to_string();
    let ready = Ready { ready: true, node: me.id.to_string(), name, listen, http: None, data };
    let line = if options.json {
        serde_json::to_string(&ready).map_err(internal)?
    } else {
        let at = if listen.is_empty() { "and only dials" } else { &format!("at {listen}") };
        format!("node {name} ({}) is ready {at}, data in {}", ready.node, ready.data)
    };
    let mut out = std::io::stdout().lock();
    // Nobody has to read it.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    Ok(())
}

/// Turns SIGINT and SIGTERM into leaving; a second one, or a leader that does not answer, ends without its word.
async fn leave_on_signal(events: mpsc::Sender<Event>) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::error!("signals cannot be taken: stop this node with `odeon shutdown`");
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    if events.send(Event::Leave).await.is_err() {
        return;
    }
    tokio::select! {
        () = tokio::time::sleep(LEAVE_MAX) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    // Refused only when the driver has ended, which is what is wanted.
    let _ = events.send(Event::Stop).await;
}

fn unappointed(actor: &str, why: &str) -> Failed {
    failed(codes::OWN_AUTHORITY_UNUSABLE, format!("--image-authority {actor}: {why}"))
}

fn natives(registry: &Registry) -> Vec<NativeActor> {
    registry.iter().map(|d| NativeActor { name: d.name.to_string(), required: d.required.to_vec() }).collect()
}

/// A thread for actors on each processor.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn origin(name: &str, me: NodeRef) -> Origin {
    Origin { name: name.to_owned(), incarnation: me.incarnation }
}

fn seed() -> Result<u64, Failed> {
    getrandom::u64().map_err(|e| failed(codes::INTERNAL, format!("no random numbers: {e}")))
}

/// What is wrong with a part of the data folder, which the error need not name.
fn unusable<E: std::error::Error + 'static>(part: &std::path::Path) -> impl FnOnce(E) -> Failed {
    move |error| {
        let Failed { code, message, .. } = of_data(codes::DATA_UNUSABLE, &error);
        let part = part.display().to_string();
        failed(code, if message.contains(&part) { message } else { format!("{part}: {message}") })
    }
}

fn log_unusable(error: SetupError) -> Failed {
    let code = match error {
        SetupError::File { .. } | SetupError::Journald(_) => codes::LOG_OUTPUT,
        SetupError::Filter { .. } | SetupError::Twice(_) => codes::INTERNAL,
    };
    failed(code, chain(&error))
}

fn internal(error: impl std::error::Error) -> Failed {
    failed(codes::INTERNAL, chain(&error))
}
