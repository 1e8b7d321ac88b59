"""A codec of streams that is no video: pictures, or their differences from the one before, packed by zlib."""

from __future__ import annotations

import threading
import zlib

import numpy as np

from shared.codecs.base import STATE_BYTES, Codec, Encoded
from shared.errors import StateMissingError

NONE = bytes(STATE_BYTES)


class Differences(Codec):
    """`decoded` are the arrays that a stream has given, in order, for a test to look at."""

    id = 250
    name = "differences"
    inter = True

    def __init__(self, carries="picture", interval=50):
        self.carries, self.interval = carries, interval
        self.made = []

    def options(self):
        return {"interval": self.interval}

    def for_stream(self):
        self.made.append(Stream(self.carries, self.interval))
        return self.made[-1]

    def encode(self, array):
        return self.for_stream().encode(array)

    def decode(self, params, payload, shape):
        return self.for_stream().decode(params, payload, shape)

    def needs(self, params):
        return b"" if params == NONE else params


class Stream(Differences):
    def __init__(self, carries, interval):
        super().__init__(carries, interval)
        self._forget = threading.Event()
        self._state, self._last, self._since = NONE, None, 0
        self.needed = []

    def forget(self):
        self._forget.set()

    def encode(self, array):
        keyframe = self._last is None or self._forget.is_set() or self._since >= self.interval
        self._forget.clear()
        params = NONE if keyframe else self._state
        self.needed.append(not keyframe)
        payload = zlib.compress((array if keyframe else array - self._last).tobytes())
        self._take(array, payload)
        self._since = 1 if keyframe else self._since + 1
        return Encoded(params, payload)

    def decode(self, params, payload, shape):
        if params not in (NONE, self._state):
            self._state = NONE
            raise StateMissingError("the frame before is not here")
        kind = np.uint8 if self.carries == "picture" else np.float32
        array = np.frombuffer(zlib.decompress(payload), kind).reshape(shape)
        array = array if params == NONE else (self._last + array).astype(kind)
        self._take(array, payload)
        return array

    def _take(self, array, payload):
        self._last = array.copy()
        self._state = (zlib.crc32(payload) or 1).to_bytes(STATE_BYTES, "little")
