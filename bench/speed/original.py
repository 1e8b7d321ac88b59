"""The system that this one began as, rebuilt from its description to be measured against.

A Tornado server whose `POST /model` takes `{"data": nested lists, "count": n}`, runs the tail in torch eager in the handler
itself and answers `{"result": …, "count": n}`; a client with a queue of two, filled by a thread that reads the video and
runs the head in torch eager, which sends one request at a time as JSON. Threads are as OpenMP chooses them by itself.

    python -m bench.speed.original server PORT SETUP
    python -m bench.speed.original client PORT SETUP        told what to do as bench/harness/worker.py says
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from functools import cache
from typing import TYPE_CHECKING

import torch
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.web import Application, RequestHandler

from bench.harness.network import load_network
from bench.harness.pace import Pace
from bench.harness.system import read_setup
from bench.harness.worker import serve
from bench.speed.head_reader import HeadReader

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from bench.harness.network import Network

    Run = Callable[[torch.Tensor], torch.Tensor]

_TIMEOUT_S = 300.0


class _ModelHandler(RequestHandler):
    def initialize(self, tail: Callable[[str], Run]) -> None:
        self._tail = tail

    def post(self) -> None:
        # Which tail is the one thing the original did not ask: it had one. It costs nothing here.
        tail = self._tail(self.get_query_argument("split_point"))
        fields = json.loads(self.request.body)
        with torch.no_grad():
            result = tail(torch.tensor(fields["data"]))
        self.write({"result": result.tolist(), "count": fields["count"]})


async def _serve(port: int, network: Network) -> None:
    @cache
    def tail(split_point: str) -> Run:
        return network.partition.tail(network.partition.point(split_point))

    app = Application([("/model", _ModelHandler, {"tail": tail})], log_function=lambda _handler: None)
    app.listen(port, "127.0.0.1")
    await asyncio.Event().wait()


class _Client:
    """What the worker answers."""

    def __init__(self, port: int, network: Network) -> None:
        self._url = f"http://127.0.0.1:{port}/model?split_point="
        self._network = network

    def answer(self, split_point: str, seconds: float, frames: int) -> dict[str, float]:
        """Frames/s and bytes/frame over so many seconds and at least so many frames (bench/harness/pace.py)."""
        run = self._network.partition.head(self._network.partition.point(split_point))

        def head(tensor: NDArray[np.float32]) -> torch.Tensor:
            with torch.no_grad():
                result: torch.Tensor = run(torch.from_numpy(tensor))
            return result

        reader = HeadReader(self._network.tensors(), head)
        try:
            return asyncio.run(self._send(reader, split_point, Pace(seconds, frames)))
        finally:
            reader.stop()

    async def _send(self, reader: HeadReader, split_point: str, pace: Pace) -> dict[str, float]:
        client = AsyncHTTPClient()
        count = 0
        while pace.goes_on():
            tensor = reader.take()  # blocks the loop, as nothing else is on it
            body = json.dumps({"data": tensor.tolist(), "count": count})
            request = HTTPRequest(
                self._url + split_point,
                "POST",
                body=body,
                connect_timeout=_TIMEOUT_S,
                request_timeout=_TIMEOUT_S,
            )
            answer = json.loads((await client.fetch(request)).body)
            assert answer["count"] == count
            pace.answered(len(body))
            count += 1
        client.close()
        return pace.result()


if __name__ == "__main__":
    _port, _network = int(sys.argv[2]), load_network(read_setup(sys.argv[3]))
    if sys.argv[1] == "server":
        asyncio.run(_serve(_port, _network))
        os._exit(0)
    serve(_Client(_port, _network).answer)
