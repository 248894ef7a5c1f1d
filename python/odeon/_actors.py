"""Actor types, and what an actor can do while it handles a message."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Protocol, Sequence, Type, TypeVar

from ._messages import NODE, Address, Message, encode

T = TypeVar("T", bound=type)

#: The actor types of this image, by name.
TYPES: Dict[str, "ActorType"] = {}

#: Requirements that every node meets.
ANYONE: Mapping[str, Any] = {}

_LEVELS = ("trace", "debug", "info", "warn", "error")
#: Bytes of an image that go in one message.
_PIECE = 256 * 1024
_TOPICS = ("members", "capabilities", "images")


class Actor:
    """What handles messages. A subclass has ``receive``, or handlers marked with ``@odeon.handler``, or both."""

    def receive(self, message: Any, cx: "Context") -> None:
        """Handles a message that no handler is marked for. ``cx.name`` has the name of its type."""

    @classmethod
    def capability_check(cls, capabilities: "Capabilities", requirements: Mapping[str, Any]) -> bool:
        """Whether a node with these capabilities may host such an actor. What it reads is remembered."""
        return True


class ActorType:
    """An actor type as the node knows it."""

    def __init__(self, name: str, kind: Type[Any]) -> None:
        self.name = name
        self.kind = kind
        self.required: List[str] = list(getattr(kind, "_odeon_required", ()))
        self.handlers: Dict[str, Callable[[Any, Any, "Context"], None]] = {}
        for base in reversed(kind.__mro__):
            for method in vars(base).values():
                for message in getattr(method, "_odeon_handles", ()):
                    self.handlers[message] = method

    def handle(self, actor: Any, name: str, message: Any, cx: "Context") -> None:
        """Has an actor handle a message."""
        handles = self.handlers.get(name)
        if handles is not None:
            handles(actor, message, cx)
        else:
            actor.receive(message, cx)


def actor(kind: T) -> T:
    """Makes a class an actor type of this image, by its name."""
    name = kind.__name__
    if name in TYPES:
        raise ValueError(f"two actor types are named {name}")
    TYPES[name] = ActorType(name, kind)
    return kind


def require_capability(name: str) -> Callable[[T], T]:
    """Names a capability that must be true wherever the actor is to live. Stands below ``@odeon.actor``."""

    def mark(kind: T) -> T:
        kind._odeon_required = (name, *getattr(kind, "_odeon_required", ()))  # type: ignore[attr-defined]
        return kind

    return mark


def handler(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Marks the method that handles messages of this type: ``def told(self, message, cx)``."""

    def mark(method: Callable[..., None]) -> Callable[..., None]:
        method._odeon_handles = (*getattr(method, "_odeon_handles", ()), name)  # type: ignore[attr-defined]
        return method

    return mark


