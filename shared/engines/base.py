"""What an engine is: it runs the heads and tails of one network on arrays."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from shared.errors import EngineError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shared.engines.probe import Probe
    from shared.network.partition import SplitPoint

    Part = Callable[[NDArray[np.float32]], NDArray[np.float32]]
    """A compiled head or tail: (B, …) float32 -> (B, …) float32, any B. May be called from several threads at once; the
    result belongs to the caller."""
    Segment = Callable[[Any], Any]
    """A compiled stretch of the network; takes and gives tensors in the engine's own form, see `TensorForm`."""


class TensorForm(Protocol):
    """Tensors between float32 arrays and the form in which one stretch hands them to the next."""

    def pack(self, tensors: NDArray[np.float32]) -> Any:
        """(B, …), into the engine's own form."""

    def unpack(self, inside: Any) -> NDArray[np.float32]:
        """And back, as a copy."""


Kind = Literal["head", "tail"]

TOLERANCES = {"float32": 1e-3, "float16": 0.02, "bfloat16": 0.05}
"""Largest relative error ‖y − y'‖ / ‖y'‖ of a half against torch in float32 on the probe, by precision.

bfloat16 keeps 8 bits of each number and float16 11, and a network rounds once a layer. Measured on the probe: ResNet-50 with
real weights 3e-6 in float32 and at most 0.025 in bfloat16, MobileNetV2 up to 0.082 in bfloat16, which is refused."""

_MAX_PARTS = 12
"""Compiled halves that are kept. Each may pack the network's weights anew, and any client may name any split point."""

_log = logging.getLogger(__name__)


class Engine(ABC):
    """Compiles a half on first use, checks it against torch on a probe, and keeps it.

    A half that fails its check later than at the start is run by `reference` instead: no frame is lost for it.
    """

    name: str
    precision: str
    device: str
    threads: int

    def __init__(self, probe: Probe | None, reference: Engine | None) -> None:
        """Without a probe nothing is checked: this engine is the reference itself."""
        self._probe = probe
        self._reference = reference
        self._parts: dict[tuple[Kind, str], Part] = {}
        self._used: dict[tuple[Kind, str], int] = {}
        self._uses = itertools.count()
        self._lock = threading.Lock()
        self.failed_checks = 0
        """Halves that the reference runs instead."""
        self.on_failed_check: Callable[[], object] = lambda: None
        """Called for each of them."""

    def head(self, point: SplitPoint) -> Part:
        """From the pictures (B, 3, H, W) to the crossing tensors (B, *point.shape)."""
        return self._part("head", point)

    def tail(self, point: SplitPoint) -> Part:
        """From the crossing tensors (B, *point.shape) to the logits (B, K)."""
        return self._part("tail", point)

    def require(self, kind: Kind, point: SplitPoint) -> Part:
        """A half, compiled and checked. Raises EngineError if it cannot be compiled or gives other numbers."""
        if part := self.at_hand(kind, point):
            return part
        with self._lock:
            return self.at_hand(kind, point) or self._make(kind, point)

    def describe(self) -> dict[str, str | int]:
        """What `GET /model` and the benchmarks say of it."""
        return {
            "name": self.name,
            "precision": self.precision,
            "device": self.device,
            "threads": self.threads,
        }

    @abstractmethod
    def segment(self, start: SplitPoint, end: SplitPoint) -> Segment:
        """Compile the stretch between two points; nothing is kept here. Raises EngineError."""

    @property
    @abstractmethod
    def form(self) -> TensorForm:
        """What `segment`'s stretches pass on. It does not hold the engine, which may be let go once all is compiled."""

    def check(self, kind: Kind, point: SplitPoint, part: Part) -> None:
        """Compare a half with torch on the probe pictures. Raises EngineError if it gives other numbers."""
        if self._probe is None:
            return
        error = self._probe.error(kind, point, part)
        if not error <= TOLERANCES[self.precision]:  # false for NaN as well
            raise EngineError(
                f"{self.name} in {self.precision}: the {kind} at {point.name} differs from torch by {error:.2g} of the "
                f"values' length on the probe; accepted: {TOLERANCES[self.precision]:g}"
            )

    def stand_in(self, error: EngineError) -> Engine:
        """The reference, which runs what failed with `error`, counted and logged. Raises it where there is none."""
        if self._reference is None:
            raise error
        _log.warning("%s; torch in float32 runs this half instead", error)
        self.failed_checks += 1
        self.on_failed_check()
        return self._reference

    @abstractmethod
    def _compile(self, kind: Kind, point: SplitPoint) -> Part:
        """Make a half callable. Raises EngineError."""

    def _part(self, kind: Kind, point: SplitPoint) -> Part:
        if part := self.at_hand(kind, point):
            return part
        with self._lock:
            if part := self.at_hand(kind, point):
                return part
            try:
                return self._make(kind, point)
            except EngineError as error:
                reference = self.stand_in(error)
            self._make_room()
            return self._parts.setdefault((kind, point.name), reference.require(kind, point))

    def at_hand(self, kind: Kind, point: SplitPoint) -> Part | None:
        """A half if it is compiled. Without the lock: frames do not wait while another half is compiled."""
        if (kind, point.name) in (("head", INPUT), ("tail", OUTPUT)):
            return _same
        part = self._parts.get((kind, point.name))
        if part:
            self._used[kind, point.name] = next(self._uses)
        return part

    def _make(self, kind: Kind, point: SplitPoint) -> Part:
        start = time.perf_counter()
        self._make_room()
        part = self._compile(kind, point)
        self.check(kind, point, part)
        self._parts[kind, point.name] = part
        _log.log(
            logging.INFO if self._probe else logging.DEBUG,  # the reference's halves are for checks
            "%s at %s by %s in %s: ready in %.2f s",
            kind, point.name, self.name, self.precision, time.perf_counter() - start,
        )  # fmt: skip
        return part

    def _make_room(self) -> None:
        """Forget the half that was used longest ago; whoever runs it at this moment still holds it."""
        while len(self._parts) >= _MAX_PARTS:
            oldest = min(self._parts, key=lambda key: self._used.get(key, -1))
            del self._parts[oldest]
            self._used.pop(oldest, None)


def _same(tensors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The head at `input` and the tail at `output`: nothing is computed."""
    return tensors


def contiguous(tensors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without a copy where it is what the runtimes take: float32, in C order, and writable, though neither writes.

    Copied is what a codec gives out as a view of the frame's payload, and nothing else.
    """
    return np.require(tensors, dtype=np.float32, requirements=["C", "W"])
