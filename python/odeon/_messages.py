"""Messages and addresses: values under the name of a type."""

from __future__ import annotations

from typing import Any, NamedTuple

from ._pack import pack, unpack


class Address(str):
    """The address of an actor: opaque text, to be kept, compared and sent to."""

    __slots__ = ()


#: Whichever node hosts the actor that sends there: it takes what is said to it of images.
NODE = Address("act-" + "a" * 52)


class Message(NamedTuple):
    """A value under the name of a type, by which actors in any language know it."""

    name: str
    value: Any


#: Names of types that a value has by itself.
_NAMES = ((Address, "address"), (str, "string"), (bool, "bool"), (int, "integer"), (float, "float"))


def name_of(value: Any) -> str:
    """The name that a value is sent under where none is chosen."""
    if value is None:
        return "null"
    for kind, name in _NAMES:
        if isinstance(value, kind):
            return name
    return "value"


def encode(message: Any) -> tuple[str, bytes]:
    """The name and the bytes of a message."""
    if isinstance(message, Message):
        return message.name, pack(message.value)
    return name_of(message), pack(message)


def decode(name: str, data: bytes) -> Any:
    """The value of a message."""
    value = unpack(data)
    return Address(value) if name == "address" and isinstance(value, str) else value
