"""MessagePack, as far as Odeon uses it: no extension types, keys of maps are text.

Small enough to travel in every image, so that a node needs nothing but Python.
"""

from __future__ import annotations

import struct
from typing import Any

#: Lists and maps inside each other.
DEPTH_MAX = 64


class PackError(ValueError):
    """A value that has no form in MessagePack, or bytes that are none."""


def pack(value: Any) -> bytes:
    """The bytes of a value."""
    out = bytearray()
    _pack(value, out, 0)
    return bytes(out)


def _pack(value: Any, out: bytearray, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise PackError(f"lists and maps inside each other, more than {DEPTH_MAX} deep")
    if value is None:
        out.append(0xC0)
    elif value is True:
        out.append(0xC3)
    elif value is False:
        out.append(0xC2)
    elif isinstance(value, int):
        _pack_int(value, out)
    elif isinstance(value, float):
        out += struct.pack(">Bd", 0xCB, value)
    elif isinstance(value, str):
        text = value.encode("utf-8")
        _head(len(text), out, (0xA0, 31), (0xD9, 0xDA, 0xDB))
        out += text
    elif isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        _head(len(data), out, None, (0xC4, 0xC5, 0xC6))
        out += data
    elif isinstance(value, (list, tuple)):
        _head(len(value), out, (0x90, 15), (None, 0xDC, 0xDD))
        for item in value:
            _pack(item, out, depth + 1)
    elif isinstance(value, dict):
        _head(len(value), out, (0x80, 15), (None, 0xDE, 0xDF))
        for key, item in value.items():
            if not isinstance(key, str):
                raise PackError(f"a map with the key {key!r}, which is not text")
            _pack(key, out, depth + 1)
            _pack(item, out, depth + 1)
    else:
        raise PackError(f"a {type(value).__name__} is no value that can be sent")


def _pack_int(value: int, out: bytearray) -> None:
    if 0 <= value <= 0x7F:
        out.append(value)
    elif -32 <= value < 0:
        out.append(value & 0xFF)
    elif 0 <= value < 1 << 64:
        for code, width, form in ((0xCC, 8, ">BB"), (0xCD, 16, ">BH"), (0xCE, 32, ">BI"), (0xCF, 64, ">BQ")):
            if value < 1 << width:
                out += struct.pack(form, code, value)
                return
    elif -(1 << 63) <= value < 0:
        for code, width, form in ((0xD0, 8, ">Bb"), (0xD1, 16, ">Bh"), (0xD2, 32, ">Bi"), (0xD3, 64, ">Bq")):
            if value >= -(1 << (width - 1)):
                out += struct.pack(form, code, value)
                return
    else:
        raise PackError(f"the number {value} does not fit into 64 bits")


def _head(size: int, out: bytearray, fix: tuple[int, int] | None, codes: tuple[int | None, int, int]) -> None:
    """The first bytes of something that has a size."""
    one, two, four = codes
    if fix is not None and size <= fix[1]:
        out.append(fix[0] | size)
    elif one is not None and size <= 0xFF:
        out += struct.pack(">BB", one, size)
    elif size <= 0xFFFF:
        out += struct.pack(">BH", two, size)
    elif size <= 0xFFFFFFFF:
        out += struct.pack(">BI", four, size)
    else:
        raise PackError(f"a value of {size} parts")


def unpack(data: bytes) -> Any:
    """The value that bytes are, to their last one."""
    reader = _Reader(data)
    value = reader.value(0)
    if reader.at != len(data):
        raise PackError(f"{len(data) - reader.at} bytes follow a value")
    return value


_NUMBERS = {
    0xCA: ">f",
    0xCB: ">d",
    0xCC: ">B",
    0xCD: ">H",
    0xCE: ">I",
    0xCF: ">Q",
    0xD0: ">b",
    0xD1: ">h",
    0xD2: ">i",
    0xD3: ">q",
}
_TEXTS = {0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
_BYTES = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I"}
_LISTS = {0xDC: ">H", 0xDD: ">I"}
_MAPS = {0xDE: ">H", 0xDF: ">I"}


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise PackError("a value that is cut")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode("utf-8")
        except UnicodeDecodeError as error:
            raise PackError(f"text that is not UTF-8: {error}") from error

    def items(self, count: int, depth: int) -> list[Any]:
        return [self.value(depth + 1) for _ in range(count)]

    def entries(self, count: int, depth: int) -> dict[str, Any]:
        found = {}
        for _ in range(count):
            key = self.value(depth + 1)
            if not isinstance(key, str):
                raise PackError(f"a map with the key {key!r}, which is not text")
            found[key] = self.value(depth + 1)
        return found

    def value(self, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise PackError(f"lists and maps inside each other, more than {DEPTH_MAX} deep")
        code = self.take(1)[0]
        if code <= 0x7F:
            return code
        if code >= 0xE0:
            return code - 0x100
        if code <= 0x8F:
            return self.entries(code & 0x0F, depth)
        if code <= 0x9F:
            return self.items(code & 0x0F, depth)
        if code <= 0xBF:
            return self.text(code & 0x1F)
        if code == 0xC0:
            return None
        if code in (0xC2, 0xC3):
            return code == 0xC3
        if code in _NUMBERS:
            return self.number(_NUMBERS[code])
        if code in _TEXTS:
            return self.text(self.number(_TEXTS[code]))
        if code in _BYTES:
            return self.take(self.number(_BYTES[code]))
        if code in _LISTS:
            return self.items(self.number(_LISTS[code]), depth)
        if code in _MAPS:
            return self.entries(self.number(_MAPS[code]), depth)
        raise PackError(f"the first byte {code:#04x} is none of a value")
