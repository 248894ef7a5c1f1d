"""Actors that misbehave inside an image, for the tests of the process runtime. Those of tests/guest, and some more."""

import os
import signal
import socket
import sys
import time

import odeon


def try_to(what):
    """What became of an attempt to get out of the cage."""
    try:
        return str(what())
    except OSError as error:
        return type(error).__name__


def read(path):
    with open(path, "rb") as file:
        return len(file.read())


def write(path):
    with open(path, "w") as file:
        return file.write("x")


@odeon.actor
class Rogue(odeon.Actor):
    def __init__(self):
        self.count = 0

    @odeon.handler("odeon.ActorExitRequest")
    def asked_to_exit(self, _, cx):
        cx.info("asked to exit")

    def receive(self, what, cx):
        if isinstance(what, dict) and "Many" in what:
            for _ in range(what["Many"]["count"]):
                cx.reply("x" * what["Many"]["bytes"])
        elif isinstance(what, dict):
            ((action, path),) = what.items()
            cx.reply(try_to(lambda: {"read": read, "write": write, "list": os.listdir}[action](path)))
        elif what == "count":
            self.count += 1
            cx.reply(self.count)
        elif what == "loop":
            while True:
                pass
        elif what == "allocate":
            taken = []
            while True:
                taken.append(b"x" * (1 << 24))
        elif what == "fail":
            raise RuntimeError("told to fail")
        elif what == "exit the process":
            os._exit(3)
        elif what == "kill yourself":
            os.kill(os.getpid(), signal.SIGKILL)
        elif what == "pid":
            cx.reply(os.getpid())
        elif what == "sleep":
            time.sleep(1)
            cx.reply("slept")
        elif what == "print":
            print("to output")
            print("to error", file=sys.stderr)
            cx.log("error", "to the log")
        elif what == "flood":
            for number in range(5000):
                print("line", number, file=sys.stderr)
            cx.reply("flooded")
        elif what == "nonsense":
            os.write(SOCKET, b"\x00\x00\x00\x02\xc0\xc0")
            time.sleep(5)
        elif what == "oversize":
            os.write(SOCKET, b"\xff\xff\xff\xff")
            time.sleep(5)
        elif what == "children":
            cx.reply([leave_behind(), leave_behind(twice=True)])
        elif what == "fork bomb":
            while True:
                try:
                    os.fork()
                except OSError:
                    pass
        elif what == "look around":
            cx.reply(
                {
                    "variables": sorted(os.environ),
                    "socket": try_to(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
                    "unix": try_to(lambda: socket.socket(socket.AF_UNIX)),
                    "signal": try_to(lambda: os.kill(1, 0)),
                    "files": sorted(int(number) for number in open_files()),
                    "session": os.getsid(0) == os.getpid(),
                    "folder": os.getcwd(),
                    "title": sys.argv[1:],
                    "scratch": try_to(lambda: write(os.path.join(os.environ["TMPDIR"], "x"))),
                    "own": try_to(lambda: write(os.path.join(os.getcwd(), "x"))),
                }
            )
        elif what == "everything":
            everything(cx)
        elif what == "child":
            cx.create("Rogue")
        elif what == "failing child":
            cx.create("ConstructorFails")
        else:
            cx.reply(f"told {what}")

    @odeon.handler("odeon.ChildActorExited")
    def child_exited(self, exited, cx):
        cx.warn(f"child exited: {exited['reason']}")


def open_files():
    found = []
    for number in range(64):
        try:
            os.fstat(number)
            found.append(number)
        except OSError:
            pass
    return found


def leave_behind(twice=False):
    """A process that wants to outlive this one, in a session of its own."""
    reads, writes = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if twice and os.fork() != 0:
            os._exit(0)
        os.write(writes, str(os.getpid()).encode())
        os.close(writes)
        time.sleep(600)
        os._exit(0)
    os.close(writes)
    pid = int(os.read(reads, 20))
    os.close(reads)
    return pid


def everything(cx):
    child = cx.create(
        "Rogue",
        requirements={"require": ["gpu"], "equal": {"zone": "eu"}},
        global_name="the-one",
        image="ab",
    )
    cx.send(child, cx.address)
    cx.wakeup_after(0.005)
    cx.cancel_wakeup(cx.wakeup_after(1, "payload"))
    cx.defer()
    cx.resume_deferred()
    cx.request_status(child)
    cx.update_capability("busy", True)
    cx.update_capability("idle", None)
    cx.watch("members")
    cx.watch("images", on=False)
    cx.register_source_authority()
    cx.reply(cx.capabilities()["zone"])
    cx.exit()


@odeon.actor
@odeon.require_capability("Has DB access")
class CheckReads(odeon.Actor):
    @classmethod
    def capability_check(cls, capabilities, requirements):
        return capabilities.get("zone") == "eu" and (not requirements["require"] or capabilities.is_true("gpu"))


@odeon.actor
class CheckPanics(odeon.Actor):
    @classmethod
    def capability_check(cls, capabilities, requirements):
        return capabilities["zone"]


@odeon.actor
class CheckLoops(odeon.Actor):
    @classmethod
    def capability_check(cls, capabilities, requirements):
        while True:
            pass


@odeon.actor
class ConstructorFails(odeon.Actor):
    def __init__(self):
        raise RuntimeError("not today")


@odeon.actor
class ConstructorLoops(odeon.Actor):
    def __init__(self):
        while True:
            pass


@odeon.actor
class Loader(odeon.Actor):
    """Has images loaded and unloaded, and says what became of it to whoever told it."""

    def __init__(self):
        self.reply_to = []

    @odeon.handler("Load")
    def load(self, load, cx):
        self.reply_to.append(load["reply_to"])
        cx.load_source(load["bytes"], load["signatures"])

    @odeon.handler("odeon.SourceLoaded")
    def loaded(self, loaded, cx):
        ((outcome, what),) = loaded["outcome"].items()
        cx.send(self.reply_to.pop(0), f"{outcome} {what.get('hash') or what['code']}")

    def receive(self, message, cx):
        self.reply_to.append(cx.sender)
        cx.unload_source(message["Unload"]["hash"])

    @odeon.handler("odeon.SourceUnloaded")
    def unloaded(self, unloaded, cx):
        cx.send(self.reply_to.pop(0), f"unloaded {unloaded['hash']}: {unloaded['refusal']}")


@odeon.actor
class Gauge(odeon.Actor):
    """Says how its node is."""

    def receive(self, _, cx):
        self.reply_to = cx.sender
        cx.request_node_status()

    @odeon.handler("odeon.NodeStatusReport")
    def report(self, report, cx):
        cx.send(self.reply_to, report)


# What a program that breaks the protocol writes to: the socket, once the library has moved it.
def socket_of(serve):
    import odeon._serve

    original = odeon._serve.serve

    def noted(connection, *rest):
        global SOCKET
        SOCKET = connection.fileno()
        original(connection, *rest)

    odeon._serve.serve = noted
    serve()


socket_of(odeon.run)
