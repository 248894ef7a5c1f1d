"""Actors over a socket, as a node talks to them."""

import contextlib
import io
import socket
import struct
import threading
import unittest
from typing import Any, Dict

from odeon import Actor, Message, ProtocolError
from odeon._actors import ActorType, require_capability, handler
from odeon._pack import pack, unpack
from odeon._serve import FRAME_BYTES_MAX, serve


class Counter(Actor):
    def __init__(self) -> None:
        self.count = 0

    def receive(self, message: Any, cx: Any) -> None:
        self.count += 1
        if message == "fail":
            raise ValueError("as told")
        if message == "everything":
            child = cx.create("Counter", requirements={"require": ["gpu"]}, global_name="the-one")
            cx.send(child, cx.address)
            cx.cancel_wakeup(cx.wakeup_after(0.25, "later"))
            cx.defer()
            cx.resume_deferred()
            cx.update_capability("busy", True)
            cx.watch("members")
            cx.warn("a line")
            cx.reply(cx.capabilities()["zone"])
            cx.exit()
            return
        cx.reply(self.count)

    @handler("Say")
    def say(self, say: Any, cx: Any) -> None:
        cx.send(say["to"], Message("Said", say["text"]))


@require_capability("Has DB access")
class Picky(Actor):
    def __init__(self) -> None:
        raise RuntimeError("not today")

    @classmethod
    def capability_check(cls, capabilities: Any, requirements: Any) -> bool:
        return capabilities.get("zone") == "eu" and (not requirements["require"] or capabilities.is_true("gpu"))


TYPES = {kind.__name__: ActorType(kind.__name__, kind) for kind in (Counter, Picky)}


class Node:
    """The node's end."""

    def __init__(self) -> None:
        self.socket, child = socket.socketpair()
        self.thread = threading.Thread(target=self.run, args=(child,), daemon=True)
        self.raised: Any = None
        self.thread.start()

    def run(self, child: socket.socket) -> None:
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                serve(child, TYPES, workers=2)
        except Exception as error:
            self.raised = error
        finally:
            child.close()

    def say(self, frame: str, **fields: Any) -> None:
        data = pack({frame: fields})
        self.socket.sendall(struct.pack(">I", len(data)) + data)

    def hear(self) -> Any:
        self.socket.settimeout(10)
        head = self.exactly(4)
        ((name, fields),) = unpack(self.exactly(struct.unpack(">I", head)[0])).items()
        return name, fields

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def end(self) -> Any:
        self.socket.close()
        self.thread.join(10)
        return self.raised


