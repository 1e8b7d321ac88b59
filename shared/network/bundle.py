"""A bundle: a network as data, in one folder. docs/bundle.md describes the format.

    bundle.json           see shared/network/manifest.py
    network.xml, .bin     the OpenVINO model, with a result at every split point
    probe.safetensors     probe pictures with the reference's outputs

Reading one needs neither torch nor OpenVINO.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.errors import ModelError
from shared.network.grid import Grid
from shared.network.manifest import MANIFEST, Manifest, read_manifest
from shared.network.model import Model
from shared.network.partition import Partition, SplitPoint
from shared.network.recipe import Recipe
from shared.process.digest import sha256_of
from shared.tasks.spec import TaskSpec

if TYPE_CHECKING:
    from pathlib import Path

FETCHED = "fetched"
"""An empty file beside those of a bundle that came from a cloud, which nobody here has looked at."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle that was read and checked."""

    folder: Path
    model: Model
    partition: Partition
    batch: int | None
    """1: the graph takes one picture at a time; None: any number."""
    source: dict[str, str | int | None]
    manifest: Manifest

    @property
    def network(self) -> Path:
        """The OpenVINO model."""
        return self.folder / "network.xml"

    @property
    def constants(self) -> Path:
        """The model's constants, which are mapped into memory."""
        return self.folder / "network.bin"

    @property
    def probe(self) -> Path:
        """The probe pictures and the reference's outputs."""
        return self.folder / "probe.safetensors"

    @property
    def fetched(self) -> bool:
        """Whether it came from a cloud: no code that its `source` names is run then."""
        return (self.folder / FETCHED).exists()


def read_bundle(folder: Path, *, verify: bool = True) -> Bundle:
    """Read the bundle in `folder`; `verify` compares every file with its SHA-256. Raises ModelError, one line."""
    manifest = read_manifest(folder / MANIFEST)
    if verify:
        verify_files(folder, manifest)
    return bundle_of(folder, manifest)


def bundle_of(folder: Path, manifest: Manifest) -> Bundle:
    """The bundle that a checked manifest describes. Raises ModelError for a recipe or labels that make no sense."""
    try:
        recipe = Recipe.from_fields(manifest.recipe)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"bundle {folder}: recipe: {error}") from None
    model = Model(
        name=manifest.name,
        weights=manifest.weights,
        recipe=recipe,
        labels=tuple(manifest.labels),
        fingerprint=bytes.fromhex(manifest.fingerprint),
        task=TaskSpec(
            manifest.task.name, manifest.task.activation, tuple(sorted(manifest.task.options.items()))
        ),
        outputs=tuple(manifest.outputs),
    )
    partition = Partition(
        SplitPoint(
            each.name,
            tuple(tuple(shape) for shape in each.shapes),
            each.head_macs,
            each.tail_macs,
            tuple(
                Grid(float(np.float32(grid.scale)), grid.zero_point) if grid else None for grid in each.grids
            ),
        )
        for each in manifest.split_points
    )
    batch = None if manifest.batch == "any" else manifest.batch
    return Bundle(folder, model, partition, batch, manifest.source, manifest)


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Compare size and SHA-256 of every file with the manifest. Raises ModelError."""
    for name, entry in manifest.files.items():
        path = folder / name
        try:
            size = path.stat().st_size
            if size == entry.bytes and sha256_of(path) == entry.sha256:
                continue
        except OSError as error:
            raise ModelError(f"bundle {folder}: {name}: {error.strerror or error}") from None
        raise ModelError(
            f"bundle {folder}: {name} is not the file that was written ({size} bytes, {entry.bytes} expected, or another "
            "SHA-256); make or copy the bundle again"
        )


class Verification:
    """Compares a bundle's files with their digests while the network is compiled from them: hashing leaves the interpreter to others.

    It begins at once, on a thread of its own. Nothing that was computed meanwhile is to be used before `passed` says so.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="verification", daemon=True)
        self._thread.start()

    def passed(self) -> bool:
        """Waits for the end; whether every file is the one that was written."""
        self._thread.join()
        return not self._failed

    def _run(self) -> None:
        try:
            verify_files(self._bundle.folder, self._bundle.manifest)
        except ModelError:  # whoever asks next reads the files again, and is told what is wrong
            self._failed = True


def previous_of(folder: Path) -> Path:
    """Where the bundle that `folder` replaced lies."""
    return _beside(folder, ".previous")


def float_of(folder: Path) -> Path:
    """Where the float32 bundle lies that the int8 bundle in `folder` was made of."""
    return _beside(folder, ".float")


def _beside(folder: Path, ending: str) -> Path:
    named = folder if folder.name not in ("", "..") else folder.resolve()  # as of `.`, which has no name
    return named.with_name(named.name + ending)


def float_beside(bundle: Bundle) -> Path | None:
    """The folder of the float32 bundle that an int8 one was made of, if it lies there; None for other bundles."""
    int8 = bundle.manifest.int8
    if int8 is None:
        return None
    folder = float_of(bundle.folder)
    return folder if fingerprint_in(folder) == int8.float_fingerprint else None


def fingerprint_in(folder: Path) -> str | None:
    """That of the bundle in `folder`; None if there is none that can be read."""
    try:
        return read_manifest(folder / MANIFEST).fingerprint
    except ModelError:
        return None
