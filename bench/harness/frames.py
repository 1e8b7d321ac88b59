"""Requests of the load generator, made beforehand: real heads on real frames, packed once, sent many times.

python -m bench.harness.frames FOLDER SETUP layer2,layer3 COUNT DEADLINE_MS
"""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.system import ROOT, environment, read_setup
from shared.codecs import encode_frame
from shared.process.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.harness.network import Network
    from bench.harness.system import Setup

CODEC = "int8+zstd"


def build_frames(folder: Path, setup: Setup, points: Sequence[str], count: int, deadline_ms: int = 0) -> None:
    """`count` frames for each split point, in a process of its own: the caller stays without torch.

    Raises CalledProcessError, whose stderr says why.
    """
    command = [
        sys.executable, "-m", "bench.harness.frames", str(folder), setup.json(), ",".join(points), str(count), str(deadline_ms),
    ]  # fmt: skip
    subprocess.run(command, check=True, cwd=ROOT, env=environment())


def read_frames(folder: Path, point: str) -> list[bytes]:
    """What `build_frames` left there. Raises FileNotFoundError if it is nothing for this split point."""
    frames = [path.read_bytes() for path in sorted(folder.glob(f"{point}-*.frame"))]
    if not frames:
        raise FileNotFoundError(f"{folder} holds no frames of {point}")
    return frames


def _write(folder: Path, network: Network, point: str, count: int, deadline_ms: int) -> None:
    import torch

    from shared.codecs import make_codec
    from shared.wire import frame as wire

    head = network.partition.head(network.partition.point(point))
    codec = make_codec(CODEC)
    for number, tensor in enumerate(islice(network.tensors(), count)):
        with torch.inference_mode():
            crossing = head(torch.from_numpy(tensor))[0].numpy()
        frame = encode_frame(
            crossing,
            codec,
            split_point=point,
            fingerprint=network.model.fingerprint,
            frame_id=number,
            deadline_ms=deadline_ms,
        )
        (folder / f"{point}-{number:04d}.frame").write_bytes(wire.pack(frame))


if __name__ == "__main__":
    _setup = read_setup(sys.argv[2])
    limit_threads(_setup.threads or 0)
    # Only now: torch reads the thread settings when it is imported.
    from bench.harness.network import load_network

    _network = load_network(_setup)
    for _point in sys.argv[3].split(","):
        _write(Path(sys.argv[1]), _network, _point, int(sys.argv[4]), int(sys.argv[5]))