class Serve(unittest.TestCase):
    def node(self) -> Node:
        node = Node()
        node.say("hello", version_min=1, version_max=2, image="ab", node="n")
        name, hello = node.hear()
        self.assertEqual((name, hello["version"], hello["workers"]), ("hello", 2, 2))
        self.addCleanup(node.end)
        return node

    def receive(self, node: Node, value: Any, name: str = "string") -> None:
        node.say("receive", actor=1, address="act-me", sender="act-you", name=name, bytes=pack(value))

    def test_types_are_described_with_what_they_require(self) -> None:
        node = self.node()
        node.say("describe", call=7)
        expected = [{"name": "Counter", "required": []}, {"name": "Picky", "required": ["Has DB access"]}]
        self.assertEqual(node.hear(), ("described", {"call": 7, "actors": expected}))

    def test_an_actor_is_built_keeps_its_state_and_fails_alone(self) -> None:
        node = self.node()
        node.say("build", actor=1, name="Counter")
        self.assertEqual(node.hear(), ("built", {"actor": 1, "error": None}))
        for count in (1, 2):
            self.receive(node, "count")
            sent = {"actor": 1, "to": "act-you", "name": "integer", "bytes": pack(count)}
            self.assertEqual(node.hear(), ("send", sent))
            self.assertEqual(node.hear(), ("done", {"actor": 1, "error": None}))
        self.receive(node, "fail")
        self.assertEqual(node.hear(), ("done", {"actor": 1, "error": "ValueError: as told"}))
        self.receive(node, {"to": "act-x", "text": "hi"}, "Say")
        said = {"actor": 1, "to": "act-x", "name": "Said", "bytes": pack("hi")}
        self.assertEqual(node.hear(), ("send", said))
        self.assertEqual(node.hear()[0], "done")
        node.say("drop", actor=1)
        node.say("build", actor=2, name="Picky")
        self.assertEqual(node.hear(), ("built", {"actor": 2, "error": "RuntimeError: not today"}))
        node.say("build", actor=3, name="Nobody")
        self.assertIn("Nobody", node.hear()[1]["error"])

    def test_everything_that_an_actor_may_do_reaches_the_node(self) -> None:
        node = self.node()
        node.say("build", actor=1, name="Counter")
        node.hear()
        self.receive(node, "everything")
        request = {"actor": "Counter", "image": None, "requirements": {"require": ["gpu"]}, "global_name": "the-one"}
        self.assertEqual(node.hear(), ("create", {"actor": 1, "request": request}))
        node.say("created", actor=1, child="act-child")
        address = {"actor": 1, "to": "act-child", "name": "address", "bytes": pack("act-me")}
        self.assertEqual(node.hear(), ("send", address))
        payload = {"name": "string", "bytes": pack("later")}
        self.assertEqual(node.hear(), ("wakeup", {"actor": 1, "delay_ms": 250, "payload": payload}))
        node.say("wakeup", actor=1, wakeup=17)
        self.assertEqual(node.hear(), ("cancel_wakeup", {"actor": 1, "wakeup": 17}))
        self.assertEqual(node.hear(), ("defer", {"actor": 1}))
        self.assertEqual(node.hear(), ("resume_deferred", {"actor": 1}))
        self.assertEqual(node.hear(), ("update_capability", {"actor": 1, "key": "busy", "value": True}))
        self.assertEqual(node.hear(), ("watch", {"actor": 1, "topic": "members", "on": True}))
        self.assertEqual(node.hear(), ("log", {"actor": 1, "level": "warn", "text": "a line"}))
        self.assertEqual(node.hear(), ("capabilities", {"actor": 1}))
        node.say("capabilities", actor=1, capabilities={"zone": "eu"})
        self.assertEqual(node.hear()[1]["bytes"], pack("eu"))
        self.assertEqual(node.hear(), ("exit", {"actor": 1}))
        self.assertEqual(node.hear(), ("done", {"actor": 1, "error": None}))

    def test_a_check_reads_what_it_needs_and_no_more(self) -> None:
        node = self.node()

        def check(answers: Dict[str, Any], require: Any) -> Any:
            requirements = {"require": require, "equal": {}, "where": None, "prefer": []}
            node.say("check", call=3, actor="Picky", requirements=requirements)
            for key, value in answers.items():
                self.assertEqual(node.hear(), ("read", {"call": 3, "key": key}))
                node.say("capability", call=3, value=value)
            name, fields = node.hear()
            self.assertEqual(name, "checked")
            return fields["accepted"]

        self.assertTrue(check({"zone": "eu"}, []))
        self.assertFalse(check({"zone": None}, []))
        self.assertFalse(check({"zone": "eu", "gpu": False}, ["gpu"]))
        self.assertTrue(check({"zone": "eu", "gpu": 2}, ["gpu"]))

    def test_a_node_that_is_not_understood_is_not_served(self) -> None:
        other = Node()
        other.say("hello", version_min=3, version_max=4, image="ab", node="n")
        other.thread.join(10)
        self.assertIsInstance(other.raised, ProtocolError)
        long = Node()
        long.socket.sendall(struct.pack(">I", FRAME_BYTES_MAX + 1))
        long.thread.join(10)
        self.assertIsInstance(long.raised, ProtocolError)
        self.assertIsNone(self.node().end(), "the end of the socket is a good end")
