//! What an actor can do while it handles a message.

#[cfg(not(target_family = "wasm"))]
use crate::definition::Definition;
#[cfg(target_family = "wasm")]
use crate::host::Host;
use crate::host::{CreateRequest, Level, Surroundings};
use crate::message::AnyMessage;
use crate::{
    ActorType, Address, LoadSource, Message, NodeRef, NodeStatusRequest, SOURCE_PIECE_BYTES_MAX, SourceBytes, Topic,
    UnloadSource, Wakeup,
};
#[cfg(not(target_family = "wasm"))]
use crate::{Failure, Pipe};
#[cfg(doc)]
use crate::{SourceLoaded, SourceUnloaded};
use odeon_capabilities::{CapabilityMap, Requirements, Value};
use std::sync::Arc;
use std::time::Duration;

/// Handed to every handler: the sender, and everything that an actor may do.
///
/// No call waits: a message is queued, a creation is started.
pub struct Context {
    host: Surroundings,
    sender: Address,
}

impl Context {
    /// A context for a message of `sender`. Only what runs actors makes one.
    pub fn new(host: Surroundings, sender: Address) -> Self {
        Self { host, sender }
    }

    /// Makes it the context of the next message.
    pub fn set_sender(&mut self, sender: Address) {
        self.sender = sender;
    }

    /// What runs the actor, for another context.
    #[cfg(all(feature = "system", not(target_family = "wasm")))]
    pub(crate) fn into_host(self) -> Surroundings {
        self.host
    }

    /// What runs this actor; for runtimes that hand the call on.
    pub fn host(&self) -> &Surroundings {
        &self.host
    }

    /// The actor's own address.
    pub fn my_address(&self) -> Address {
        self.host.address()
    }

    /// Who sent the message that is being handled.
    pub fn sender(&self) -> Address {
        self.sender
    }

    /// Queues a message. Messages from this actor to one other arrive in the order of these calls.
    pub fn send(&self, to: Address, message: impl Message) {
        self.host.send(to, AnyMessage::new(message));
    }

    /// Queues a message as it is, whatever its type.
    pub fn forward(&self, to: Address, message: &AnyMessage) {
        self.host.send(to, message.clone());
    }

    /// Answers the sender.
    pub fn reply(&self, message: impl Message) {
        self.send(self.sender, message);
    }

