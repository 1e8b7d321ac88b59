"""OpenVINO: the fast engine on CPUs, in float32 or in what shorter precision the CPU computes itself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from shared.engines.base import Engine, Kind, contiguous
from shared.engines.openvino.form import FORMS, Form
from shared.engines.openvino.network import cut, retype
from shared.engines.openvino.runtime import core, ov
from shared.errors import EngineError
from shared.process.memory import forget_pages

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from shared.engines.base import Part, Segment
    from shared.engines.probe import Probe
    from shared.network.partition import SplitPoint


class OpenVinoEngine(Engine):
    """Compiles halves of one converted network; all that is kept of a half is what its kernels need."""

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
        """`model` as `convert` gives it; `points` are `input` and `output`; `precision` is one of `precisions()`.

        `streams` halves may run at once, each with its share of the threads. `constants` is the file that the model's
        are mapped from, if any.
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
            # Pinned threads of two processes, or of two halves, would fight for one core while another is idle.
            "ENABLE_CPU_PINNING": False,
        }

    def segment(self, start: SplitPoint, end: SplitPoint) -> Segment:
        # The ends of the whole chain pass on packed tensors like any other, so that every segment is alike.
        stretch = retype(cut(self._model, start, end), self._form.type)
        requests = _Requests(self._compiled(stretch, f"the stretch up to {end.name}"))

        def run(given: ov.Tensor) -> ov.Tensor:
            request = requests.own()
            request.set_input_tensor(given)
            try:
                request.infer()
            except RuntimeError as error:
                raise EngineError(f"openvino: {error}") from error
            return (
                request.get_output_tensor()
            )  # until this thread's next run: a fresh one would cost page faults

        self._run_once(lambda zeros: run(self._form.pack(zeros)), start)
        return run

    @property
    def form(self) -> Form:
        return self._form

    def _compile(self, kind: Kind, point: SplitPoint) -> Part:
        start, end = (self._input, point) if kind == "head" else (point, self._output)
        half = _Half(self._compiled(cut(self._model, start, end), f"the {kind} at {point.name}"), end.shape)
        self._run_once(half, start)
        return half

    def _compiled(self, stretch: ov.Model, what: str) -> ov.CompiledModel:
        try:
            return core().compile_model(stretch, "CPU", self._options)
        except RuntimeError as error:
            raise EngineError(f"openvino cannot compile {what}: {error}") from error

    def _run_once(self, run: Callable[[NDArray[np.float32]], object], start: SplitPoint) -> None:
        """The first run packs the constants; their file is not needed in memory any more."""
        run(np.zeros((1, *start.shape), np.float32))
        if self._constants:
            forget_pages(self._constants)


class _Requests:
    """Of one compiled model. A request is not for several threads, so each thread has its own."""

    def __init__(self, compiled: ov.CompiledModel) -> None:
        self.compiled = compiled
        self._local = threading.local()

    def own(self) -> ov.InferRequest:
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self.compiled.create_infer_request()
        return request


class _Half:
    """One compiled half."""

    def __init__(self, compiled: ov.CompiledModel, shape: tuple[int, ...]) -> None:
        self.requests = _Requests(compiled)
        self._shape = shape

    def __call__(self, tensors: NDArray[np.float32]) -> NDArray[np.float32]:
        request = self.requests.own()
        # Computed straight from the caller's array into a fresh one, which belongs to the caller: no copy on either side.
        # Both are held here until then: the request keeps their addresses, not them.
        given = contiguous(tensors)
        result = np.empty((len(given), *self._shape), np.float32)
        try:
            request.set_input_tensor(ov.Tensor(given, shared_memory=True))
            request.set_output_tensor(ov.Tensor(result, shared_memory=True))
            request.infer()
        except RuntimeError as error:
            raise EngineError(f"openvino: {error}") from error
        return result
