"""PyTriton: Triton's own server, which hands batches to a function of this process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from bench.load.peers.servers.spec import Spec
from bench.load.peers.servers.tail import PeerTail

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MICROSECONDS = 1e6


def main(spec: Spec) -> None:
    tail = PeerTail(spec)

    @batch
    def infer(crossing: NDArray[Any], grid: NDArray[np.float32] | None = None) -> dict[str, Any]:
        return {"logits": tail(crossing, grid)}

    inputs = [Tensor(name="crossing", dtype=tail.wire_dtype.type, shape=tail.shape)]
    if spec.gridded:
        inputs.append(Tensor(name="grid", dtype=np.float32, shape=(2,)))
    config = ModelConfig(
        max_batch_size=spec.max_batch,
        batching=True,
        batcher=DynamicBatcher(max_queue_delay_microseconds=int(spec.wait_s * _MICROSECONDS)),
    )
    ports = TritonConfig(
        http_address="127.0.0.1", http_port=spec.other_port, grpc_address="127.0.0.1", grpc_port=spec.port,
        metrics_address="127.0.0.1", metrics_port=spec.third_port,
    )  # fmt: skip
    with Triton(config=ports, workspace=str(Path(spec.folder) / "workspace")) as triton:
        triton.bind(
            model_name="tail",
            infer_func=infer,
            inputs=inputs,
            outputs=[Tensor(name="logits", dtype=np.float32, shape=(-1,))],
            config=config,
        )
        triton.serve()


if __name__ == "__main__":
    main(Spec.read(sys.argv[1]))
