"""The base class of engines: compiles heads and tails of one network on demand, checks them and holds them."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.errors import EngineError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from shared.engines.half import Half, Kind, Segment, TensorForm, Tensors
    from shared.engines.probe import Probe
    from shared.network.partition import SplitPoint

TOLERANCES = {"float32": 1e-3, "float16": 0.02, "bfloat16": 0.05, "int8": 0.5}
"""Largest relative error ‖y − y'‖ / ‖y'‖ of a half against the bundle's probe, by precision.

bfloat16 keeps 8 significant bits of each number and float16 11, and a network rounds once a layer. Measured on the probe:
ResNet-50 with real weights 3e-6 in float32 and at most 0.025 in bfloat16; MobileNetV2 up to 0.082 in bfloat16, which is
refused. An int8 network's probe is what the network itself gave where it was made, to the bit. Another kind of processor rounds
otherwise, and one rounding more or less is a whole step: how many answers that changes is counted on the bundle's own pictures
(`shared.engines.agreeing`), and this limit is only for what is wrong altogether."""

_MAX_HALVES = 12
"""Compiled halves held at a time. Each may pack the network's weights anew, and any client may name any split point."""

_log = logging.getLogger(__name__)


class Engine(ABC):
    """Compiles a half on first use, checks it on the bundle's probe, and holds it.

    A half that fails its check while frames are running is run by the reference instead, so that no frame is lost: OpenVINO in
    float32, which has no reference itself.
    """

    name: str
    precision: str
    device: str
    threads: int
    streams = 1
    """How many halves run at once, each with its share of the threads."""
    minds_cuts = False
    """Whether a network that is cut takes longer than one that is not."""

    def __init__(
        self, probe: Probe | None, reference: Callable[[], Engine] | None, *, one_by_one: bool = False
    ) -> None:
        """Without a probe nothing is checked. `reference` is called when it is needed; `one_by_one`: the network takes one
        picture at a time.
        """
        self.probe = probe
        self._reference = reference
        self.one_by_one = one_by_one
        self._halves: dict[tuple[Kind, str], Half] = {}
        self._used: dict[tuple[Kind, str], int] = {}
        self._uses = itertools.count()
        self._lock = threading.Lock()
        self.failed_checks = 0
        """Number of halves that the reference runs instead."""
        self.on_failed_check: Callable[[], object] = lambda: None
        """Called once for each half that the reference runs instead."""
        self.choice: dict[str, Any] = {"how": "only one", "milliseconds": {}, "margin": None}
        """Why this engine runs, ready for JSON: see `shared.engines.choice`."""

    def head(self, point: SplitPoint) -> Half:
        """From the pictures, one array (B, C, H, W), to the crossing at `point`."""
        return self._half("head", point)

    def tail(self, point: SplitPoint) -> Half:
        """From the crossing at `point` to the outputs, each (B, …)."""
        return self._half("tail", point)

    def require(self, kind: Kind, point: SplitPoint) -> Half:
        """A half, compiled and checked. Raises EngineError if it cannot be compiled or fails its check."""
        if half := self.at_hand(kind, point):
            return half
        with self._lock:
            return self.at_hand(kind, point) or self._make(kind, point)

    def at_hand(self, kind: Kind, point: SplitPoint) -> Half | None:
        """A half that is already compiled, else None. Takes no lock, so frames do not wait while another half compiles."""
        if (kind, point.name) in (("head", INPUT), ("tail", OUTPUT)):
            return _identity
        half = self._halves.get((kind, point.name))
        if half:
            self._used[kind, point.name] = next(self._uses)
        return half

    def once(self, kind: Kind, point: SplitPoint) -> Half:
        """A half as `require` gives it, but not held: for a single use. Takes no lock. Raises EngineError."""
        if half := self.at_hand(kind, point):
            return half
        half = self._compile(kind, point)
        self.check(kind, point, half)
        return half

    def drop(self, kind: Kind, point: SplitPoint) -> None:
        """Drop one half; who runs it still holds it."""
        with self._lock:
            self._halves.pop((kind, point.name), None)
            self._used.pop((kind, point.name), None)

    def release(self) -> None:
        """Drop all halves; who runs one still holds it."""
        with self._lock:
            self._halves.clear()
            self._used.clear()

    def describe(self) -> dict[str, str | int]:
        """Name, precision, device and threads, as `GET /model` and the benchmarks report them."""
        return {
            "name": self.name,
            "precision": self.precision,
            "device": self.device,
            "threads": self.threads,
        }

    @abstractmethod
    def segment(self, start: SplitPoint, end: SplitPoint) -> Segment:
        """Compile the layers between two points. The engine does not hold the result. Raises EngineError."""

    def weigh(self, start: SplitPoint, end: SplitPoint) -> int:
        """Bytes of the constants between two points, as far as the engine knows. Raises EngineError."""
        del start, end
        return 0

    @property
    @abstractmethod
    def form(self) -> TensorForm:
        """The form of tensors between segments. Holds no reference to the engine, which may be dropped once all is compiled."""

    def check(self, kind: Kind, point: SplitPoint, half: Half) -> None:
        """Compare a half with the bundle's probe. Raises EngineError if they differ by more than is accepted."""
        if self.probe is None:
            return
        # For each number of pictures an engine keeps kernels and memory. Frames have one, and whoever made an int8 bundle has tried several.
        alone = kind == "head" and self.precision == "int8"
        error = self.probe.error(kind, point, in_rows(half) if alone else half)
        if self.precision == "int8" and error > 0:
            _log.info(
                "%s at %s: this processor rounds otherwise than the one that made the bundle; the values differ by %.2g of their length",
                kind, point.name, error,
            )  # fmt: skip
        if not error <= TOLERANCES[self.precision]:  # false for NaN as well
            failure = EngineError(
                f"{self.name} in {self.precision}: the {kind} at {point.name} differs from the bundle's probe by "
                f"{error:.2g} of the values' length; accepted: {TOLERANCES[self.precision]:g}{self._suspicion(error)}"
            )
            failure.imprecise = True
            raise failure

    def _suspicion(self, error: float) -> str:
        """What a failed check means, as the end of its message; empty where the precision explains it."""
        del error
        return ""

    def stand_in(self, error: EngineError) -> Engine:
        """Count and log the failure, and return the reference, to be used instead. Raises `error` if there is none."""
        if self._reference is None:
            raise error
        reference = self._reference()
        _log.warning("%s; %s in %s runs this half instead", error, reference.name, reference.precision)
        self.failed_checks += 1
        self.on_failed_check()
        return reference

    @abstractmethod
    def _compile(self, kind: Kind, point: SplitPoint) -> Half:
        """Compile a half. Raises EngineError."""

    def _half(self, kind: Kind, point: SplitPoint) -> Half:
        if half := self.at_hand(kind, point):
            return half
        with self._lock:
            if half := self.at_hand(kind, point):
                return half
            try:
                return self._make(kind, point)
            except EngineError as error:
                reference = self.stand_in(error)
            self._make_room()
            return self._halves.setdefault((kind, point.name), reference.require(kind, point))

    def _make(self, kind: Kind, point: SplitPoint) -> Half:
        start = time.perf_counter()
        self._make_room()
        half = self._compile(kind, point)
        self.check(kind, point, half)
        self._halves[kind, point.name] = half
        _log.log(
            logging.INFO,
            "%s at %s by %s in %s: ready in %.2f s",
            kind, point.name, self.name, self.precision, time.perf_counter() - start,
        )  # fmt: skip
        return half

    def _make_room(self) -> None:
        """Drop the least recently used half; a caller that is running it still holds it."""
        while len(self._halves) >= _MAX_HALVES:
            oldest = min(self._halves, key=lambda key: self._used.get(key, -1))
            del self._halves[oldest]
            self._used.pop(oldest, None)


def _identity(tensors: Tensors) -> Tensors:
    """The head at `input` and the tail at `output`, where nothing is computed."""
    return tensors


def in_rows(half: Half) -> Half:
    """A half for any B from one that takes a single picture, or what crosses of it."""

    def run(tensors: Tensors) -> Tensors:
        if len(tensors[0]) == 1:
            return half(tensors)
        return joined([half(row) for row in row_by_row(tensors)])

    return run


def row_by_row(tensors: Tensors) -> list[Tensors]:
    """What crosses of each picture, as views."""
    return [tuple(each[row : row + 1] for each in tensors) for row in range(len(tensors[0]))]


def joined(rows: Sequence[Tensors]) -> Tensors:
    """One picture after another, copied."""
    return tuple(np.concatenate(parts) for parts in zip(*rows, strict=True))


def contiguous(tensors: NDArray[Any]) -> NDArray[Any]:
    """`tensors` as the runtimes take them: float32 or symbols of one byte, in C order and writable, though neither writes to its input.

    Copies only if it must: in practice, what a codec returns as a view of a frame's payload.
    """
    dtype = tensors.dtype if tensors.dtype.itemsize == 1 else np.float32
    return np.require(tensors, dtype=dtype, requirements=["C", "W"])
