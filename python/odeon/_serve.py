"""The end of the process protocol that a Python image has: docs/process.md of Odeon has the frames."""

from __future__ import annotations

import os
import queue
import socket
import struct
import sys
import threading
import traceback
from typing import Any, Callable, Dict, List, Optional

from ._actors import TYPES, ActorType, Capabilities, Context
from ._messages import Address, decode
from ._pack import PackError, pack, unpack

VERSION = 2
SOCKET_VARIABLE = "ODEON_SOCKET"
LIBRARY = "python odeon 0.1.0"
#: Messages that are worked at the same time.
WORKERS = 4
WORKERS_MAX = 16
FRAME_BYTES_MAX = (16 << 20) + (64 << 10)
REASON_CHARACTERS_MAX = 1000


class ProtocolError(Exception):
    """The node said what this library does not understand, or there is no node."""


class Link:
    """The socket to the node: frames out from any thread, frames in from one."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._waiting: Dict[int, "queue.SimpleQueue[Any]"] = {}

    def say(self, frame: str, **fields: Any) -> None:
        data = pack({frame: fields})
        if len(data) > FRAME_BYTES_MAX:
            raise PackError(f"a frame of {len(data)} bytes is longer than {FRAME_BYTES_MAX} bytes")
        with self._sending:
            self._connection.sendall(struct.pack(">I", len(data)) + data)

    def ask(self, actor: int, frame: str, **fields: Any) -> Any:
        answers: "queue.SimpleQueue[Any]" = queue.SimpleQueue()
        self._waiting[actor] = answers
        self.say(frame, actor=actor, **fields)
        return answers.get()

    def read(self, call: int, key: str) -> Any:
        # Calls and actors have numbers of their own.
        answers: "queue.SimpleQueue[Any]" = queue.SimpleQueue()
        self._waiting[-call] = answers
        self.say("read", call=call, key=key)
        return answers.get()["value"]

    def answer(self, asker: int, fields: Any) -> None:
        answers = self._waiting.pop(asker, None)
        if answers is not None:
            answers.put(fields)

    def hear(self) -> Optional[Dict[str, Any]]:
        """The next frame; None at the end."""
        head = self._exactly(4)
        if head is None:
            return None
        (length,) = struct.unpack(">I", head)
        if length > FRAME_BYTES_MAX:
            raise ProtocolError(f"a frame of {length} bytes is longer than {FRAME_BYTES_MAX} bytes")
        data = self._exactly(length)
        if data is None:
            return None
        frame = unpack(data)
        if not isinstance(frame, dict) or len(frame) != 1:
            raise ProtocolError("a frame that is not a map of one key")
        return frame

    def _exactly(self, size: int) -> Optional[bytes]:
        parts: List[bytes] = []
        while size > 0:
            part = self._connection.recv(min(size, 1 << 20))
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


class Serving:
    """The actors of this process."""

    def __init__(self, link: Link, types: Dict[str, ActorType]) -> None:
        self._link = link
        self._types = types
        self._actors: Dict[int, Any] = {}

    def work(self, name: str, fields: Dict[str, Any]) -> None:
        """Does one thing that the node asks for."""
        if name == "receive":
            error = self._outcome(lambda: self._receive(fields))
            self._link.say("done", actor=fields["actor"], error=error)
        elif name == "build":
            error = self._outcome(lambda: self._build(fields["actor"], fields["name"]))
            self._link.say("built", actor=fields["actor"], error=error)
        elif name == "check":
            accepted: List[bool] = []
            error = self._outcome(lambda: accepted.append(self._check(fields)))
            self._link.say("checked", call=fields["call"], accepted=accepted == [True], error=error)
        elif name == "describe":
            actors = [{"name": kind.name, "required": kind.required} for kind in self._types.values()]
            self._link.say("described", call=fields["call"], actors=actors)

    def forget(self, actor: int) -> None:
        """An actor is gone."""
        self._actors.pop(actor, None)

    @staticmethod
    def _outcome(handle: Callable[[], Any]) -> Optional[str]:
        """Why something failed; None where it did not."""
        try:
            handle()
        except (Exception, SystemExit) as error:  # What an actor raises is its failure, not that of the others.
            traceback.print_exc()
            text = "".join(traceback.format_exception_only(type(error), error)).strip()
            return text[:REASON_CHARACTERS_MAX]
        return None

    def _type(self, name: str) -> ActorType:
        if name not in self._types:
            raise ProtocolError(f"this image has no actor {name!r}")
        return self._types[name]

    def _build(self, actor: int, name: str) -> None:
        kind = self._type(name)
        self._actors[actor] = (kind, kind.kind())

    def _check(self, fields: Dict[str, Any]) -> bool:
        capabilities = Capabilities(lambda key: self._link.read(fields["call"], key))
        return bool(self._type(fields["actor"]).kind.capability_check(capabilities, fields["requirements"]))

    def _receive(self, fields: Dict[str, Any]) -> None:
        kind, actor = self._actors[fields["actor"]]
        address, sender = Address(fields["address"]), Address(fields["sender"])
        cx = Context(self._link, fields["actor"], address, sender, fields["name"])
        kind.handle(actor, fields["name"], decode(fields["name"], fields["bytes"]), cx)


def serve(connection: socket.socket, types: Dict[str, ActorType], workers: int = WORKERS) -> None:
    """Serves actor types over a socket until the node closes it."""
    if not 1 <= workers <= WORKERS_MAX:
        raise ValueError(f"found {workers} workers, expected 1 to {WORKERS_MAX}")
    link = Link(connection)
    hello = link.hear()
    if hello is None:
        return
    if "hello" not in hello:
        raise ProtocolError(f"the node said {next(iter(hello))}, expected hello")
    least, most = hello["hello"]["version_min"], hello["hello"]["version_max"]
    if not least <= VERSION <= most:
        raise ProtocolError(f"the node speaks versions {least} to {most} of the protocol, this library {VERSION}")
    link.say("hello", version=VERSION, workers=workers, library=LIBRARY)
    serving = Serving(link, types)
    messages: "queue.SimpleQueue[Any]" = queue.SimpleQueue()
    # Checks and constructors have a thread of their own: all others may wait for a child to be built.
    calls: "queue.SimpleQueue[Any]" = queue.SimpleQueue()

    def work(jobs: "queue.SimpleQueue[Any]") -> None:
        while True:
            serving.work(*jobs.get())

    for jobs in [messages] * workers + [calls]:
        threading.Thread(target=work, args=(jobs,), daemon=True).start()
    while True:
        frame = link.hear()
        if frame is None:
            return
        ((name, fields),) = frame.items()
        if name in ("created", "capabilities", "wakeup"):
            link.answer(fields["actor"], fields)
        elif name == "capability":
            link.answer(-fields["call"], fields)
        elif name == "drop":
            serving.forget(fields["actor"])
        elif name == "receive":
            messages.put((name, fields))
        else:
            calls.put((name, fields))


def run(workers: int = WORKERS) -> None:
    """Serves the actor types of this program to the node that started it, until the node closes the socket.

    Of each actor one message is worked at a time, of different actors ``workers`` at the same time, in threads.
    """
    number = os.environ.get(SOCKET_VARIABLE)
    if number is None:
        raise ProtocolError(f"{SOCKET_VARIABLE} is not set: a node starts this program, and nobody else")
    # The socket gets a place of its own, and whoever reads standard input finds nothing there.
    connection = socket.socket(fileno=os.dup(int(number)))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, int(number))
    os.close(null)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)
    serve(connection, TYPES, workers)
