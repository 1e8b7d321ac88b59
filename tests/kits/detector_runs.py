"""A detector that runs as edge and cloud, and what it must see in the first frames of a source."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from kits import boxes as boxes_kit
from kits import colour_detector as detector_kit
from kits.common import DATA
from kits.deployments import ComposeDeployment, LocalDeployment, docker_answers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kits.deployments import Deployment

    from shared.network.bundle import Bundle

FILES = ("weights/fastestdet.onnx", "weights/fastestdet-labels.txt", "videos/bottle-detection.mp4")
CAMERA = "synthetic:fps=0,width=160,height=120"
FRAMES = 60


@dataclass(frozen=True)
class Detector:
    """The system at work, and the network in one piece."""

    bundle: Bundle
    unsplit: boxes_kit.Unsplit
    system: Deployment
    source: str

    @cached_property
    def expected(self) -> list[list[boxes_kit.Box]]:
        """The boxes of each frame."""
        return self.unsplit.boxes_of(self.source, FRAMES)

    def records(self, frames: int = FRAMES, **settings: str) -> list[dict[str, Any]]:
        """What an edge makes of the first frames of the source, which must all be there."""
        run = self.system.edge(**{"source": self.source, "frames": str(frames)} | settings)
        records = run.finish(300)
        assert [record["frame"] for record in records] == list(range(frames)), run.said()
        return records

    def check(self, records: list[dict[str, Any]], *answered_by: str) -> None:
        """Every box, whoever answered."""
        assert {record["answered_by"] for record in records} == set(answered_by)
        assert boxes_kit.differences(records, self.expected, self.unsplit.threshold) == []


@contextlib.contextmanager
def detecting(name: str, files: Path, *, compose: bool = False) -> Iterator[Detector]:
    """`colours`, or `fastestdet` on a clip where they are beside the project; its files are in the folder `files`."""
    if name == "colours":
        network, labels, source, recipe = *detector_kit.write_detector(files), CAMERA, ""
    else:
        network, labels, source = _copied(files)
        recipe = "channels=BGR"
    if compose and not docker_answers():
        pytest.skip("no Docker engine answers")
    flags = ["--recipe", recipe] if recipe else []
    bundle = detector_kit.make_bundle(network, labels, files / "bundle", *flags)
    settings = {"model": str(bundle.folder), "precision": "float32"}
    if compose:  # where the service `bundle` makes it anew, as another user than this one
        files.chmod(0o755)
        settings |= {"model": str(network), "labels": str(labels), "recipe": recipe}
    system = ComposeDeployment(files, **settings) if compose else LocalDeployment(**settings)
    try:
        yield Detector(bundle, boxes_kit.Unsplit(network, bundle), system, source)
    finally:
        system.close()


def _copied(files: Path) -> tuple[Path, Path, str]:
    """Network, labels and clip in one folder, as a container sees them."""
    missing = [name for name in FILES if not (DATA / name).is_file()]
    if missing:
        pytest.skip(f"not beside the project: {', '.join(missing)}")
    network, labels, clip = (shutil.copy(DATA / name, files) for name in FILES)
    return network, labels, str(clip)
