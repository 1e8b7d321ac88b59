"""One setting's session: a stream's encoder at the edge, another object that decodes at the cloud, and between them bytes only."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.rate.streams.transit import DEADLINE_MS, Transit
from cloud.bodies.frames import Checked, work_with
from shared.codecs.coding import decode_tensors, encode_frame
from shared.errors import StateMissingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.codecs import Codec
    from shared.network.model import Model
    from shared.wire.frame import Frame


_FRAME_NS = 100_000_000
"""From one frame's capture to the next: it travels as a difference."""


class Sent(NamedTuple):
    """What one frame took."""

    tensor: NDArray[np.float32]
    """(1, …), as it arrived."""
    bytes: int
    """Those of the session's messages; WebSocket's framing and what is beneath it are not counted."""
    keyframe: bool
    encode_ms: float
    decode_ms: float


class StreamError(Exception):
    """A codec does not do what it says of its state, so what it is measured to take means nothing."""


class Session:
    """Frames in order, each decoded before the next is sent.

    A keyframe must decode alike without the frames before it, and the first frame that needs one must be refused without it.
    """

    def __init__(self, encoder: Codec, decoder: Codec, split_point: str, model: Model) -> None:
        """`encoder` and `decoder`: the codec on each side; what they share is what a profile's bytes say."""
        self._sending, self._receiving = encoder.for_stream(), decoder.for_stream()
        self._fresh = decoder.for_stream
        self.inter = encoder.inter
        if self.inter and len({id(each) for each in (encoder, self._sending, self._receiving)}) < 3:
            raise StreamError(f"{encoder.name}: both sides of a stream are one object")
        self._split_point, self._model = split_point, model
        self._transit = Transit(model.fingerprint)
        self._numbers = count()
        self._refused = False

    def send(self, array: NDArray[Any]) -> Sent:
        """One crossing, or one picture. Raises WireError, StreamError."""
        number = next(self._numbers)
        start = time.process_time()
        frame = encode_frame(
            [array],
            self._sending,
            split_point=self._split_point,
            fingerprint=self._model.fingerprint,
            frame_id=number,
            capture_time_ns=number * _FRAME_NS,
            deadline_ms=DEADLINE_MS,
        )
        messages = self._transit.send(frame)
        encoded = time.process_time()
        arrived = self._transit.receive(messages)
        tensor = self._decoded(arrived, self._receiving)
        decoded = time.process_time()
        keyframe = not any(self._receiving.needs(arrived.tensors[0].params))
        if not number and not keyframe:
            raise StreamError(f"{self._sending.name}: the first frame needs another")
        if self.inter:
            self._check(arrived, tensor, number, keyframe=keyframe)
        size = sum(map(len, messages))
        return Sent(tensor, size, keyframe, 1e3 * (encoded - start), 1e3 * (decoded - encoded))

    def _decoded(self, frame: Frame, decoder: Codec) -> NDArray[np.float32]:
        # Also video, which a cloud decodes in a process of its own: these bytes were made here.
        arrays = decode_tensors(frame, [decoder])
        (tensor,) = work_with(Checked(frame, (decoder,)), self._model, arrays).crossing
        return tensor

    def _check(self, frame: Frame, tensor: NDArray[np.float32], number: int, *, keyframe: bool) -> None:
        name = self._sending.name
        if keyframe:
            if not np.array_equal(self._decoded(frame, self._fresh()), tensor):
                raise StreamError(f"{name}: keyframe {number} decodes otherwise without the frames before it")
        elif not self._refused:
            self._refused = True
            try:
                self._decoded(frame, self._fresh())
            except StateMissingError:
                return
            raise StreamError(f"{name}: frame {number} is decoded without the state that it needs")
