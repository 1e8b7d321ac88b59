"""calibrated-inter: `calibrated` for a stream of frames, in which a frame may need the one before it.

    keyframe   coded as `calibrated` codes it, every `interval` frames and whenever it is asked for
    others     their symbols are predicted from their own frame and from the history (history.py) that both sides keep

A frame names the history that it needs by its hash. Who has another one answers StateMissingError, and the next frame is a keyframe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.codecs.base import STATE_BYTES, Encoded
from shared.codecs.calibrated.codec import Calibrated, any_numbers
from shared.codecs.calibrated.profile import HASH_BYTES
from shared.errors import ContentError, ProfileContentError, StateMissingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.codecs.base import Codec
    from shared.codecs.calibrated.inter.history import History
    from shared.codecs.calibrated.profile import Profile
    from shared.wire.frame import Bytes

INTERVAL, MOST_INTERVAL = 50, 1000
MOST_STICKY = 100
NONE = bytes(STATE_BYTES)
"""The state that a keyframe names."""


class CalibratedInter(Calibrated):
    """The codec bound to a profile of format 4, or to none. It codes keyframes; the others are coded by a stream of it."""

    id = 17
    name = "calibrated-inter"
    inter = True

    def __init__(
        self,
        profile: Profile | None = None,
        number: int = 0,
        *,
        compiled: bool = True,
        interval: int = INTERVAL,
        sticky: int = 0,
    ) -> None:
        """`interval`: of keyframes, in frames; `sticky`: hundredths of a step by which a value must leave its cell, to be another symbol.

        Raises ProfileContentError, LimitError.
        """
        super().__init__(profile, number, compiled=compiled)
        self._interval, self._sticky = interval, sticky
        if profile is not None:
            self._require_models()

    @classmethod
    def around(cls, codec: Codec) -> CalibratedInter:
        """The codec that a reader of the same profile's `calibrated` gives, sharing all that was built for it. Raises ContentError."""
        assert isinstance(codec, Calibrated)
        found = cls()
        found.__dict__.update(codec.__dict__)
        found._others = [cls.around(each) for each in found._others]
        try:
            found._require_models()
        except ProfileContentError as error:
            raise ContentError(str(error)) from None
        return found

    def _require_models(self) -> None:
        if not self._model.follows:
            assert self.profile is not None
            raise ProfileContentError(
                f"the profile {self.profile.name} says nothing of frames that follow each other: fit one for the codec {self.name} "
                "by `python -m edge calibrate --inter`"
            )

    def bind(self, profile: Profile) -> CalibratedInter:
        """The codec with a profile. Raises ProfileContentError or LimitError."""
        return CalibratedInter(profile, interval=self._interval, sticky=self._sticky)

    def options(self) -> dict[str, int]:
        return {"interval": self._interval, "sticky": self._sticky}

    def ranges(self) -> dict[str, tuple[int, int]]:
        return {"interval": (1, MOST_INTERVAL), "sticky": (0, MOST_STICKY)}

    def with_options(self, **options: int) -> Codec:
        found = CalibratedInter()
        found.__dict__.update(self.__dict__)
        found._interval, found._sticky = options["interval"], options["sticky"]
        return found

    def for_stream(self) -> Codec:
        return self if self.profile is None else _Stream(self, _Turn())

    def needs(self, params: bytes) -> bytes:
        state = self._split(params)[1]
        return b"" if state == NONE else state

    def encode(self, array: NDArray[np.float32]) -> Encoded:
        params, payload = super().encode(array)
        return Encoded(params + NONE, payload)

    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        digest, state = self._split(params)
        if state != NONE:
            raise _missing(state, None)
        return super().decode(digest, payload, shape)

    def nothing(self) -> History:
        """What is known after the cheapest keyframe, which has no payload: all symbols of it are zero."""
        return self._model.remember(*self._model.decode_symbols(b""), None)

    def decode_nothing(self, history: History) -> None:
        """Decode the cheapest frame that follows, for what it takes. Raises ContentError for values that are not finite."""
        with any_numbers():
            symbols = self._model.decode_symbols(b"", history)
            self._model.remember(*symbols, history)
            self._finished(self._model.values(*symbols), self._shape)

    def _split(self, params: bytes) -> tuple[bytes, bytes]:
        """The profile's digest, which only the first tensor of a crossing has, and the state. Raises ContentError."""
        if len(params) not in (STATE_BYTES, HASH_BYTES + STATE_BYTES):
            raise ContentError(
                f"{len(params)} bytes of parameters of the codec {self.name}",
                accepted={"parameter_bytes": [HASH_BYTES + STATE_BYTES, STATE_BYTES]},
            )
        return params[:-STATE_BYTES], params[-STATE_BYTES:]


@dataclass(eq=False)
class _Turn:
    """Which frames are keyframes: for all tensors of a stream at once."""

    forget: bool = True
    keyframe: bool = True
    """Whether the frame that is being encoded is one."""
    since: int = 0
    """Frames since the latest one."""

    def begin(self, interval: int) -> None:
        self.keyframe = self.forget or self.since >= interval
        if self.keyframe:
            self.forget, self.since = False, 0
        self.since += 1


class _Stream(CalibratedInter):
    """One tensor of one stream, in one direction."""

    def __init__(self, codec: CalibratedInter, turn: _Turn, sticky: int | None = None) -> None:
        self.__dict__.update(codec.__dict__)
        self._turn, self._sticky = turn, self._sticky if sticky is None else sticky
        self._history: History | None = None
        self._others = [_Stream(each, turn, self._sticky) for each in self._others]  # type: ignore[arg-type]

    def for_stream(self) -> Codec:
        return _Stream(self, _Turn())

    def forget(self) -> None:
        self._turn.forget = True

    def encode(self, array: NDArray[np.float32]) -> Encoded:
        profile = self._require(array.shape)
        if not self._number:
            self._turn.begin(self._interval)
        history = None if self._turn.keyframe else self._history
        self._history = None
        try:
            symbols = self._model.quantise(self._travelling(array), history, self._sticky / 100)
            params, payload = self._encoded(profile, self._model.encode_symbols(*symbols, history))
            self._history = self._model.remember(*symbols, history)
        finally:
            if self._history is None:  # the frame is not sent, and others of its tensors may have been coded
                self.forget()
        return Encoded(params + (history.state if history else NONE), payload)

    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        before, self._history = (
            self._history,
            None,
        )  # whatever happens to this frame, it is not the next one's
        digest, state = self._split(params)
        self._check(digest, shape)
        history = before if state != NONE else None
        if state != NONE and (before is None or before.state != state):
            raise _missing(state, before)
        with any_numbers():
            symbols = self._model.decode_symbols(payload, history)
            values = self._finished(self._model.values(*symbols), shape)
        self._history = self._model.remember(*symbols, history)
        return values


def _missing(state: bytes, history: History | None) -> StateMissingError:
    found = history.state.hex() if history else "none"
    return StateMissingError(
        f"the frame needs the state {state.hex()}, and here is {found}: send a keyframe",
        accepted="a keyframe",
    )
