"""What the cloud knows of a stream of frames: the codec that has decoded the frame before, and what it is allowed to hold."""

from __future__ import annotations

import math
import threading
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

from cloud.bodies.frames import is_video
from cloud.frames.sessions.order import Order
from shared.codecs import codec_of
from shared.codecs.video.codec import Video
from shared.errors import CodecError, LimitError, WireError

if TYPE_CHECKING:
    from cloud.access.clients import Account
    from cloud.bodies.frames import Checked
    from cloud.bodies.video.decoders import VideoDecoders
    from cloud.bodies.video.stream import VideoStream
    from shared.codecs import Codec
    from shared.wire.frame import Frame

_NUMBER_BYTES = 4
"""What a decoder holds for each number of a tensor. What videos take, each in a process of its own, `VideoDecoders` bounds."""
MAX_CLIENT_STATE_BYTES = 128 << 20
MAX_STATE_BYTES = 1 << 30
MAX_CLIENT_STREAMS = 1024
"""Streams of one client that may hold something."""


def is_inter(frame: Frame) -> bool:
    """Whether a frame is of a stream whose frames may need the one before. Its codecs may be unknown here."""
    try:
        return any(codec_of(tensor).inter for tensor in frame.tensors)
    except CodecError:
        return False


def is_keyframe(frame: Frame) -> bool:
    """Whether a frame needs no other."""
    try:
        return not any(codec_of(tensor).needs(tensor.params) for tensor in frame.tensors)
    except WireError:
        return False


class Stream:
    """One stream. What decodes them is used by one thread at a time."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.order = Order()
        self.guard = threading.Lock()
        """Held while a frame is decoded, which may outlast its turn where nobody waits for it any more."""
        self.wanted = False
        """Whether a keyframe was asked for that has not been decoded."""
        self._root: Codec | None = None
        self._decoder: Codec | None = None
        self._video: VideoStream | None = None

    @property
    def profile(self) -> str:
        """The name of the profile that it decodes by; empty without one."""
        root = self._root
        return root.revision if root else ""

    def bound(self, checked: Checked) -> Checked:
        """The frame with the codecs of this stream. On a thread that holds the guard."""
        root = checked.codecs[0]
        if not root.inter or is_video(checked):
            return checked
        decoder = self._decoder
        if decoder is None or root is not self._root:
            self._root, self._decoder = root, (decoder := root.for_stream())
        codecs = [
            decoder.of_tensor(place) if codec.id == root.id else codec
            for place, codec in enumerate(checked.codecs)
        ]
        return checked._replace(codecs=tuple(codecs))

    def video(self, decoders: VideoDecoders, account: Account) -> VideoStream:
        """What decodes its pictures, in a process of their own. On the event loop."""
        if self._video is None:
            self._video = decoders.open(account)
        return self._video

    def forget(self) -> None:
        """Hold nothing: the next frame must be a keyframe. On the event loop."""
        self._root = self._decoder = None
        if self._video:
            self._video.close()
            self._video = None


class States:
    """How much all streams hold: bounded for each client and in all. Where it is full, the stream that was used longest ago forgets."""

    def __init__(
        self,
        most_of_one: int = MAX_CLIENT_STATE_BYTES,
        most: int = MAX_STATE_BYTES,
        streams: int = MAX_CLIENT_STREAMS,
    ) -> None:
        """Bytes of one client and in all, and `streams` of one client that hold any."""
        self._most_of_one, self._most, self._streams = most_of_one, most, streams
        self._held: dict[str, OrderedDict[Stream, int]] = {}
        self._sums: Counter[str] = Counter()
        self._total = 0

    def total(self) -> int:
        """Bytes that all of them hold, about."""
        return self._total

    def of(self, client: str) -> int:
        """The same of one client."""
        return self._sums[client]

    def require(self, frame: Frame) -> None:
        """Raise LimitError if a stream of such frames is too large for any client."""
        size = _size_of(frame)
        if size > self._most_of_one:
            raise LimitError(
                f"a stream of such frames holds {size} bytes", accepted={"max_bytes": self._most_of_one}
            )

    def use(self, client: str, stream: Stream, frame: Frame) -> None:
        """A frame of this stream was decoded."""
        size = _size_of(frame)
        self._remove(client, stream)
        own = self._held.get(client, ())
        while own and (len(own) >= self._streams or self._sums[client] + size > self._most_of_one):
            self._drop(client)
        while self._held and self._total + size > self._most:  # of the client that holds most, maybe this one
            self._drop(max(self._sums, key=self._sums.__getitem__))
        self._held.setdefault(client, OrderedDict())[stream] = size
        self._add(client, size)

    def fail(self, client: str, stream: Stream) -> None:
        """A frame of this stream was not decoded. One that held nothing before holds nothing now."""
        if stream not in self._held.get(client, ()):
            stream.forget()

    def leave(self, client: str, stream: Stream) -> None:
        """It has ended."""
        stream.forget()
        self._remove(client, stream)

    def _drop(self, client: str) -> None:
        self.leave(client, next(iter(self._held[client])))

    def _remove(self, client: str, stream: Stream) -> None:
        own = self._held.get(client)
        if own is None or stream not in own:
            return
        self._add(client, -own.pop(stream))
        if not own:
            del self._held[client], self._sums[client]

    def _add(self, client: str, size: int) -> None:
        self._sums[client] += size
        self._total += size


def _size_of(frame: Frame) -> int:
    if isinstance(codec_of(frame.tensors[0]), Video):
        return 0
    return _NUMBER_BYTES * sum(math.prod(tensor.shape) for tensor in frame.tensors)
