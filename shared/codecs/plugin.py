"""A codec of another package, as the rest of SplitDNN sees it.

Its author chooses an id of 192 to 255 without registering it, so two packages may have the same one. Therefore its name travels
too: this wrapper writes it before the codec's own parameters and checks it before anything is decoded (shared/wire/WIRE.md).
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.base import Codec, Encoded, require_finite
from shared.errors import ContentError, SettingsError, WireError
from shared.limits import MAX_CODEC_NAME_BYTES
from shared.process.plugins import describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shared.wire.frame import Bytes

IDS = range(192, 256)
"""The ids of codecs that are not built in."""
_RESERVED = frozenset({"auto", "none"})
"""Names that mean something else in `--codec` and in the records."""


class PluginCodec(Codec):
    """`inner`, held to a codec's contract: any bytes give a valid array or a WireError, whatever the plug-in does."""

    def __init__(
        self, inner: Codec, revision: str = "", another_stream: Callable[[], Codec] | None = None
    ) -> None:
        """`revision`: the package and its version. `another_stream` makes a sibling of what `for_stream` gave, for another tensor.

        Raises ValueError, or what `inner` raises, if it cannot be used.
        """
        check(inner)
        self.id, self.name, self.carries = inner.id, inner.name, inner.carries
        self._inner = inner
        self._revision = revision
        self._options, self._ranges = dict(inner.options()), dict(inner.ranges())
        _check_options(self._options, self._ranges)
        name = self.name.encode()
        self._prefix = bytes([len(name)]) + name
        self._another_stream = another_stream
        self._tensors: dict[int, Codec] = {}

    @property
    def revision(self) -> str:
        return self._revision

    def encode(self, array: NDArray[Any]) -> Encoded:
        given = array.view()
        given.setflags(write=False)  # the edge may need the array again, to answer the frame itself
        try:
            params, payload = self._inner.encode(given)
            # Through a view, or a number would become as many zeros.
            return Encoded(self._prefix + bytes(memoryview(params)), bytes(memoryview(payload)))
        except WireError as error:
            _make_sendable(error)
            raise
        except (Exception, SystemExit) as error:  # an exit would end the process for the sake of one frame
            raise ContentError(f"the codec {self.name} cannot encode: {describe(error)}") from error

    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        if not params.startswith(self._prefix):
            raise ContentError(f"the parameters do not begin with the codec's name, {self.name}")
        try:
            array = self._inner.decode(params[len(self._prefix) :], payload, shape)
        except WireError as error:
            _make_sendable(error)
            raise
        except (Exception, SystemExit) as error:  # as above
            raise ContentError(f"the codec {self.name} cannot decode: {describe(error)}") from error
        wanted = np.dtype(np.float32 if self.carries == "tensor" else np.uint8)
        if not isinstance(array, np.ndarray) or (array.shape, array.dtype) != (shape, wanted):
            found = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array)
            raise ContentError(f"the codec {self.name} decoded {found}, not {wanted} of shape {shape}")
        if self.carries == "tensor":
            require_finite(array)
        return array

    def for_stream(self) -> Codec:
        return self._made(self._inner.for_stream, self.for_stream)

    def of_tensor(self, number: int) -> Codec:
        if number in self._tensors:
            return self._tensors[number]
        try:
            made: Codec = self._made(partial(self._inner.of_tensor, number))
            if made is self and number and self._another_stream:
                made = self._another_stream()
        except SettingsError as error:
            raise ContentError(str(error)) from error
        if made is not self:
            self._tensors[number] = made
        return made

    def options(self) -> dict[str, int]:
        return dict(self._options)

    def ranges(self) -> dict[str, tuple[int, int]]:
        return dict(self._ranges)

    def with_options(self, **options: int) -> Codec:
        return self._made(partial(self._inner.with_options, **options))

    def _made(
        self, make: Callable[[], Codec], another_stream: Callable[[], Codec] | None = None
    ) -> PluginCodec:
        """The codec that `inner` makes of itself. Raises SettingsError unless it is the same one: a user asked for it by name."""
        try:
            inner = make()
            made = self if inner is self._inner else PluginCodec(inner, self._revision, another_stream)
        except (Exception, SystemExit) as error:
            raise SettingsError(f"the codec {self.name} cannot be used: {describe(error)}") from error
        if (made.id, made.name, made.carries) != (self.id, self.name, self.carries):
            raise SettingsError(
                f"the codec {self.name} cannot be used: it becomes {made.name} (id {made.id})"
            )
        return made


def check(codec: object) -> None:
    """Raise ValueError, saying what is wrong, unless this can be a codec that is not built in."""
    if not isinstance(codec, Codec):
        raise ValueError(f"it gives a {type(codec).__name__}, not a shared.codecs.Codec")  # noqa: TRY004 - one kind for all
    name, number = getattr(codec, "name", None), getattr(codec, "id", None)
    if type(number) is not int or number not in IDS:
        raise ValueError(f"its id is {number!r}; accepted: {IDS[0]} to {IDS[-1]}")
    if not isinstance(name, str) or not name.isprintable() or not set(" :,").isdisjoint(name):
        raise ValueError(f"its name is {name!r}; accepted: printable characters without spaces, ':' and ','")
    if name in _RESERVED or not 1 <= len(name.encode()) <= MAX_CODEC_NAME_BYTES:
        raise ValueError(
            f"its name is {name!r}; accepted: 1 to {MAX_CODEC_NAME_BYTES} bytes, except {', '.join(sorted(_RESERVED))}"
        )
    if codec.carries not in ("tensor", "picture"):
        raise ValueError(f"it carries {codec.carries!r}; accepted: tensor, picture")


def name_in(params: bytes) -> str | None:
    """The codec's name at the beginning of a frame's parameters; None if there is none."""
    length = params[0] if params else 0
    if not 1 <= length <= min(MAX_CODEC_NAME_BYTES, len(params) - 1):
        return None
    try:
        return params[1 : 1 + length].decode()
    except UnicodeDecodeError:
        return None


def _check_options(options: dict[str, int], ranges: dict[str, tuple[int, int]]) -> None:
    """Raise ValueError unless every option is a whole number within a range of two."""
    if options.keys() != ranges.keys():
        raise ValueError(f"its options {[*options]} are not those of its ranges {[*ranges]}")
    for name, value in options.items():
        limits = ranges[name]
        if not isinstance(limits, tuple) or [type(number) for number in (value, *limits)] != [int] * 3:
            raise ValueError(
                f"its option {name} is {value!r} of {limits!r}, not a whole number of (lowest, highest)"
            )
        if not limits[0] <= value <= limits[1]:
            raise ValueError(f"its option {name} is {value}, outside its own range {limits}")


def _make_sendable(error: WireError) -> None:
    """Take from an error what a refusal, which is JSON, could not say."""
    try:
        json.dumps(error.accepted)
    except (TypeError, ValueError, RecursionError):
        error.accepted = None
