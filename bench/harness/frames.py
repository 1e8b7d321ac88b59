"""Frames for the load generator, made beforehand: real heads on real pictures, packed once, sent many times."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.harness.worker import Worker, serve
from shared.codecs import encode_frame, make_codec
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from bench.harness.network import Network
    from bench.harness.system import Setup

CODEC = "int8+zstd"


def build_frames(folder: Path, setup: Setup, points: Sequence[str], count: int, deadline_ms: int = 0) -> None:
    """`count` frames for each split point, in a process of its own: the caller stays without torch.

    Raises RuntimeError with what the process said.
    """
    with Worker("bench.harness.frames", setup) as worker:
        for point in points:
            worker.ask(folder=str(folder), split_point=point, count=count, deadline_ms=deadline_ms)


def read_frames(folder: Path, point: str) -> list[bytes]:
    """What `build_frames` has written. Raises FileNotFoundError if the folder has nothing of this split point."""
    frames = [path.read_bytes() for path in sorted(folder.glob(f"{point}-*.frame"))]
    if not frames:
        raise FileNotFoundError(f"{folder} holds no frames of {point}")
    return frames


def pack(network: Network, point: str, crossing: NDArray[np.float32], **header: Any) -> bytes:
    """One frame as the edge sends it; `crossing` is without the batch dimension."""
    codec, fingerprint = make_codec(CODEC), network.model.fingerprint
    frame = encode_frame(crossing, codec, split_point=point, fingerprint=fingerprint, **header)
    return wire.pack(frame)


def _writer(network: Network) -> Callable[..., None]:
    import torch

    @torch.inference_mode()
    def write(folder: str, split_point: str, count: int, deadline_ms: int) -> None:
        head = network.partition.head(network.partition.point(split_point))
        for number, tensor in enumerate(islice(network.tensors(), count)):
            crossing = head(torch.from_numpy(tensor))[0].numpy()
            frame = pack(network, split_point, crossing, frame_id=number, deadline_ms=deadline_ms)
            (Path(folder) / f"{split_point}-{number:04d}.frame").write_bytes(frame)

    return write


if __name__ == "__main__":
    serve(_writer)