    /// Creates a child of a type that this program or image has.
    pub fn create_actor<A: ActorType>(&self) -> Create<'_> {
        Create {
            #[cfg(not(target_family = "wasm"))]
            linked: Some(Definition::of::<A>),
            ..self.create_named(A::NAME)
        }
    }

    /// Creates a child by the name of its type, in this actor's image unless another is chosen.
    pub fn create_named(&self, actor: impl Into<String>) -> Create<'_> {
        Create {
            host: &self.host,
            request: CreateRequest::named(actor),
            #[cfg(not(target_family = "wasm"))]
            linked: None,
        }
    }

    /// Sends this actor a `WakeupMessage` after `delay`. Any number may be pending; they come by the time they are due.
    pub fn wakeup_after(&self, delay: Duration) -> Wakeup {
        self.host.wakeup_after(delay, None)
    }

    /// Sends this actor a `WakeupMessage` that carries `payload` after `delay`.
    pub fn wakeup_after_with(&self, delay: Duration, payload: impl Message) -> Wakeup {
        self.host.wakeup_after(delay, Some(AnyMessage::new(payload)))
    }

    /// Has a wakeup of this actor not come. One that is in the mailbox already, or that came, is left alone: who must know
    /// compares [`crate::WakeupMessage::wakeup`].
    pub fn cancel_wakeup(&self, wakeup: Wakeup) {
        self.host.cancel_wakeup(wakeup);
    }

    /// Puts off the message that is being handled, once its handler has returned: it is given again, from the same sender,
    /// after [`Context::resume_deferred`]. A handler that fails defers nothing. What is still put off when the actor exits
    /// becomes dead letters. An actor that is built anew after a failure finds it all the same.
    ///
    /// At most 4,096 messages of an actor are; one more goes back to its sender as a `PoisonMessage`.
    ///
    /// ```
    /// use odeon::{Context, actor};
    ///
    /// /// Answers once it is open.
    /// #[derive(Default)]
    /// struct Shop {
    ///     is_open: bool,
    /// }
    ///
    /// #[actor]
    /// impl Shop {
    ///     #[handler]
    ///     fn open(&mut self, open: &bool, cx: &mut Context) {
    ///         self.is_open = *open;
    ///         cx.resume_deferred();
    ///     }
    ///
    ///     #[handler]
    ///     fn order(&mut self, order: &String, cx: &mut Context) {
    ///         match self.is_open {
    ///             true => cx.reply(format!("one {order}")),
    ///             false => cx.defer(),
    ///         }
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let system = odeon::system::ActorSystem::simple();
    /// let shop = system.create_actor::<Shop>()?;
    /// system.tell(shop, String::from("tea"));
    /// system.tell(shop, true);
    /// let answer = system.listen(std::time::Duration::ZERO).ok_or("no answer")?;
    /// assert_eq!(answer.message.get::<String>().map(String::as_str), Some("one tea"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn defer(&self) {
        self.host.defer();
    }

    /// Has all that was deferred come next, in the order in which it came, before what waits in the mailbox.
    pub fn resume_deferred(&self) {
        self.host.resume_deferred();
    }

    /// Asks how an actor is. The answer is an [`crate::ActorStatusReport`], also where it is stuck in a handler or gone. The
    /// actor itself does not notice.
    pub fn request_status(&self, of: Address) {
        self.host.request_status(of);
    }

    /// Makes this actor the one that is handed, as [`crate::DeadLetter`]s, what cannot be delivered in its system or node, or
    /// no more. The last that asks is it, until it exits. While it has thousands of messages it misses some.
    ///
    /// Only for actors that are linked into the program: one of an image would be handed messages that were never for it.
    pub fn handle_dead_letters(&self, on: bool) {
        self.host.handle_dead_letters(on);
    }

    /// Asks all actors of the system to exit, and creates no more. Nobody waits for it. A node is not shut down by an actor.
    pub fn shut_down_system(&self) {
        self.host.shut_down();
    }

    /// A handle by which threads and futures of the program send messages to this actor. Fails for actors of images.
    #[cfg(not(target_family = "wasm"))]
    pub fn pipe<M: Message>(&self) -> Result<Pipe<M>, Failure> {
        self.host.inlet().map(Pipe::new).ok_or_else(crate::pipe::unavailable)
    }

    /// Exits once the current message is handled.
    pub fn exit(&self) {
        self.host.exit();
    }

    /// The capabilities of the node that hosts this actor.
    pub fn capabilities(&self) -> Arc<CapabilityMap> {
        self.host.capabilities()
    }

    /// Sets a capability of the node that hosts this actor.
    pub fn update_capability(&self, key: impl Into<String>, value: impl Into<Value>) {
        self.host.update_capability(key.into(), Some(value.into()));
    }

    /// Removes a capability of the node that hosts this actor.
    pub fn remove_capability(&self, key: impl Into<String>) {
        self.host.update_capability(key.into(), None);
    }

    /// Asks to be told of a topic: of what is there now, then of every change once, until [`Context::unwatch`] or the
    /// actor's exit. The messages come from the actor's own address. Asked again, nothing is different.
    ///
    /// A system on its own (the bases `simple`, `threads` and `simulated`) is in no convention: nothing ever comes, and
    /// that is no error.
    ///
    /// ```
    /// use odeon::{Context, MemberJoined, MemberLost, Topic, actor};
    ///
    /// #[derive(Default)]
    /// struct Census {
    ///     there: Vec<String>,
    /// }
    ///
    /// #[actor]
    /// impl Census {
    ///     #[handler]
    ///     fn begin(&mut self, _: &String, cx: &mut Context) {
    ///         cx.watch(Topic::Members);
    ///     }
    ///
    ///     #[handler]
    ///     fn joined(&mut self, member: &MemberJoined, _: &mut Context) {
    ///         self.there.push(member.name.clone());
    ///     }
    ///
    ///     #[handler]
    ///     fn lost(&mut self, member: &MemberLost, _: &mut Context) {
    ///         self.there.retain(|name| *name != member.name);
    ///     }
    /// }
    /// ```
    pub fn watch(&self, topic: Topic) {
        self.host.watch(topic, true);
    }

    /// Asks not to be told of a topic any more. What is in the mailbox already still comes.
    pub fn unwatch(&self, topic: Topic) {
        self.host.watch(topic, false);
    }

    /// Asks to be the convention's Source Authority: to be sent a [`crate::ValidateSource`] for every image that is pushed
    /// from now on, and to decide on it. The last actor that asks is it, until its exit.
    ///
    /// Nobody is without an operator's permission (`odeon authority set actor`). What became of it is in the log, in the
    /// actor's name. A system on its own (the bases `simple`, `threads` and `simulated`) loads no images: nothing ever
    /// comes, and that is no error.
    ///
    /// ```
    /// use odeon::{Context, ValidateSource, ValidatedSource, actor};
    ///
    /// /// Lets in what is small.
    /// #[derive(Default)]
    /// struct Small;
    ///
    /// #[actor]
    /// impl Small {
    ///     #[handler]
    ///     fn begin(&mut self, _: &bool, cx: &mut Context) {
    ///         cx.register_source_authority();
    ///     }
    ///
    ///     #[handler]
    ///     fn validate(&mut self, image: &ValidateSource, cx: &mut Context) {
    ///         cx.reply(match image.size_bytes {
    ///             0..=1_000_000 => ValidatedSource::approved(&image.hash),
    ///             _ => ValidatedSource::rejected(&image.hash, "it is larger than a megabyte"),
    ///         });
    ///     }
    /// }
    /// ```
    pub fn register_source_authority(&self) {
        self.host.register_source_authority();
    }

    /// Has an image loaded, as `odeon image push` does: the Source Authority decides on it like on any other. What became of
    /// it comes as a [`SourceLoaded`].
    ///
    /// ```
    /// use odeon::{Context, LoadOutcome, SourceLoaded, actor};
    ///
    /// #[derive(Default)]
    /// struct Installer;
    ///
    /// #[actor]
    /// impl Installer {
    ///     #[handler]
    ///     fn install(&mut self, path: &String, cx: &mut Context) -> std::io::Result<()> {
    ///         cx.load_source(&std::fs::read(path)?, Vec::new());
    ///         Ok(())
    ///     }
    ///
    ///     #[handler]
    ///     fn loaded(&mut self, loaded: &SourceLoaded, cx: &mut Context) {
    ///         match &loaded.outcome {
    ///             LoadOutcome::Approved { hash, .. } => {
    ///                 cx.create_named("Hello").image(hash).start();
    ///             }
    ///             refused => cx.warn(format!("{} is not loaded: {refused:?}", loaded.pushed)),
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// `signatures` are those on it, and signed statements, as their files have them. A file that is larger than what an
    /// actor can hold is handed over piece by piece: see [`crate::LoadSource`]. A system on its own (the bases `simple`,
    /// `threads` and `simulated`) loads no images: no answer ever comes, and that is no error.
    pub fn load_source(&self, image: &[u8], signatures: Vec<String>) {
        let mut offset = 0;
        for piece in image.chunks(SOURCE_PIECE_BYTES_MAX) {
            let bytes = piece.to_vec();
            self.send(Address::NODE, SourceBytes { hash: String::new(), offset, bytes });
            offset += piece.len() as u64;
        }
        self.send(Address::NODE, LoadSource { size_bytes: offset, signatures });
    }

    /// Has an image unloaded, by its source hash, where the leader's operator lets actors do so. What became of it comes as a
    /// [`SourceUnloaded`].
    pub fn unload_source(&self, hash: impl Into<String>) {
        self.send(Address::NODE, UnloadSource { hash: hash.into() });
    }

    /// Asks the node that hosts this actor how it is. The answer is a [`crate::NodeStatusReport`].
    ///
    /// ```
    /// use odeon::{Context, NodeStatusReport, actor};
    ///
    /// #[derive(Default)]
    /// struct Gauge;
    ///
    /// #[actor]
    /// impl Gauge {
    ///     #[handler]
    ///     fn begin(&mut self, _: &String, cx: &mut Context) {
    ///         cx.request_node_status();
    ///     }
    ///
    ///     #[handler]
    ///     fn report(&mut self, report: &NodeStatusReport, cx: &mut Context) {
    ///         match &report.status {
    ///             Some(node) => cx.info(format!("{}: {} actors, {} messages wait", node.name, node.actors, node.queued)),
    ///             None => cx.warn(format!("{:?}", report.refusal)),
    ///         }
    ///     }
    /// }
    /// ```
    pub fn request_node_status(&self) {
        self.send(Address::NODE, NodeStatusRequest::default());
    }

    /// The same of another node, by what [`crate::MemberJoined`] says of it. Where that is not known within ten seconds
    /// the answer says why.
    pub fn request_node_status_of(&self, node: NodeRef) {
        self.send(Address::NODE, NodeStatusRequest { of: Some(node) });
    }

    /// Logs a line that carries this actor's address; warnings and errors reach the leader.
    pub fn log(&self, level: Level, message: impl AsRef<str>) {
        self.host.log(level, message.as_ref());
    }

    /// Logs at level info.
    pub fn info(&self, message: impl AsRef<str>) {
        self.log(Level::Info, message);
    }

    /// Logs at level warn.
    pub fn warn(&self, message: impl AsRef<str>) {
        self.log(Level::Warn, message);
    }
}

