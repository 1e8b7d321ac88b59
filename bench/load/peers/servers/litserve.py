"""LitServe: an API class behind HTTP, with its batching."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import litserve
from fastapi import Body, Response

from bench.load.peers.servers.spec import Spec
from bench.load.peers.servers.tail import PeerTail

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Served(litserve.LitAPI):
    """As https://lightning.ai/docs/litserve shows an API with batching."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(max_batch_size=spec.max_batch, batch_timeout=spec.wait_s, api_path="/predict")
        self._told = spec

    def setup(self, device: str) -> None:
        del device
        self._tail = PeerTail(self._told)

    def decode_request(self, request: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        return self._tail.read(request)

    def batch(self, inputs: list[Any]) -> list[Any]:
        return inputs

    def predict(self, batch: list[Any]) -> NDArray[Any]:
        return self._tail.batch(batch)

    def unbatch(self, output: NDArray[Any]) -> list[Any]:
        return list(output)

    def encode_response(self, output: NDArray[Any]) -> Response:
        return Response(output.tobytes(), media_type="application/octet-stream")


# LitServe reads the annotations themselves, which are strings here, to tell a raw body from JSON.
Served.decode_request.__annotations__["request"] = Annotated[
    bytes, Body(media_type="application/octet-stream")
]
Served.encode_response.__annotations__["return"] = Response


if __name__ == "__main__":
    spec = Spec.read(sys.argv[1])
    server = litserve.LitServer(Served(spec), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=spec.port, generate_client_file=False, log_level="warning")
