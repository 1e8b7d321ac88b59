"""One tensor after another to our cloud, as a binary frame or as JSON: the same client but for the format."""

from __future__ import annotations

import http.client
import json
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench.harness.pace import Pace
from bench.harness.system import read_setup
from bench.harness.worker import serve
from bench.speed.head_reader import HeadReader
from shared.codecs import encode_frame
from shared.process.threads import limit_threads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.harness.network import Network

_CODEC = "int8+zstd"
_TIMEOUT_S = 300.0


class _Client:
    """What the worker answers."""

    def __init__(self, url: str, network: Network) -> None:
        self._address = urlsplit(url).netloc
        self._network = network
        self._engine = network.engine()

    def answer(self, contract: str, split_point: str, seconds: float, frames: int) -> dict[str, float]:
        """Frames/s and bytes/frame over so many seconds and at least so many frames (bench/harness/pace.py)."""
        encode = self._binary if contract == "binary" else self._json
        head = self._engine.head(self._network.partition.point(split_point))
        pace = Pace(seconds, frames)
        reader = HeadReader(self._network.tensors(), head)
        connection = http.client.HTTPConnection(self._address, timeout=_TIMEOUT_S)
        try:
            while pace.goes_on():
                body, content_type = encode(reader.take(), split_point)
                connection.request("POST", "/model", body, {"Content-Type": content_type})
                response = connection.getresponse()
                answer = json.loads(response.read())
                if response.status != 200:
                    raise RuntimeError(f"{response.status}: {answer.get('error')}")
                pace.answered(len(body))
        finally:
            reader.stop()
            connection.close()
        return pace.result()

    def _binary(self, crossing: NDArray[np.float32], split_point: str) -> tuple[bytes, str]:
        from shared.codecs import make_codec
        from shared.wire import frame as wire
        from shared.wire.http import CONTENT_TYPE

        fingerprint = self._network.model.fingerprint
        frame = encode_frame(
            crossing[0], make_codec(_CODEC), split_point=split_point, fingerprint=fingerprint, frame_id=0
        )
        return wire.pack(frame), CONTENT_TYPE

    def _json(self, crossing: NDArray[np.float32], split_point: str) -> tuple[bytes, str]:
        fields: dict[str, Any] = {"data": crossing.tolist(), "count": 0, "split_point": split_point}
        return json.dumps(fields).encode(), "application/json"


if __name__ == "__main__":
    _setup = read_setup(sys.argv[2])
    limit_threads(_setup.threads or 0)
    # Only now: torch reads the thread settings when it is imported.
    from bench.harness.network import load_network

    serve(_Client(sys.argv[1], load_network(_setup)).answer)
