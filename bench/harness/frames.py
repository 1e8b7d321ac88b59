"""Frames for the load generator, made beforehand: real heads on real pictures, packed once, sent many times."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from bench.harness.worker import Worker
from shared.codecs import encode_frame, make_codec
from shared.codecs.symbols import at_point
from shared.engines.half import in_symbols
from shared.network.partition import INPUT
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.harness.network import Network
    from bench.harness.system import Setup

CODEC, OF_SYMBOLS = "int8+zstd", "uint8+zstd"
"""The latter is for what an int8 network has rounded itself."""


def build_frames(
    folder: Path,
    setup: Setup,
    points: Sequence[str],
    count: int,
    deadline_ms: int = 0,
    model: str = "resnet50",
) -> None:
    """`count` frames for each split point, in a process of its own: the caller stays small.

    Raises RuntimeError.
    """
    with Worker(_Frames, setup, model) as worker:
        for point in points:
            worker.ask(_Frames.write, folder, point, count, deadline_ms)


def build_picture(folder: Path, setup: Setup, codecs: Sequence[str], model: str = "resnet50") -> None:
    """The source's first picture, as the network takes it, as a frame for each codec: `CODEC.frame`. Raises RuntimeError."""
    with Worker(_Frames, setup, model) as worker:
        worker.ask(_Frames.write_picture, folder, tuple(codecs))


def read_frames(folder: Path, point: str) -> list[bytes]:
    """The frames that `build_frames` wrote. Raises FileNotFoundError if the folder has none for this split point."""
    frames = [path.read_bytes() for path in sorted(folder.glob(f"{point}-*.frame"))]
    if not frames:
        raise FileNotFoundError(f"{folder} holds no frames of {point}")
    return frames


class _Frames:
    def __init__(self, network: Network) -> None:
        self._network = network
        precision = network.bundle.manifest.precision
        self._engine = network.engine("openvino", "auto" if precision == "int8" else "float32")

    def write(self, folder: Path, point: str, count: int, deadline_ms: int) -> None:
        fingerprint, at = self._network.model.fingerprint, self._network.partition.point(point)
        head, codec = self._engine.head(at), make_codec(CODEC)
        if at.is_quantised:
            head, codec = in_symbols(head), at_point(make_codec(OF_SYMBOLS), at)
        for number, tensor in enumerate(islice(self._network.tensors(), count)):
            crossing = [each[0] for each in head((tensor,))]
            frame = encode_frame(
                crossing, codec,
                split_point=point, fingerprint=fingerprint, frame_id=number, deadline_ms=deadline_ms,
            )  # fmt: skip
            (folder / f"{point}-{number:04d}.frame").write_bytes(wire.pack(frame))

    def write_picture(self, folder: Path, codecs: Sequence[str]) -> None:
        from bench.harness.network import frames_of
        from edge.frames.preprocess import Preprocess

        shot = next(frames_of(self._network.setup.source))
        picture = Preprocess(self._network.model.recipe)(shot)
        for codec in codecs:
            frame = encode_frame(
                picture,
                make_codec(codec),
                split_point=INPUT,
                fingerprint=self._network.model.fingerprint,
                frame_id=1,
            )
            (folder / f"{codec}.frame").write_bytes(wire.pack(frame))
