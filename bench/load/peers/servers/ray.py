"""Ray Serve: one replica of a deployment behind its HTTP proxy, with its batching."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import ray
from ray import serve

from bench.load.peers.servers.spec import Spec
from bench.load.peers.servers.tail import PeerTail

if TYPE_CHECKING:
    from starlette.requests import Request

_OBJECT_STORE_BYTES = 100 << 20


def application(spec: Spec) -> Any:
    """As https://docs.ray.io/en/latest/serve shows dynamic request batching."""
    from starlette.responses import Response

    @serve.deployment(max_ongoing_requests=64, ray_actor_options={"num_cpus": 1})
    class Served:
        def __init__(self, spec: Spec) -> None:
            self._tail = PeerTail(spec)

        @serve.batch(max_batch_size=spec.max_batch, batch_wait_timeout_s=spec.wait_s)
        async def _run(self, read: list[Any]) -> list[bytes]:
            return [each.tobytes() for each in self._tail.batch(read)]

        async def __call__(self, request: Request) -> Response:
            logits = await self._run(self._tail.read(await request.body()))
            return Response(logits, media_type="application/octet-stream")

    deployment: Any = Served
    return deployment.bind(spec)


def main(spec: Spec) -> None:
    ray.init(
        num_cpus=2, include_dashboard=False, object_store_memory=_OBJECT_STORE_BYTES, log_to_driver=False,
        _node_ip_address="127.0.0.1", _temp_dir=spec.folder,
        # Ray gives a replica that is promised one core one thread; the spec says how many the tail has.
        runtime_env={"env_vars": {"OMP_NUM_THREADS": str(spec.threads)}},
    )  # fmt: skip
    serve.start(http_options={"host": "127.0.0.1", "port": spec.port})
    serve.run(application(spec), name="tail", route_prefix="/predict", blocking=True)


if __name__ == "__main__":
    main(Spec.read(sys.argv[1]))