/// A creation being described; [`Create::start`] starts it.
#[must_use = "nothing is created before start()"]
pub struct Create<'a> {
    host: &'a Surroundings,
    request: CreateRequest,
    /// The definition of a type that is known when this is compiled; it never leaves the program.
    #[cfg(not(target_family = "wasm"))]
    linked: Option<fn() -> Definition>,
}

impl Create<'_> {
    /// What the node has to offer, beside the actor's own check.
    pub fn requirements(mut self, requirements: Requirements) -> Self {
        self.request.requirements = requirements;
        self
    }

    /// A name unique in the convention. Where an actor has it already, that one is the answer.
    pub fn global_name(mut self, name: impl Into<String>) -> Self {
        self.request.global_name = Some(name.into());
        self
    }

    /// An image other than the creator's, by its source hash.
    pub fn image(mut self, hash: impl Into<String>) -> Self {
        self.request.image = Some(hash.into());
        self
    }

    /// Starts the creation. The address can be used at once: what is sent to it waits for the actor.
    pub fn start(self) -> Address {
        #[cfg(not(target_family = "wasm"))]
        if let Some(linked) = self.linked
            // Another image has its own type of that name.
            && self.request.image.is_none()
        {
            return self.host.create_linked(self.request, linked);
        }
        self.host.create(self.request)
    }
}
