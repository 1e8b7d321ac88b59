"""KServe's Python server: a model behind gRPC. It does not batch by itself; KServe does so in another container."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from grpc import aio
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

from bench.load.peers.servers.spec import Spec
from bench.load.peers.servers.tail import PeerTail


class Served(Model):
    """As https://kserve.github.io/website shows a custom predictor."""

    def __init__(self, spec: Spec) -> None:
        super().__init__("tail")
        self._tail = PeerTail(spec)
        self.ready = True

    async def predict(self, payload: InferRequest, headers: Any = None, response_headers: Any = None) -> Any:
        del headers, response_headers
        crossing, *grid = (each.as_numpy() for each in payload.inputs)
        logits = self._tail(crossing, *grid)
        output = InferOutput("logits", list(logits.shape), "FP32")
        output.set_data_from_numpy(logits)
        return InferResponse(payload.id, self.name, [output])


def main(spec: Spec) -> None:
    _stay_on_this_machine(spec.port)
    ModelServer(http_port=spec.other_port, grpc_port=spec.port, workers=1).start([Served(spec)])


def _stay_on_this_machine(port: int) -> None:
    """KServe listens on every address and offers no choice."""
    add = aio.Server.add_insecure_port
    aio.Server.add_insecure_port = lambda self, _: add(self, f"127.0.0.1:{port}")
    config = uvicorn.Config.__init__

    def local(self: Any, *given: Any, **named: Any) -> None:
        config(self, *given, **named | {"host": "127.0.0.1"})

    uvicorn.Config.__init__ = local


if __name__ == "__main__":
    main(Spec.read(sys.argv[1]))
