"""h264, h265 and av1: pictures as a video."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from shared.codecs.base import Codec, Encoded
from shared.codecs.video.chain import NONE, Chain, needs
from shared.codecs.video.checks import check_payload, check_shape
from shared.codecs.video.kinds import DEFAULT_INTERVAL, INTERVAL, missing, require
from shared.codecs.video.passing import OPTION, SWITCH, Passing
from shared.errors import SettingsError, StateMissingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.codecs.video.decoding import Decoder
    from shared.codecs.video.encoding import Encoder
    from shared.codecs.video.kinds import Kind
    from shared.codecs.video.passing import Own
    from shared.wire.frame import Bytes


class Video(Codec):
    """uint8 (H, W, 3) RGB of any size as one picture of a video, 4:2:0 of 8 bits.

    `quality` is the encoder's constant rate factor: lower is better. `interval`: a keyframe at least every so many pictures.
    `passthrough` (0, 1): where the camera has coded a picture like this itself, those bytes travel.

    `decode` runs FFmpeg in this process, which is for what this process has encoded itself, and for tests.
    """

    carries = "picture"
    inter = True

    def __init__(
        self,
        codec_id: int,
        kind: Kind,
        quality: int | None = None,
        interval: int = DEFAULT_INTERVAL,
        passthrough: int = 0,
    ) -> None:
        self.id = codec_id
        self.name = kind.name
        self.kind = kind
        self._quality = kind.default_quality if quality is None else quality
        self._interval = interval
        self._passthrough = passthrough

    def encode(self, array: NDArray[np.uint8]) -> Encoded:
        """A keyframe, by an encoder of its own."""
        return self.for_stream().encode(array)

    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        """The picture of a keyframe. Raises StateMissingError for another one."""
        if needs(params, self.name):
            raise StateMissingError(
                f"this {self.name} picture needs the one before, and comes outside of a stream: only a keyframe can"
            )
        return self.for_stream().decode(params, payload, shape)

    def for_stream(self) -> Codec:
        return VideoStream(self.id, self.kind, **self.options())

    def needs(self, params: bytes) -> bytes:
        return needs(params, self.name)

    def options(self) -> dict[str, int]:
        options = {"quality": self._quality, "interval": self._interval}
        return options | {OPTION: self._passthrough} if self.kind.passes else options

    def ranges(self) -> dict[str, tuple[int, int]]:
        ranges = {"quality": self.kind.quality, "interval": INTERVAL}
        return ranges | {OPTION: SWITCH} if self.kind.passes else ranges

    def with_options(self, **options: int) -> Codec:
        """Raises SettingsError if what it takes is not installed."""
        if why := missing(self.kind):
            raise SettingsError(why)
        return Video(self.id, self.kind, **options)


class VideoStream(Video):
    """One direction of one stream."""

    def __init__(self, codec_id: int, kind: Kind, quality: int, interval: int, passthrough: int = 0) -> None:
        super().__init__(codec_id, kind, quality, interval, passthrough)
        self._passing = Passing(kind)
        self._chain = Chain()
        self._forget = threading.Event()
        self._encoder: Encoder | None = None
        self._decoder: Decoder | None = None
        self._shape: tuple[int, ...] = ()
        self._since = 0

    def forget(self) -> None:
        self._forget.set()

    def offer(self, own: Own | None) -> None:
        """What the camera has made of the picture that is encoded next, all of which it shows; None: nothing."""
        if self._passthrough:
            self._passing.offer(own)

    def encode(self, array: NDArray[np.uint8]) -> Encoded:
        """The next picture. Raises ContentError, after which the next one is a keyframe."""
        encoder, self._encoder = self._encoder, None
        check_shape(array.shape, self.name)
        if forgotten := self._forget.is_set():
            self._forget.clear()  # only then: one that comes between the two would be lost
        changed = array.shape != self._shape
        passed = self._passing.take(array.shape, begins=forgotten or changed)
        if passed:  # the encoder's last picture is not what the next one would follow
            payload, keyframe, encoder = *passed, None
        else:
            keyframe = encoder is None or forgotten or changed or self._since >= self._interval
            if encoder is None or changed:
                encoder = self._made(array.shape)
            payload = encoder.encode(array, keyframe=keyframe)
        params = NONE if keyframe else self._chain.state
        if keyframe:
            self._chain.begin(payload, array.shape)
            self._since = 0
        else:
            self._chain.follow(payload)
        self._encoder, self._shape = encoder, array.shape
        self._since += 1
        return Encoded(params, payload)

    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        """The next picture. Raises WireError, after which only a keyframe can be decoded."""
        decoder, self._decoder = self._decoder, None
        try:
            keyframe = self._chain.require(params, shape, self.name)
            data = check_payload(self.kind, payload, shape, keyframe=keyframe)
            if keyframe or decoder is None:
                decoder = self._made_decoder(shape)
            picture = decoder.decode(data)
        except BaseException:
            self._chain.forget()
            raise
        if keyframe:
            self._chain.begin(data, shape)
        else:
            self._chain.follow(data)
        self._decoder = decoder
        return picture

    def _made(self, shape: tuple[int, ...]) -> Encoder:
        require(self.kind)
        from shared.codecs.video.encoding import Encoder  # noqa: PLC0415 - PyAV takes long to load

        return Encoder(self.kind, shape, self._quality)

    def _made_decoder(self, shape: tuple[int, ...]) -> Decoder:
        require(self.kind)
        from shared.codecs.video.decoding import Decoder  # noqa: PLC0415

        return Decoder(self.kind, shape)
