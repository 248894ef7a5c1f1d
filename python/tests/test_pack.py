"""MessagePack: what is written is what others write, and nothing that is read does harm."""

import random
import unittest

from odeon._pack import DEPTH_MAX, PackError, pack, unpack

#: Values with the bytes that the specification of MessagePack gives them.
KNOWN = [
    (None, "c0"),
    (False, "c2"),
    (True, "c3"),
    (0, "00"),
    (127, "7f"),
    (128, "cc80"),
    (256, "cd0100"),
    (65536, "ce00010000"),
    (1 << 32, "cf0000000100000000"),
    ((1 << 64) - 1, "cfffffffffffffffff"),
    (-1, "ff"),
    (-32, "e0"),
    (-33, "d0df"),
    (-129, "d1ff7f"),
    (-32769, "d2ffff7fff"),
    (-(1 << 63), "d38000000000000000"),
    (1.5, "cb3ff8000000000000"),
    ("", "a0"),
    ("a" * 31, "bf" + "61" * 31),
    ("a" * 32, "d920" + "61" * 32),
    ("a" * 256, "da0100" + "61" * 256),
    (b"", "c400"),
    (b"\x01" * 256, "c50100" + "01" * 256),
    ([], "90"),
    ([1, "x"], "9201a178"),
    ([0] * 16, "dc0010" + "00" * 16),
    ({}, "80"),
    ({"a": 1}, "81a16101"),
]


class Pack(unittest.TestCase):
    def test_values_have_the_bytes_of_the_specification(self) -> None:
        for value, expected in KNOWN:
            with self.subTest(expected=expected[:20]):
                self.assertEqual(pack(value).hex(), expected)
                self.assertEqual(unpack(bytes.fromhex(expected)), value)

    def test_long_things_come_back(self) -> None:
        for value in ["a" * 70000, b"b" * 70000, list(range(70000)), {str(n): n for n in range(70000)}]:
            self.assertEqual(unpack(pack(value)), value)

    def test_what_has_no_form_is_named(self) -> None:
        deep: list = []
        for _ in range(DEPTH_MAX + 1):
            deep = [deep]
        for value in [object(), {1: 2}, 1 << 64, -(1 << 63) - 1, deep]:
            with self.assertRaises(PackError):
                pack(value)

    def test_bytes_that_are_no_value_are_an_error_and_nothing_else(self) -> None:
        for data in ["", "c1", "a2 61", "92 01", "81 01 01", "d9 05 61", "c0 c0", "a1 ff", "91" * (DEPTH_MAX + 2) + "c0"]:
            with self.subTest(data=data[:20]), self.assertRaises(PackError):
                unpack(bytes.fromhex(data))
        chance = random.Random(1)
        for _ in range(20000):
            data = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 12)))
            try:
                pack(unpack(data))
            except PackError:
                pass
