"""The tail that all servers run: the same file, the same threads, the same options of OpenVINO as our own engine's."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bench.load.peers.servers.spec import Spec

GRID_BYTES = 8
"""Two float32: the lowest value, and the step from one symbol to the next."""


class PeerTail:
    """A compiled tail. May be called by several threads."""

    def __init__(self, spec: Spec) -> None:
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": spec.precision,
            "INFERENCE_NUM_THREADS": spec.threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        self._compiled = ov.Core().compile_model(spec.model, "CPU", options)
        self._local = threading.local()
        self._gridded = spec.gridded
        (given,) = self._compiled.inputs
        self.shape = tuple(each.get_length() for each in list(given.get_partial_shape())[1:])
        """A crossing's, without the batch."""
        self.dtype: Any = given.get_element_type().to_dtype()
        self.wire_dtype: Any = np.dtype(np.uint8) if spec.gridded else np.dtype(self.dtype)
        """What travels."""
        self(np.zeros((1, *self.shape), self.wire_dtype), np.zeros((1, 2), np.float32))

    def __call__(
        self, crossings: NDArray[Any], grids: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """(B, *shape) and, where the crossings are gridded, (B, 2) → (B, K)."""
        if self._gridded:
            assert grids is not None
            grids = grids.reshape(-1, 2, *(1 for _ in self.shape))
            values = crossings.astype(np.float32)
            values *= grids[:, 1]
            values += grids[:, 0]
            crossings = values
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        # OpenVINO takes no array that it may not write to, as those made of a message's bytes are.
        request.set_input_tensor(
            ov.Tensor(np.require(crossings, requirements=["C", "W"]), shared_memory=True)
        )
        request.infer()
        logits: NDArray[np.float32] = request.get_output_tensor(0).data.copy()
        return logits

    def read(self, body: bytes) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """One crossing and its grid out of bare bytes. Raises ValueError for another number of bytes."""
        grid = np.frombuffer(body, np.float32, 2 if self._gridded else 0)
        start = GRID_BYTES if self._gridded else 0
        return np.frombuffer(body, self.wire_dtype, offset=start).reshape(self.shape), grid

    def batch(self, read: Sequence[tuple[NDArray[Any], NDArray[np.float32]]]) -> NDArray[np.float32]:
        """What `read` gave, several, → (B, K)."""
        return self(np.stack([each for each, _ in read]), np.stack([grid for _, grid in read]))
