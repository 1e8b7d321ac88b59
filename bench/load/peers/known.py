"""The servers that are compared: how each is run, what it is asked with, and what its documentation says of batching."""

from __future__ import annotations

from dataclasses import dataclass

from bench.load.peers.sending.answer import FRAMES, GRPC, RAW

OURS, BARE = "splitdnn", "bare"


@dataclass(frozen=True)
class Contender:
    """One row of the table."""

    name: str
    title: str
    """For people; `{version}` is that of `package`."""
    package: str
    protocol: str
    batching: str
    """As its documentation recommends."""

    @property
    def is_peer(self) -> bool:
        """Whether it needs an environment of its own."""
        return self.name not in (OURS, BARE)


_ADAPTIVE = "yes, up to the same batch, the same wait"
CONTENDERS = {
    each.name: each
    for each in (
        Contender(BARE, "bare tail, in process", "openvino", "", "one by one; full batches"),
        Contender(OURS, "SplitDNN {version}", "splitdnn", FRAMES, "as by default"),
        Contender("kserve", "KServe's Python server {version}, gRPC", "kserve", GRPC, "none: KServe batches in another container"),
        Contender("pytriton", "PyTriton {version}, gRPC", "nvidia-pytriton", GRPC, _ADAPTIVE),
        Contender("mlserver", "MLServer {version}, gRPC", "mlserver", GRPC, _ADAPTIVE),
        Contender("litserve", "LitServe {version}, HTTP", "litserve", RAW, _ADAPTIVE),
        Contender("ray", "Ray Serve {version}, HTTP", "ray", RAW, _ADAPTIVE),
    )
}  # fmt: skip
"""By name, in the order of the table."""
