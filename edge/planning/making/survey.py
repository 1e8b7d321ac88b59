"""Measures what every option costs on this machine.

One pass over the network for each picture gives all split points at once.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.planning.planner import Option
from shared.codecs import encode_frame
from shared.engines.telling import stacked, telling_task
from shared.errors import WireError
from shared.network.partition import INPUT, OUTPUT
from shared.tasks.agreement import joined
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from shared.codecs.base import Codec
    from shared.engines.half import Half, Tensors
    from shared.engines.segmented import Segmented
    from shared.network.model import Model
    from shared.tasks.agreement import Agreement
    from shared.tasks.base import Task

Codecs = dict[str, dict[str, "Codec"]]
"""Codecs by split point and name; `output` has none."""

_log = logging.getLogger(__name__)

MIN_PICTURES = 8
MAX_SECONDS = 20.0
"""No further picture is begun after so long, once there were enough."""
_BATCH = 8
_INTERVAL = 50
"""From one keyframe to the next, at most, of a codec of streams that does not say."""


@dataclass
class _Way:
    """Measurements of one split point and codec."""

    codec: Codec
    encoder: Codec
    decoder: Codec
    encode_s: list[float] = field(default_factory=list)
    decode_s: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    keyframes: list[int] = field(default_factory=list)
    """Sizes of frames of a stream that need no other; `sizes` are the others'."""
    waiting: list[tuple[Tensors, Tensors]] = field(default_factory=list)
    """What the tail is to be given, and the unsplit network's outputs, both for one frame."""
    agreements: list[Agreement] = field(default_factory=list)


def survey(
    network: Segmented,
    model: Model,
    pictures: Sequence[NDArray[np.uint8]],
    codecs: Codecs,
    *,
    preprocess_s: float,
    run: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Option]:
    """Time, bytes and agreement of `codecs[split point][name]`, and of `output` if it is a key.

    `pictures`: (crop, crop, 3) uint8 RGB, at least one; as many are measured as fit into `MAX_SECONDS`. Every frame is
    encoded and decoded for real, and the tail runs on what was decoded. `preprocess_s` is added to every head's time. `run`: how many of
    the pictures follow each other in the source before the next ones are from elsewhere: a codec of streams begins anew there.
    """
    start = clock()
    ways = {
        (point, name): _Way(codec, codec.for_stream(), codec.for_stream())
        for point, each in codecs.items()
        for name, codec in each.items()
    }
    tails = {point.name: network.tail(point) for point in network.points}
    heads: defaultdict[str, list[float]] = defaultdict(list)
    whole, count = network.head(network.points[-1]), 0
    # The first run is slower, and is not to be measured: this one comes before all that are.
    task = telling_task(
        model, len(pictures), lambda number: whole((model.recipe.normalise(pictures[number])[None],))
    )
    for number, picture in enumerate(pictures):
        tensors = (model.recipe.normalise(picture)[None],)
        crossings: dict[str, Tensors] = {INPUT: tensors}
        for point, crossing, seconds in network.walk(tensors, clock):
            heads[point.name].append(seconds)
            crossings[point.name] = crossing
        count += 1
        for (name, codec), way in list(ways.items()):
            is_picture = way.codec.carries == "picture"
            arrays = [picture] if is_picture else [each[0] for each in crossings[name]]
            if number % run == 0:
                way.encoder.forget()
            try:
                way.waiting.append((_send(way, arrays, name, model, clock), crossings[OUTPUT]))
                if len(way.waiting) == _BATCH:
                    _compare(way, tails[name], task)
            except WireError as error:
                _leave_out(ways, name, codec, error)
        if count >= MIN_PICTURES and clock() - start > MAX_SECONDS:
            break
    for (name, codec), way in list(ways.items()):
        try:
            _compare(way, tails[name], task)
        except WireError as error:
            _leave_out(ways, name, codec, error)
    options = [_option(name, codec, way, heads, preprocess_s) for (name, codec), way in ways.items()]
    if OUTPUT in codecs:
        whole_s = statistics.median(heads[OUTPUT]) + preprocess_s
        options.append(Option(OUTPUT, None, whole_s, 0.0, 0.0, 0.0, 0.0, 1.0, count))
    _log.info("surveyed %d options on %d pictures in %.1f s", len(options), count, clock() - start)
    return options


def _send(
    way: _Way, arrays: Sequence[NDArray[Any]], point: str, model: Model, clock: Callable[[], float]
) -> Tensors:
    """Encode and decode a crossing, or one picture, as edge and cloud do; returns what the cloud's tail is given, of one frame.

    Frames of a stream go through both in order.
    """
    begin = clock()
    frame = encode_frame(
        arrays, way.encoder, split_point=point, fingerprint=model.fingerprint, frame_id=0, deadline_ms=1
    )
    data = wire.pack(frame)
    middle = clock()
    frame = wire.unpack(data)
    decoded = [
        way.decoder.of_tensor(number).decode(sent.params, sent.payload, sent.shape)
        for number, sent in enumerate(frame.tensors)
    ]
    if way.codec.carries == "picture":
        decoded = [model.recipe.normalise(each) for each in decoded]
    way.encode_s.append(middle - begin)
    way.decode_s.append(clock() - middle)
    first = frame.tensors[0]
    is_keyframe = way.codec.inter and not way.encoder.needs(first.params)
    (way.keyframes if is_keyframe else way.sizes).append(frame.payload_bytes)
    return tuple(np.array(each[None], np.float32) for each in decoded)


def _leave_out(ways: dict[tuple[str, str], _Way], point: str, codec: str, error: WireError) -> None:
    _log.warning("%s at %s is no choice: %s", codec, point, error)
    del ways[point, codec]


def _compare(way: _Way, tail: Half, task: Task) -> None:
    """Answer the frames that wait, and see what the answers have in common with the unsplit network's.

    Raises ContentError if one of them is none that the task can read.
    """
    if way.waiting:
        sent, expected = (stacked(list(each)) for each in zip(*way.waiting, strict=True))
        way.agreements.append(task.agreement(expected, tail(sent)))
        way.waiting = []


def _option(
    name: str, codec: str, way: _Way, heads: Mapping[str, list[float]], preprocess_s: float
) -> Option:
    whole_s = statistics.median(heads[OUTPUT])
    head_s = statistics.median(heads[name]) if name != INPUT else 0.0
    keyframe_bytes = statistics.mean(way.keyframes) if way.keyframes else 0.0
    return Option(
        split_point=name,
        codec=codec,
        head_s=head_s + preprocess_s,
        encode_s=statistics.median(way.encode_s),
        decode_s=statistics.median(way.decode_s),
        tail_s=max(0.0, whole_s - head_s),
        # Of a single picture there is no second one that could follow it.
        frame_bytes=statistics.mean(way.sizes) if way.sizes else keyframe_bytes,
        agreement=joined(way.agreements).share,
        frames=len(way.encode_s),
        keyframe_bytes=keyframe_bytes,
        interval=way.codec.options().get("interval", _INTERVAL) if way.codec.inter else 0,
    )
