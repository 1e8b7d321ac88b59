"""OpenVINO: the fast engine on CPUs, in float32 or a shorter precision that the CPU computes natively, or in an int8 network's own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from shared.engines.base import Engine, contiguous, in_rows
from shared.engines.half import QuantisedHead
from shared.engines.openvino.form import FORMS, OpenVinoForm
from shared.engines.openvino.network import addresses, cut, grid_of, joined, passed, retype
from shared.engines.openvino.runtime import core, ov, reason, without_integers
from shared.errors import EngineError
from shared.process.memory import forget_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shared.engines.half import Half, Kind, Segment, Tensors
    from shared.engines.probe import Probe
    from shared.network.bundle import Bundle
    from shared.network.partition import SplitPoint


class OpenVinoEngine(Engine):
    """Compiles halves of a bundle's network. A half holds only what its kernels need."""

    name = "openvino"
    device = "cpu"
    minds_cuts = True

    def __init__(
        self,
        model: ov.Model,
        bundle: Bundle,
        *,
        precision: str = "float32",
        threads: int,
        streams: int = 1,
        probe: Probe | None = None,
        reference: Callable[[], Engine] | None = None,
    ) -> None:
        """`model` is what `network.read` read of `bundle`; `precision` is one of `precisions()`, or `int8` for a bundle that is.

        Up to `streams` halves run at once, each with its share of the threads.
        """
        super().__init__(probe, reference, one_by_one=bundle.batch == 1)
        self._model = model
        self._input, self._output = bundle.partition.ends
        self._constants = bundle.constants
        self._held = addresses(model)
        self.precision = precision
        self._form = FORMS[precision]
        self.threads, self.streams = threads, streams
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
        through = passed(self._model, start, end)
        model = retype(self._cut(start, end), self._form.type)
        requests = _Requests(self._compiled(model, f"the segment up to {end.name}"))

        def run(given: tuple[ov.Tensor, ...]) -> tuple[ov.Tensor, ...]:
            request = requests.own()
            try:
                for number, each in enumerate(given):
                    request.set_input_tensor(number, each)
                request.infer()
            except RuntimeError as error:
                raise EngineError(f"openvino: {reason(error)}") from error
            # Valid until this thread's next run; new tensors each time would cost page faults.
            count = len(end.shapes) - len(through)
            return joined([request.get_output_tensor(number) for number in range(count)], given, through)

        self._run_once(lambda zeros: run(self._form.pack(zeros)), start)
        return run

    def weigh(self, start: SplitPoint, end: SplitPoint) -> int:
        constants = [each for each in self._cut(start, end).get_ops() if each.get_type_name() == "Constant"]
        return sum(each.get_output_tensor(0).size * each.get_element_type().size for each in constants)

    @property
    def form(self) -> OpenVinoForm:
        return self._form

    def _compile(self, kind: Kind, point: SplitPoint) -> Half:
        start, end = (self._input, point) if kind == "head" else (point, self._output)
        compiled = self._compiled(self._cut(start, end), f"the {kind} at {point.name}")
        half = _CompiledHalf(compiled, start, end, passed(self._model, start, end))
        self._run_once(half, start)
        run = in_rows(half) if self.one_by_one else half
        return QuantisedHead(run, end) if end.is_quantised else run

    def _suspicion(self, error: float) -> str:
        if self.precision != "float32":
            return super()._suspicion(error)
        return (
            ". This processor computes otherwise than the machine that made the bundle: make the bundle again here, or see "
            "whether another version of openvino computes right"
        )

    def _cut(self, start: SplitPoint, end: SplitPoint) -> ov.Model:
        try:
            return cut(self._model, start, end, one_by_one=self.one_by_one)
        except RuntimeError as error:
            raise EngineError(
                f"openvino cannot cut the network from {start.name} to {end.name}: {reason(error)}; make the bundle again"
            ) from error

    def _compiled(self, model: ov.Model, what: str) -> ov.CompiledModel:
        try:
            integers = {} if self.precision == "int8" else without_integers(model)
            return core().compile_model(model, "CPU", self._options | integers)
        except RuntimeError as error:
            raise EngineError(f"openvino cannot compile {what}: {reason(error)}") from error

    def _run_once(self, run: Callable[[Tensors], object], start: SplitPoint) -> None:
        """Run on zeros. The first run packs the constants, so their file's pages can leave memory."""
        run(start.native(tuple(np.zeros((1, *shape), np.float32) for shape in start.shapes)))
        forget_pages(self._constants, self._held)


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

    def __init__(
        self, compiled: ov.CompiledModel, start: SplitPoint, end: SplitPoint, through: Mapping[int, int]
    ) -> None:
        """`through` is what is `passed` from `start` to `end`."""
        self.requests = _Requests(compiled)
        self._given = start.native
        self._ends = [
            (shape, (np.int8 if grid.signed else np.uint8) if (grid := grid_of(end, number)) else np.float32)
            for number, shape in enumerate(end.shapes)
            if number not in through
        ]
        self._through = through

    def __call__(self, tensors: Tensors) -> Tensors:
        request = self.requests.own()
        # No copy on either side: OpenVINO reads the caller's arrays and writes into the new ones that the caller gets.
        # The request keeps the arrays' addresses only, so all must stay referenced here until it has run.
        given = [contiguous(each) for each in self._given(tensors)]
        results = tuple(np.empty((len(given[0]), *shape), dtype) for shape, dtype in self._ends)
        try:
            for number, each in enumerate(given):
                request.set_input_tensor(number, ov.Tensor(each, shared_memory=True))
            for number, each in enumerate(results):
                request.set_output_tensor(number, ov.Tensor(each, shared_memory=True))
            request.infer()
        except RuntimeError as error:
            raise EngineError(f"openvino: {reason(error)}") from error
        if not self._through:
            return results
        passing = {source: given[source].copy() for source in self._through.values()}
        return joined(results, passing, self._through)
