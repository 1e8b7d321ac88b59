"""calibrated: few levels, a dead zone and contexts, all fitted to one tensor of one network.

    encode   values ─► scaled ─► magnitudes, signs ─► words
    decode   words ─► magnitudes, signs ─► centroids by neighbourhood ─► corrector ─► values

What was fitted is in a profile, which both sides hold and which frames name by its hash (shared/codecs/calibrated/profile.py).
Quantising a network's features to few clipped levels follows Cohen, Choi and Bajić (arXiv:2105.06002).

It is computed by a compiled library where there is one for this machine (native/), else in numpy; both give the same bytes.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shared.codecs.base import Codec, Encoded, require_finite
from shared.codecs.calibrated.cost import cost_of
from shared.codecs.calibrated.grid import from_grid, grid_shape, to_grid
from shared.codecs.calibrated.native.library import library
from shared.codecs.calibrated.native.model import MAX_CHANNELS, NativeModel
from shared.codecs.calibrated.native.reference import NumpyModel
from shared.codecs.calibrated.quantiser import Quantiser
from shared.errors import ContentError, ProfileContentError, ProfileMissingError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from shared.codecs.calibrated.profile import Part, Profile
    from shared.codecs.calibrated.symbol_coder import Symbols
    from shared.wire.frame import Bytes


class Calibrated(Codec):
    """The codec bound to a profile. Without one it cannot encode, and the error of `decode` names the missing profile."""

    id = 16
    name = "calibrated"

    def __init__(self, profile: Profile | None = None, number: int = 0, *, compiled: bool = True) -> None:
        """The codec for the tensor of this `number` of the profile's crossing; in numpy, unless `compiled`.

        Raises ProfileContentError if the profile's arrays cannot be used, LimitError if it would cost too much.
        """
        self.profile = profile
        if profile is None:
            return
        if not number:
            cost_of(profile).require_affordable()
        self._number = number
        # One profile holds what was fitted to all tensors of a crossing, and is checked as a whole. This codec is not among them: in
        # a circle, what a profile takes would stay until the next full collection.
        others = range(1, len(profile.shapes)) if not number else ()
        self._others = [type(self)(profile, each, compiled=compiled) for each in others]
        part = profile.of_tensor(number)
        self._shape = part.shape
        self._pooled = bool(_whole(part.about, "pooled"))
        checked = self._in_numpy(part)
        found = library() if compiled and grid_shape(part.shape)[2] <= MAX_CHANNELS else None
        self._model: NumpyModel | NativeModel = checked
        if found is None:
            self.in_numpy = checked
            checked.coder.make_models()
        else:
            self._model = NativeModel(found, found.levels[-1], part.arrays, checked)

    @cached_property
    def in_numpy(self) -> NumpyModel:
        """The reference, which tells more than bytes. There is none for a reader whose codec is compiled."""
        assert self.profile is not None
        return self._in_numpy(self.profile.of_tensor(self._number))

    @cached_property
    def quantiser(self) -> Quantiser:
        """Values to symbols in numpy, without what codes them."""
        assert self.profile is not None
        part = self.profile.of_tensor(self._number)
        kind = self._kind(part)
        return Quantiser(
            part.arrays, grid_shape(self._inner(part)), kind["levels"], signed=bool(kind["signed"])
        )

    def _in_numpy(self, part: Part) -> NumpyModel:
        kind = self._kind(part)
        signed = bool(kind.pop("signed"))
        return NumpyModel(part.arrays, shape=self._inner(part), signed=signed, **kind)

    def _inner(self, part: Part) -> tuple[int, ...]:
        """The shape of what travels: where the tail begins with a mean over the positions, that mean's."""
        return grid_shape(part.shape)[2:] if self._pooled else part.shape

    @staticmethod
    def _kind(part: Part) -> dict[str, int]:
        return {key: _whole(part.about, key) for key in ("levels", "groups", "signed")}

    @classmethod
    def reader(cls, profile: Profile, *, compiled: bool = True) -> Self:
        """The codec of who only decodes: it holds neither the profile's file nor its arrays.

        Raises ProfileContentError or LimitError.
        """
        codec = cls(profile, compiled=compiled)
        codec.profile = profile.bare()
        for each in codec._others:
            each.profile = profile.bare()
        return codec

    def bind(self, profile: Profile) -> Calibrated:
        """The codec with a profile. Raises ProfileContentError or LimitError."""
        return Calibrated(profile)

    def of_tensor(self, number: int) -> Codec:
        """Raises ContentError if the profile is of fewer tensors."""
        if self.profile is None or not number:
            return self
        if number > len(self._others):
            raise ContentError(f"the profile {self.profile.name} is of {1 + len(self._others)} tensors")
        return self._others[number - 1]

    @property
    def revision(self) -> str:
        """The name of its profile."""
        return self.profile.name if self.profile else ""

    def encode(self, array: NDArray[np.float32]) -> Encoded:
        profile = self._require(array.shape)
        return self._encoded(profile, self._model.encode(self._travelling(array)))

    def encode_symbols(self, array: NDArray[np.float32]) -> tuple[Encoded, Symbols]:
        """`encode`, and the symbols that the payload holds; in numpy."""
        profile = self._require(array.shape)
        symbols = self.in_numpy.symbols(self._travelling(array))
        return self._encoded(profile, self.in_numpy.coder.encode(symbols)), symbols

    def _encoded(self, profile: Profile, payload: bytes) -> Encoded:
        # The first tensor's parameters name the profile for all of them.
        return Encoded(b"" if self._number else profile.digest, payload)

    def grid_of(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """(rows, columns, channels): the values of a tensor that are quantised."""
        grid: NDArray[np.float32] = to_grid(self._travelling(array))
        return grid

    def _travelling(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """The tensor itself, or the mean over its positions, (channels,)."""
        if not self._pooled:
            return array
        require_finite(array)
        mean: NDArray[np.float32] = to_grid(array).mean((0, 1))
        return mean

    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        self._check(params, shape)
        with any_numbers():
            values = self._model.decode(payload)
        return self._finished(values, shape)

    def _check(self, params: bytes, shape: tuple[int, ...]) -> None:
        """Raise ProfileMissingError or ContentError unless a tensor of this shape, whose parameters are these, is decoded by this profile."""
        if self.profile is None:
            raise ProfileMissingError(
                f"a frame of the codec {self.name} needs its profile",
                accepted={"put": f"/profiles/{params.hex()}"},
            )
        if params != (b"" if self._number else self._require(shape).digest):
            raise ContentError(
                f"the frame was made with the profile {params.hex()}, this is {self.profile.name}"
            )

    def _finished(self, values: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
        """What was decoded as a tensor of this shape. Raises ContentError."""
        assert self.profile is not None
        if not np.isfinite(values).all():
            raise ContentError(f"the profile {self.profile.name} gives values that are not finite")
        if not self._pooled:
            return values
        return from_grid(np.broadcast_to(values, grid_shape(shape)), shape)

    def _require(self, shape: tuple[int, ...]) -> Profile:
        if self.profile is None:
            raise ContentError(f"the codec {self.name} encodes with a profile, and none is set")
        if shape != self._shape:
            raise ContentError(f"the profile is for the shape {self._shape}, not {shape}")
        return self.profile


def any_numbers() -> AbstractContextManager[None]:
    """Around what computes values: a profile may hold any numbers, so the result is checked."""
    return np.errstate(over="ignore", invalid="ignore")


def _whole(about: Mapping[str, str], key: str) -> int:
    text = about.get(key, "")
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        raise ProfileContentError(f"a profile's {key} is {text[:60]!r}", accepted="a whole number")
    return int(text)
