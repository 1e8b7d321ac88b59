"""OpenVINO: the fast engine on CPUs, in float32 or in what shorter precision the CPU computes itself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from shared.engines.base import Engine, Kind, contiguous
from shared.engines.openvino_network import cut
from shared.engines.openvino_runtime import core, ov
from shared.errors import EngineError
from shared.memory import forget_pages

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from shared.engines.base import Part
    from shared.engines.probe import Probe
    from shared.partition import SplitPoint

_TYPES = {"float32": ov.Type.f32, "bfloat16": ov.Type.bf16, "float16": ov.Type.f16}


class OpenVinoEngine(Engine):
    """Compiles halves of one converted network; all that is kept of a half is what its kernels need."""

    name = "openvino"
    device = "cpu"

    def __init__(
        self,
        model: ov.Model,
        output_shape: tuple[int, ...],
        *,
        precision: str = "float32",
        threads: int,
        streams: int = 1,
        probe: Probe | None = None,
        reference: Engine | None = None,
        constants: Path | None = None,
    ) -> None:
        """`model` as `convert` gives it; `output_shape` is (K,); `precision` is one of `precisions()`.

        `streams` halves may run at once, each with its share of the threads. `constants` is the file that the model's
        are mapped from, if any.
        """
        super().__init__(probe, reference)
        self._model = model
        self._input_shape = [each.get_length() for each in list(model.inputs[0].get_partial_shape())[1:]]
        self._output_shape = output_shape
        self._constants = constants
        self.precision = precision
        self.threads = threads
        self._options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": _TYPES[precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": streams,
            # Pinned threads of two processes, or of two halves, would fight for one core while another is idle.
            "ENABLE_CPU_PINNING": False,
        }

    def _compile(self, kind: Kind, point: SplitPoint) -> Part:
        try:
            compiled = core().compile_model(cut(self._model, kind, point), "CPU", self._options)
        except RuntimeError as error:
            raise EngineError(f"openvino cannot compile the {kind} at {point.name}: {error}") from error
        shape = point.shape if kind == "head" else self._output_shape
        half = _Half(compiled, shape)
        half(np.zeros((1, *(self._input_shape if kind == "head" else point.shape)), np.float32))
        if self._constants:
            forget_pages(self._constants)  # the first run has packed them
        return half


class _Half:
    """One compiled half. Requests are not for several threads, so each thread has its own."""

    def __init__(self, compiled: ov.CompiledModel, shape: tuple[int, ...]) -> None:
        self._compiled = compiled
        self._shape = shape
        self._local = threading.local()

    def __call__(self, tensors: NDArray[np.float32]) -> NDArray[np.float32]:
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
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
