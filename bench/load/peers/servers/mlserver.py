"""MLServer: a custom runtime behind gRPC, with its adaptive batching and its default pool of one worker process."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import numpy as np
from mlserver import MLModel, MLServer, Settings
from mlserver.codecs import NumpyCodec
from mlserver.settings import ModelSettings
from mlserver.types import InferenceRequest, InferenceResponse

from bench.load.peers.servers.spec import Spec
from bench.load.peers.servers.tail import PeerTail

_SPEC = "spec"


class Served(MLModel):
    """As https://docs.seldon.ai/mlserver shows a custom runtime."""

    async def load(self) -> bool:
        self._tail = PeerTail(Spec.read(json.dumps(self.settings.parameters.extra[_SPEC])))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        crossing, *grid = (NumpyCodec.decode_input(each) for each in payload.inputs)
        logits = self._tail(crossing, *(each.astype(np.float32) for each in grid))
        return InferenceResponse(
            id=payload.id,
            model_name=self.name,
            outputs=[NumpyCodec.encode_output("logits", logits)],
        )


async def _main(spec: Spec) -> None:
    root = Path(spec.folder)
    settings = Settings(
        debug=False,
        host="127.0.0.1",
        http_port=spec.other_port,
        grpc_port=spec.port,
        metrics_port=spec.third_port,
        metrics_dir=str(root),
        environments_dir=str(root / "environments"),
        grpc_max_message_length=-1,
    )
    model = ModelSettings(
        name="tail",
        implementation="bench.load.peers.servers.mlserver.Served",
        max_batch_size=spec.max_batch,
        max_batch_time=spec.wait_s,
        parameters={"extra": {_SPEC: json.loads(spec.text())}},
    )
    await MLServer(settings).start([model])


if __name__ == "__main__":
    asyncio.run(_main(Spec.read(sys.argv[1])))
