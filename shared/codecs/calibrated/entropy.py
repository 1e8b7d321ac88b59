"""Asymmetric numeral systems over classes: symbols of one class share one model and are coded in one call.

The coder is constriction's (Bamler, arXiv:2201.01741). It is a stack: the encoder pushes last what the decoder pops first.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.errors import ContentError, ProfileContentError

try:
    from constriction import stream
except ImportError:  # there is none for Linux on ARM, where the compiled library does without
    stream = None

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from shared.wire.frame import Bytes

_AT_ONCE = 1 << 14
"""Symbols that one call of the coder decodes, in a millisecond or two."""
SCALE = 1 << 16
"""Probabilities are whole multiples of 1/65536, so that they are the same on every machine."""
NOT_AT_THE_END = "the coded symbols do not end where the tensor does"


class Alphabet:
    """One model for each class. `frequencies` (classes, symbols) are positive whole numbers that sum to SCALE."""

    def __init__(self, frequencies: NDArray[np.int64]) -> None:
        if frequencies.min() < 1 or (frequencies.sum(1) != SCALE).any():
            raise ProfileContentError(f"a profile's frequencies are not positive numbers that sum to {SCALE}")
        self._frequencies = frequencies

    @cached_property
    def models(self) -> list[Any]:
        """One for each class; made when they are first asked for, as who has the compiled library never does.

        Raises ProfileContentError where there is nothing that codes with them.
        """
        if stream is None:
            raise ProfileContentError(
                "this profile is for numpy here, where constriction, which codes then, is not installed",
                accepted="the compiled library for this machine, and at most 65535 channels",
            )
        return [stream.model.Categorical(row, perfect=False) for row in self._frequencies / SCALE]

    def sort(self, classes: NDArray[np.uint8]) -> tuple[NDArray[np.intp], list[tuple[Any, int]]]:
        """The order in which symbols are coded, and for each class that occurs its model and its number of symbols."""
        counts = np.bincount(classes, minlength=len(self._frequencies)).tolist()
        return np.argsort(classes, kind="stable"), [
            (model, count) for model, count in zip(self.models, counts, strict=True) if count
        ]


class Writer:
    """Collects symbols in the order of decoding."""

    def __init__(self) -> None:
        self._parts: list[tuple[NDArray[np.int32], Any]] = []

    def add(self, symbols: NDArray[np.int32], classes: NDArray[np.uint8], alphabet: Alphabet) -> None:
        """Append symbols and the class of each: both (n,)."""
        order, runs = alphabet.sort(classes)
        symbols, start = symbols[order], 0
        for model, count in runs:
            self._parts.append((symbols[start : start + count], model))
            start += count

    def add_uniform(self, symbols: NDArray[np.int32], size: int) -> None:
        """Append symbols in 0 … size - 1, all equally probable."""
        self._parts.append((symbols, stream.model.Uniform(size)))

    def finish(self) -> bytes:
        """Everything that was added, as little-endian words of 32 bits."""
        coder = stream.stack.AnsCoder()
        for symbols, model in reversed(self._parts):
            coder.encode_reverse(symbols, model)
        words: NDArray[np.uint32] = coder.get_compressed()
        return words.astype("<u4").tobytes()


class Reader:
    """Decodes what a Writer wrote. Any bytes give symbols; `finish` tells whether a Writer could have written them."""

    def __init__(self, payload: Bytes) -> None:
        self._coder = stream.stack.AnsCoder(words_of(payload).astype(np.uint32))

    def take(self, classes: NDArray[np.uint8], alphabet: Alphabet) -> NDArray[np.uint8]:
        """The next symbols, one for each of `classes` (n,)."""
        order, runs = alphabet.sort(classes)
        symbols = np.empty(len(classes), np.uint8)
        start = 0
        sorted_symbols = np.empty(len(classes), np.uint8)
        for model, count in runs:
            for begin, some in _in_parts(start, count):
                sorted_symbols[begin : begin + some] = self._coder.decode(model, some)
            start += count
        symbols[order] = sorted_symbols
        return symbols

    def take_uniform(self, count: int, size: int) -> NDArray[np.uint8]:
        """The next `count` symbols in 0 … size - 1."""
        result = np.empty(count, np.uint8)
        for begin, some in _in_parts(0, count):
            result[begin : begin + some] = self._coder.decode(stream.model.Uniform(size), some)
        return result

    def finish(self) -> None:
        """Raise ContentError unless exactly everything was read."""
        if not self._coder.is_empty():
            raise ContentError(NOT_AT_THE_END)


def words_of(payload: Bytes) -> NDArray[np.uint32]:
    """A payload as words of 32 bits, little-endian. Raises ContentError."""
    if len(payload) % 4:
        raise ContentError(f"coded symbols come in words of 4 bytes, these are {len(payload)} bytes")
    words: NDArray[np.uint32] = np.frombuffer(payload, "<u4")
    if len(words) and not words[-1]:
        raise ContentError("the last word of coded symbols is 0, which no encoder writes")
    return words


def _in_parts(start: int, count: int) -> Iterator[tuple[int, int]]:
    """Where each call of the coder begins, and how many symbols it gives: it keeps the interpreter lock, for which others wait."""
    for begin in range(start, start + count, _AT_ONCE):
        yield begin, min(_AT_ONCE, start + count - begin)
