"""OpenVINO: the fast engine on CPUs, in float32 or a shorter precision that the CPU computes natively."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from shared.engines.base import Engine, contiguous
from shared.engines.openvino.form import FORMS, OpenVinoForm
from shared.engines.openvino.network import cut, retype
from shared.engines.openvino.runtime import core, ov
from shared.errors import EngineError
from shared.process.memory import forget_pages

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from shared.engines.half import Half, Kind, Segment
    from shared.engines.probe import Probe
    from shared.network.partition import SplitPoint


class OpenVinoEngine(Engine):
    """Compiles halves of one converted network. A half holds only what its kernels need."""

    name = "openvino"
    device = "cpu"

    def __init__(
        self,
        model: ov.Model,
        points: tuple[SplitPoint, SplitPoint],
        *,
        precision: str = "float32",
        threads: int,
        streams: int = 1,
        probe: Probe | None = None,
        reference: Engine | None = None,
        constants: Path | None = None,
    ) -> None:
        """`model` comes from `convert` or `read`, `points` are `input` and `output`, `precision` is one of `precisions()`.

        Up to `streams` halves run at once, each with its share of the threads. `constants` is the file that the model's
        constants are mapped from, or None if they are in memory.
        """
        super().__init__(probe, reference)
        self._model = model
        self._input, self._output = points
        self._constants = constants
        self.precision = precision
        self._form = FORMS[precision]
        self.threads = threads
        self._options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": self._form.type,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": streams,
            # Pinned threads of two processes, or of two halves, would compete for one core while another is idle.
            "ENABLE_CPU_PINNING": False,
        }

    def segment(self, start: SplitPoint, end: SplitPoint) -> Segment:
        # Packed tensors at both ends, also at the ends of the whole network, so that all segments are alike.
        model = retype(cut(self._model, start, end), self._form.type)
        requests = _Requests(self._compiled(model, f"the segment up to {end.name}"))

        def run(given: ov.Tensor) -> ov.Tensor:
            request = requests.own()
            request.set_input_tensor(given)
            try:
                request.infer()
            except RuntimeError as error:
                raise EngineError(f"openvino: {error}") from error
            # Valid until this thread's next run; a new tensor each time would cost page faults.
            return request.get_output_tensor()

        self._run_once(lambda zeros: run(self._form.pack(zeros)), start)
        return run

    @property
    def form(self) -> OpenVinoForm:
        return self._form

    def _compile(self, kind: Kind, point: SplitPoint) -> Half:
        start, end = (self._input, point) if kind == "head" else (point, self._output)
        half = _CompiledHalf(
            self._compiled(cut(self._model, start, end), f"the {kind} at {point.name}"), end.shape
        )
        self._run_once(half, start)
        return half

    def _compiled(self, model: ov.Model, what: str) -> ov.CompiledModel:
        try:
            return core().compile_model(model, "CPU", self._options)
        except RuntimeError as error:
            raise EngineError(f"openvino cannot compile {what}: {error}") from error

    def _run_once(self, run: Callable[[NDArray[np.float32]], object], start: SplitPoint) -> None:
        """Run on zeros. The first run packs the constants, so their file's pages can leave memory."""
        run(np.zeros((1, *start.shape), np.float32))
        if self._constants:
            forget_pages(self._constants)


class _Requests:
    """One compiled model's inference requests. A request is not thread-safe, so each thread has its own."""

    def __init__(self, compiled: ov.CompiledModel) -> None:
        self.compiled = compiled
        self._local = threading.local()

    def own(self) -> ov.InferRequest:
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self.compiled.create_infer_request()
        return request


class _CompiledHalf:
    """One compiled half, a `Half`."""

    def __init__(self, compiled: ov.CompiledModel, shape: tuple[int, ...]) -> None:
        self.requests = _Requests(compiled)
        self._shape = shape

    def __call__(self, tensors: NDArray[np.float32]) -> NDArray[np.float32]:
        request = self.requests.own()
        # No copy on either side: OpenVINO reads the caller's array and writes into the new one that the caller gets.
        # The request keeps the arrays' addresses only, so both must stay referenced here until it has run.
        given = contiguous(tensors)
        result = np.empty((len(given), *self._shape), np.float32)
        try:
            request.set_input_tensor(ov.Tensor(given, shared_memory=True))
            request.set_output_tensor(ov.Tensor(result, shared_memory=True))
            request.infer()
        except RuntimeError as error:
            raise EngineError(f"openvino: {error}") from error
        return result