class Capabilities:
    """The capabilities of the node that a check is about. Every read is remembered, so ask for no more than you need."""

    def __init__(self, read: Callable[[str], Any]) -> None:
        self._read = read

    def __getitem__(self, key: str) -> Any:
        value = self._read(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: str) -> bool:
        return self._read(key) is not None

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a capability, or the default where the node does not have it."""
        value = self._read(key)
        return default if value is None else value

    def is_true(self, key: str) -> bool:
        """Whether the capability is there and not false."""
        return self._read(key) not in (None, False)


class Link(Protocol):
    """What a context says things through."""

    def say(self, frame: str, **fields: Any) -> None: ...

    def ask(self, actor: int, frame: str, **fields: Any) -> Any: ...


class Context:
    """Handed to every handler: the sender, and everything that an actor may do. No call waits for another actor."""

    def __init__(self, link: Link, actor: int, address: Address, sender: Address, name: str) -> None:
        self._link = link
        self._actor = actor
        #: The actor's own address.
        self.address = address
        #: Who sent the message.
        self.sender = sender
        #: The name of the message's type.
        self.name = name

    def send(self, to: str, message: Any) -> None:
        """Queues a message. Messages from this actor to one other arrive in the order of these calls."""
        name, data = encode(message)
        self._link.say("send", actor=self._actor, to=str(to), name=name, bytes=data)

    def reply(self, message: Any) -> None:
        """Answers the sender."""
        self.send(self.sender, message)

    def create(
        self,
        kind: Any,
        *,
        requirements: Mapping[str, Any] = ANYONE,
        image: Optional[str] = None,
        global_name: Optional[str] = None,
    ) -> Address:
        """Starts the creation of a child, by its class or the name of its type, in this actor's image unless another is
        named by its hash. The address can be used at once."""
        name = kind if isinstance(kind, str) else kind.__name__
        request = {
            "actor": name,
            "image": image,
            "requirements": dict(requirements),
            "global_name": global_name,
        }
        return Address(self._link.ask(self._actor, "create", request=request)["child"])

    def wakeup_after(self, seconds: float, payload: Any = None) -> int:
        """Sends this actor a message ``odeon.WakeupMessage`` after so long, with a payload if there is one. Returns the number
        of the wakeup, which its message has as ``wakeup``."""
        carried = None
        if payload is not None:
            name, data = encode(payload)
            carried = {"name": name, "bytes": data}
        delay_ms = max(0, round(seconds * 1000))
        number: int = self._link.ask(self._actor, "wakeup", delay_ms=delay_ms, payload=carried)["wakeup"]
        return number

    def cancel_wakeup(self, wakeup: int) -> None:
        """Has a wakeup not come; one that came, or is in the mailbox, is left alone."""
        self._link.say("cancel_wakeup", actor=self._actor, wakeup=wakeup)

    def defer(self) -> None:
        """Keeps the message that is being handled, if that ends well, until ``resume_deferred``. At most 4,096 messages of an
        actor are kept; one more goes back to its sender as ``odeon.PoisonMessage``."""
        self._link.say("defer", actor=self._actor)

    def resume_deferred(self) -> None:
        """Has all that was deferred come next, in its order."""
        self._link.say("resume_deferred", actor=self._actor)

    def request_status(self, of: str) -> None:
        """Asks how an actor is; the answer is a message ``odeon.ActorStatusReport``."""
        self.send(of, Message("odeon.ActorStatusRequest", None))

    def exit(self) -> None:
        """Exits once the current message is handled."""
        self._link.say("exit", actor=self._actor)

    def capabilities(self) -> Dict[str, Any]:
        """The capabilities of the node that hosts this actor."""
        found: Dict[str, Any] = self._link.ask(self._actor, "capabilities")["capabilities"]
        return found

    def update_capability(self, key: str, value: Any) -> None:
        """Sets a capability of the node that hosts this actor; with None it is removed."""
        self._link.say("update_capability", actor=self._actor, key=key, value=value)

    def watch(self, topic: str, on: bool = True) -> None:
        """Asks to be told of a topic, ``members``, ``capabilities`` or ``images``, or not any more."""
        if topic not in _TOPICS:
            raise ValueError(f"found the topic {topic!r}, expected one of {', '.join(_TOPICS)}")
        self._link.say("watch", actor=self._actor, topic=topic, on=on)

    def register_source_authority(self) -> None:
        """Asks to be the Source Authority; the convention's answer is in the log, in this actor's name."""
        self._link.say("register_source_authority", actor=self._actor)

    def load_source(self, image: bytes, signatures: Sequence[str] = ()) -> None:
        """Has an image loaded, as ``odeon image push`` does: the Source Authority decides on it. What became of it comes as a
        message ``odeon.SourceLoaded``: a map of ``pushed``, a hash, and ``outcome``, a map of one key, ``approved``,
        ``rejected`` or ``failed``. Signatures are the texts of their files."""
        for offset in range(0, len(image), _PIECE):
            piece = {"hash": "", "offset": offset, "bytes": bytes(image[offset : offset + _PIECE])}
            self.send(NODE, Message("odeon.SourceBytes", piece))
        self.send(NODE, Message("odeon.LoadSource", {"size_bytes": len(image), "signatures": list(signatures)}))

    def unload_source(self, hash: str) -> None:
        """Has an image unloaded, by its source hash, where the leader's operator lets actors do so. Answered with a message
        ``odeon.SourceUnloaded``: a map of ``hash`` and ``refusal``, which is None where it is unloaded."""
        self.send(NODE, Message("odeon.UnloadSource", {"hash": hash}))

    def request_node_status(self, of: Any = None) -> None:
        """Asks how the node of this actor is, or another one: ``of`` is the ``node`` of a message ``odeon.MemberJoined``. Answered
        with a message ``odeon.NodeStatusReport``: a map of ``of``, ``status`` and ``refusal``, one of which is None."""
        self.send(NODE, Message("odeon.NodeStatusRequest", {"of": of}))

    def log(self, level: str, text: str) -> None:
        """Logs a line that carries this actor's address; ``warn`` and ``error`` reach the leader."""
        if level not in _LEVELS:
            raise ValueError(f"found the level {level!r}, expected one of {', '.join(_LEVELS)}")
        self._link.say("log", actor=self._actor, level=level, text=text)

    def info(self, text: str) -> None:
        """Logs at level info."""
        self.log("info", text)

    def warn(self, text: str) -> None:
        """Logs at level warn."""
        self.log("warn", text)
