"""Actors in Python for Odeon: what an image whose interpreter is python3 imports.

A class becomes an actor type by ``@odeon.actor``; ``odeon.run()`` serves all of them to the node::

    import odeon

    @odeon.actor
    class Hello(odeon.Actor):
        def receive(self, message, cx):
            cx.reply(f"{message} yes!")

    odeon.run()

An actor handles one message at a time. An exception in it rebuilds the actor and gives it the message once more; after
the second one the sender is told with a ``odeon.PoisonMessage``. Messages are values: None, bool, int, float, str, bytes,
list and dict, each under the name of a type. ``Message(name, value)`` chooses the name; else it is that of the value.
"""

from ._actors import (
    ANYONE,
    Actor,
    Capabilities,
    Context,
    actor,
    handler,
    require_capability,
)
from ._messages import NODE, Address, Message
from ._serve import ProtocolError, run

__all__ = [
    "ANYONE",
    "NODE",
    "Actor",
    "Address",
    "Capabilities",
    "Context",
    "Message",
    "ProtocolError",
    "actor",
    "handler",
    "require_capability",
    "run",
]
