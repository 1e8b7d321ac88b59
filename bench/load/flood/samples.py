"""Frames whose answers tell them apart, made without the network: numbers at random in the shape of what crosses."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs import encode_frame, make_codec
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shared.wire.frame import Frame

COUNT = 8
_CODEC = "int8"
_OF_THE_REQUEST = {"frame_id", "stages_ms", "received"}
"""Keys of an answer that differ from one time to the next."""
_RELATIVE, _ABSOLUTE = 0.01, 5e-6
"""By how much one frame's answers may differ: other batches round otherwise, and probabilities are rounded to 1e-6."""
_APART = 4
"""Two frames' answers differ by so many times as much."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A frame, which is sent with another id each time."""

    number: int
    frame: Frame

    def numbered(self, frame_id: int) -> bytes:
        return wire.pack(replace(self.frame, frame_id=frame_id))


def samples_for(description: Mapping[str, Any], split_point: str) -> list[Sample]:
    """Frames for the cloud that describes itself so. Raises RuntimeError if it does not serve this split point."""
    shapes = description["split_points"].get(split_point)
    if shapes is None:
        raise RuntimeError(
            f"no split point {split_point!r}; there are: {', '.join(description['split_points'])}"
        )
    shapes = shapes if isinstance(shapes[0], list) else [shapes]
    codec, found = make_codec(_CODEC), []
    for number in range(COUNT):
        chance = np.random.default_rng(number)
        scale = 0.25 * 2 ** (number / 2)
        crossing = [scale * np.abs(chance.standard_normal(shape)).astype(np.float32) for shape in shapes]
        frame = encode_frame(
            crossing, codec,
            split_point=split_point, fingerprint=bytes.fromhex(description["fingerprint"]), frame_id=0, deadline_ms=0,
        )  # fmt: skip
        found.append(Sample(number, frame))
    return found


def differ(found: Mapping[str, Any], expected: Mapping[str, Any], slack: float = 1) -> bool:
    """Whether two answers are to different frames, whatever the task: by what they name, or a number that is too far off."""
    one, other = (
        dict(_leaves({key: value for key, value in each.items() if key not in _OF_THE_REQUEST}))
        for each in (found, expected)
    )
    return one.keys() != other.keys() or any(_apart(one[place], other[place], slack) for place in one)


def require_distinct(answers: Sequence[Mapping[str, Any]]) -> None:
    """Raises RuntimeError if an answer could be taken for another frame's: nothing would be found out then."""
    for number, answer in enumerate(answers):
        if any(not differ(answer, other, _APART) for other in answers[:number]):
            raise RuntimeError(
                f"this network gives two frames the same answer ({json.dumps(answer)[:300]}); take another, or another split point"
            )


def _apart(one: Any, other: Any, slack: float) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) > slack * (_ABSOLUTE + _RELATIVE * max(abs(one), abs(other)))
    return bool(one != other)


def _leaves(tree: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, (*place, key))
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from _leaves(value, (*place, number))
    else:
        yield place, tree
