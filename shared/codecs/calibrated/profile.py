"""A profile: what calibration fitted to one tensor of one network, as one file that both sides hold.

It is a safetensors file: arrays, and a map of strings that says what they describe. Its name is the first 16 bytes of its
SHA-256, which frames carry. So a profile never changes, and two profiles of the same name are the same.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.numpy

from shared.errors import LimitError, ProfileContentError
from shared.limits import (
    FINGERPRINT_BYTES,
    MAX_DIMENSION,
    MAX_ELEMENTS,
    MAX_PROFILE_BYTES,
    MAX_PROFILE_HEADER_BYTES,
    MAX_PROFILE_STRINGS_BYTES,
    MAX_RANK,
    MAX_TENSORS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

FORMAT = "splitdnn-profile-1"
FORMAT_2 = "splitdnn-profile-2"
"""Kinds of symbols may go by position, tables of magnitudes by the size of neighbours, and values are shifted by what is usual somewhere."""
FORMAT_3 = "splitdnn-profile-3"
"""The corrector is of whole numbers."""
FORMAT_4 = "splitdnn-profile-4"
"""There are models of frames that follow a known one: arrays whose names begin with INTER, which mean nothing in the formats before."""
INTER = "inter."
_FORMATS = [FORMAT, FORMAT_2, FORMAT_3, FORMAT_4]
_BY_PLACE = ("channel_kind", "magnitude_kind", "magnitudes")
HASH_BYTES = 16
_DTYPES = {"int8", "uint8", "int16", "uint16", "int32", "float16", "float32"}
_HEADER = struct.Struct("<Q")
_SHOWN = 60  # characters of a string that an error quotes

PER_TENSOR = frozenset({"levels", "groups", "signed", "pooled"})
"""Strings that have a value for each tensor of a crossing, with semicolons between."""


@dataclass(frozen=True, eq=False)
class Part:
    """What a profile says of one tensor."""

    shape: tuple[int, ...]
    about: Mapping[str, str]
    arrays: Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, eq=False)
class Profile:
    """One verified file. Its arrays are read-only; shared/codecs/calibrated/codec.py interprets them."""

    data: bytes
    fingerprint: bytes
    """8 bytes: the network whose tensor the profile describes."""
    split_point: str
    shapes: tuple[tuple[int, ...], ...]
    """The shape of each tensor that crosses there, without the batch dimension."""
    about: Mapping[str, str]
    """All strings of the file: those above, and what calibration measured."""
    arrays: Mapping[str, NDArray[np.generic]]
    """Where several tensors cross, the names of the arrays of each begin with its number and a dot: `0.step`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The only tensor's shape. Raises ValueError where several cross."""
        (shape,) = self.shapes
        return shape

    def of_tensor(self, number: int) -> Part:
        """What it says, in its format, of one of its tensors, counted from 0. Raises ProfileContentError if a string has no value for it."""
        count = len(self.shapes)
        prefix = f"{number}." if count > 1 else ""
        arrays = {
            name.removeprefix(prefix): array for name, array in self.arrays.items() if name.startswith(prefix)
        }
        if self.about.get("format") != FORMAT_4:
            arrays = {name: array for name, array in arrays.items() if not name.startswith(INTER)}
        about = {}
        for key, text in self.about.items():
            values = text.split(";")
            if key in PER_TENSOR and len(values) != count:
                raise ProfileContentError(
                    f"a profile's {key} is {text[:_SHOWN]!r}",
                    accepted=f"a value for each of {count} tensors, with ';' between",
                )
            about[key] = values[number] if key in PER_TENSOR else text
        return Part(self.shapes[number], about, arrays)

    @cached_property
    def digest(self) -> bytes:
        """The 16 bytes by which frames name this profile."""
        return digest_of(self.data)

    def bare(self) -> Profile:
        """What says which profile it is, and of which tensors, without its file and its arrays."""
        found = replace(self, data=b"", arrays={})
        found.__dict__["digest"] = self.digest  # where `cached_property` keeps it
        return found

    @property
    def name(self) -> str:
        """The digest as 32 hexadecimal digits, as in `PUT /profiles/{name}`."""
        return self.digest.hex()

    @classmethod
    def from_bytes(cls, data: bytes) -> Profile:
        """Read and verify a file. Raises LimitError or ProfileContentError."""
        about = _strings(data)
        try:
            arrays = safetensors.numpy.load(data)
        except (safetensors.SafetensorError, KeyError, ValueError, TypeError) as error:
            raise ProfileContentError(f"not a profile: {error}") from None
        for name, array in arrays.items():
            if array.dtype.name not in _DTYPES:
                raise ProfileContentError(f"a profile's {name} is {array.dtype}", accepted=sorted(_DTYPES))
            array.setflags(write=False)
        return cls(bytes(data), *_identity(about), about, arrays)

    @classmethod
    def make(
        cls,
        arrays: Mapping[str, NDArray[np.generic]],
        *,
        fingerprint: bytes,
        split_point: str,
        shapes: Sequence[tuple[int, ...]],
        about: Mapping[str, str],
    ) -> Profile:
        """A new profile of these arrays. The same arrays and strings give the same bytes."""
        strings = {
            **about,
            "format": _format(arrays),
            "fingerprint": fingerprint.hex(),
            "split_point": split_point,
            "shape": ";".join(",".join(map(str, shape)) for shape in shapes),
        }
        # safetensors writes the memory of a transposed array in its own order.
        ordered = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
        data = safetensors.numpy.save(ordered, dict(sorted(strings.items())))
        return cls.from_bytes(_sorted_header(data))


