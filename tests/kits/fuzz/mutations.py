"""Bytes and JSON, damaged at random: what a peer might send that nobody had in mind."""

from __future__ import annotations

import copy
import json
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

_BYTES = (0, 1, 0x0A, 0x20, 0x7F, 0x80, 0xFE, 0xFF)
_NUMBERS = (
    0,
    1,
    2,
    3,
    4,
    7,
    16,
    64,
    127,
    128,
    255,
    256,
    4096,
    0x7FFF,
    0xFFFF,
    1 << 24,
    0x7FFFFFFF,
    0xFFFFFFFF,
)
"""Where comparisons and products go wrong."""
_FORMS = ("<B", "<H", "<I", "<Q", ">H", ">I")
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 255, 65_536, 1 << 31, 1 << 63, 1 << 64, 10**400, -(10**30), 0.5, -0.0, 1e308, -1e-320,
    float("nan"), float("inf"), float("-inf"), "", "a", "0", "\x1b[2J", "a\nb", "\ud800", "é" * 40, "x" * 3000, "\u202e", "../../x",
    [], {}, [[]], [0] * 300, {"": None}, [[[[[[[[[[]]]]]]]]]],
)  # fmt: skip


def damaged(chance: random.Random, data: bytes, others: Sequence[bytes] = (b"",)) -> bytes:
    """`data` after one to six accidents; pieces of `others` may come in."""
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4, 6))):
        at = chance.randrange(len(found) + 1)
        length = chance.choice((1, 2, 4, 8, 16, 64, 256))
        match chance.randrange(9):
            case 0 if at < len(found):
                found[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(found):
                found[at] = chance.choice(_BYTES)
            case 2:
                form = chance.choice(_FORMS)
                number = chance.choice(_NUMBERS) & (256 ** struct.calcsize(form) - 1)
                found[at : at + struct.calcsize(form)] = struct.pack(form, number)
            case 3:
                del found[at : at + length]
            case 4:
                found[at:at] = found[at : at + length] * chance.choice((1, 2, 16))
            case 5:
                found[at:at] = chance.randbytes(length)
            case 6:
                found[at : at + length] = chance.randbytes(length)
            case 7:
                other = chance.choice(others)
                start = chance.randrange(len(other) + 1)
                found[at : at + length] = other[start : start + length]
            case _:
                if chance.random() < 0.2:  # most that is cut short is refused for nothing else
                    del found[at:]
    return bytes(found)


def bent(chance: random.Random, tree: Any) -> Any:
    """A JSON value with one to four of its places changed; `tree` stays as it is."""
    tree = json.loads(json.dumps(tree))
    for _ in range(chance.choice((1, 1, 2, 4))):
        places = _places(tree)
        if not places:
            return _value(chance)
        holder, key = chance.choice(places)
        match chance.randrange(8):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.insert(key, copy.deepcopy(holder[key]))
            case 2 if isinstance(holder, dict):
                holder[chance.choice(["", "a", "x" * 200, "\x1b", *holder])] = copy.deepcopy(holder[key])
            case 3 if isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
                holder[key] = chance.choice(
                    (-holder[key], holder[key] + 1, holder[key] - 1, str(holder[key]))
                )
            case 4 if isinstance(holder[key], str) and holder[key]:
                holder[key] = damaged(chance, holder[key].encode(errors="replace")).decode(
                    errors="surrogateescape"
                )
            case 5 if isinstance(holder[key], list):
                chance.shuffle(holder[key])
            case _:
                holder[key] = _value(chance)
    return tree


def as_json(chance: random.Random, tree: Any) -> bytes:
    """A bent tree as a body: mostly as JSON, NaN and Infinity among it as Python writes them; sometimes damaged as bytes, too."""
    data = json.dumps(bent(chance, tree)).encode()
    return damaged(chance, data) if chance.random() < 0.1 else data


def _value(chance: random.Random) -> Any:
    return copy.deepcopy(chance.choice(_VALUES))


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Where something can be changed: (list or object, its index or key)."""
    found: list[tuple[Any, Any]] = []
    left = [tree]
    while left and len(found) < 3000:
        holder = left.pop()
        keys = (
            list(holder)
            if isinstance(holder, dict)
            else list(range(len(holder)))
            if isinstance(holder, list)
            else []
        )
        for key in keys:
            found.append((holder, key))
            left.append(holder[key])
    return found