def digest_of(data: bytes) -> bytes:
    """The 16 bytes by which a profile of these bytes is known."""
    return hashlib.sha256(data).digest()[:HASH_BYTES]


def require(
    arrays: Mapping[str, NDArray[Any]], name: str, dtype: Any, shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """The array `name` of exactly this dtype and shape; None stands for any size from 1. Raises ProfileContentError."""
    array = arrays.get(name)
    wanted = f"{np.dtype(dtype)} of shape {tuple('any' if size is None else size for size in shape)}"
    if array is None:
        raise ProfileContentError(f"the profile has no array {name}", accepted={name: wanted})
    sizes = zip(shape, array.shape, strict=False)
    fits = array.ndim == len(shape) and all(n > 0 if size is None else n == size for size, n in sizes)
    if array.dtype != np.dtype(dtype) or not fits:
        raise ProfileContentError(
            f"the profile's array {name} is {array.dtype} of shape {array.shape}", accepted={name: wanted}
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ProfileContentError(f"the profile's array {name} holds NaN or infinity")
    return array


def _format(arrays: Mapping[str, NDArray[np.generic]]) -> str:
    if any(name.endswith("inter.ladder") for name in arrays):
        return FORMAT_4
    if any(name.endswith("corrector_inputs") for name in arrays):
        return FORMAT_3
    by_place = (array.ndim == 3 and name.endswith(_BY_PLACE) for name, array in arrays.items())
    return FORMAT_2 if any(by_place) or any(name.endswith("usual") for name in arrays) else FORMAT


def _header(data: bytes) -> bytes:
    if len(data) > MAX_PROFILE_BYTES:
        raise LimitError(f"a profile of {len(data)} bytes", accepted={"max_bytes": MAX_PROFILE_BYTES})
    length = _HEADER.unpack_from(data)[0] if len(data) >= _HEADER.size else 0
    if not 0 < length <= min(MAX_PROFILE_HEADER_BYTES, len(data) - _HEADER.size):
        raise ProfileContentError("not a profile: a safetensors header of at most 64 KiB comes first")
    return data[_HEADER.size : _HEADER.size + length]


def _strings(data: bytes) -> dict[str, str]:
    try:
        header = json.loads(_header(data))
        about = header["__metadata__"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProfileContentError(f"not a profile: its header cannot be read ({error})") from None
    if not isinstance(about, dict) or not all(isinstance(value, str) for value in about.values()):
        raise ProfileContentError("not a profile: its metadata are not strings")
    if about.get("format") not in _FORMATS:
        raise ProfileContentError(
            f"the file's format is {about.get('format', '')[:_SHOWN]!r}", accepted={"formats": _FORMATS}
        )
    size, most = len(json.dumps(about)), MAX_PROFILE_STRINGS_BYTES
    if size > most:
        raise LimitError(f"a profile whose strings take {size} bytes", accepted={"max_bytes": most})
    return about


def _identity(about: Mapping[str, str]) -> tuple[bytes, str, tuple[tuple[int, ...], ...]]:
    try:
        fingerprint = bytes.fromhex(about["fingerprint"])
        shapes = tuple(
            tuple(int(part) for part in shape.split(",")) for shape in about["shape"].split(";", MAX_TENSORS)
        )
        split_point = about["split_point"]
    except (KeyError, ValueError) as error:
        raise ProfileContentError(f"a profile names fingerprint, split_point and shape: {error}") from None
    if len(fingerprint) != FINGERPRINT_BYTES or not _fit(shapes):
        raise ProfileContentError(
            f"a profile of fingerprint {about['fingerprint'][:_SHOWN]!r} and shape {about['shape'][:_SHOWN]!r}"
        )
    return fingerprint, split_point, shapes


def _fit(shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether one frame could carry tensors of these shapes."""
    ranks = all(1 <= len(shape) <= MAX_RANK for shape in shapes)
    sizes = all(1 <= dimension <= MAX_DIMENSION for shape in shapes for dimension in shape)
    return len(shapes) <= MAX_TENSORS and ranks and sizes and sum(map(math.prod, shapes)) <= MAX_ELEMENTS


def _sorted_header(data: bytes) -> bytes:
    """safetensors writes its metadata in any order; a name that depends on the content needs a fixed one."""
    header = json.loads(text := _header(data))
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    ordered = json.dumps(header, separators=(",", ":")).encode()
    ordered += b" " * (-len(ordered) % 8)
    return _HEADER.pack(len(ordered)) + ordered + data[_HEADER.size + len(text) :]
