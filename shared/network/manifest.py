"""`bundle.json`: what a bundle says of itself, with every value checked, as it may come from another machine."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import ModelError
from shared.limits import (
    CONTROL,
    FINGERPRINT_BYTES,
    MAX_BUNDLE_FILE_BYTES,
    MAX_DIMENSION,
    MAX_ELEMENTS,
    MAX_GRAPH_BYTES,
    MAX_LABEL_CHARACTERS,
    MAX_LABELS,
    MAX_MANIFEST_BYTES,
    MAX_RANK,
    MAX_SPLIT_POINT_BYTES,
    MAX_TENSORS,
)
from shared.network.partition import INPUT, OUTPUT
from shared.process.digest import sha256_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SCHEMA = 2
"""The newest version of the format that this code reads. It writes 1 where that says everything."""
_TASKS_OF_1 = ("classify", "raw")
MANIFEST = "bundle.json"
_MAX_MACS = 1 << 60
_GRAPH = "network.xml"
FILES = (_GRAPH, "network.bin", "probe.safetensors")
"""Every file but the manifest. A bundle has exactly these."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Strict):
    """A file of the bundle."""

    bytes: int = Field(ge=0, le=MAX_BUNDLE_FILE_BYTES)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class PointEntry(_Strict):
    """A split point."""

    name: str = Field(min_length=1)
    shapes: list[list[int]] = Field(min_length=1, max_length=64)
    head_macs: int = Field(ge=0, le=_MAX_MACS)
    tail_macs: int = Field(ge=0, le=_MAX_MACS)


class TaskEntry(_Strict):
    """What the outputs mean."""

    name: str = Field(min_length=1, max_length=64)
    activation: Literal["softmax", "sigmoid", "none"] = "softmax"
    options: dict[str, str | int | float | bool] = Field(default={}, max_length=64)


class Manifest(_Strict):
    """The content of bundle.json. Every value is checked, as a bundle may come from another machine."""

    schema_version: int = Field(alias="schema")
    name: str = Field(min_length=1, max_length=256)
    weights: str = Field(max_length=1024)
    source: dict[str, str | int | None]
    """How it was made; see docs/bundle.md. The torch engine builds the network from it again."""
    made_with: dict[str, str]
    """Versions of the packages that made it."""
    fingerprint: str = Field(pattern=f"^[0-9a-f]{{{2 * FINGERPRINT_BYTES}}}$")
    task: TaskEntry
    labels: list[Annotated[str, Field(max_length=MAX_LABEL_CHARACTERS)]] = Field(max_length=MAX_LABELS)
    recipe: dict[str, Any]
    batch: Literal["any", 1]
    """How many pictures the graph takes at once."""
    precision: Literal["float32"]
    """In which the constants are stored."""
    outputs: list[str] = Field(min_length=1, max_length=64)
    split_points: list[PointEntry] = Field(min_length=2, max_length=10_000)
    files: dict[str, FileEntry]
    digest: str = Field(pattern="^[0-9a-f]{64}$")
    """SHA-256 of this manifest without this key, as canonical JSON: it shows a change by hand."""


def read_manifest(path: Path) -> Manifest:
    """Read and check bundle.json. Raises ModelError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise ModelError(f"bundle {path.parent}: {path.name}: {error.strerror or error}") from None
    return parse_manifest(data, f"bundle {path.parent}")


def parse_manifest(data: bytes, what: str) -> Manifest:
    """Check the bytes of a bundle.json. Raises ModelError that begins with `what`."""
    if len(data) > MAX_MANIFEST_BYTES:
        raise ModelError(f"{what}: {MANIFEST} is longer than {MAX_MANIFEST_BYTES} bytes")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{what}: {MANIFEST} is not JSON ({error})") from None
    found = fields.get("schema") if isinstance(fields, dict) else None
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise ModelError(f"{what}: {MANIFEST} names no schema version; accepted: 1 to {SCHEMA}")
    if found > SCHEMA:
        raise ModelError(
            f"{what}: schema {found} is newer than this version of splitdnn reads (1 to {SCHEMA}); update splitdnn, "
            "or make the bundle again with this version"
        )
    if fields.get("digest") != digest_of(fields):
        raise ModelError(f"{what}: {MANIFEST} was changed after it was written; make the bundle again")
    try:
        manifest = Manifest.model_validate(fields)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(each) for each in problem["loc"])
        raise ModelError(f"{what}: {MANIFEST}: {where}: {problem['msg']}") from None
    _check(manifest, what)
    needed = _schema_of(fields)
    if found < needed:
        raise ModelError(
            f"{what}: {MANIFEST} says schema {found} and holds what only schema {needed} has; make the bundle again"
        )
    return manifest


def digest_of(fields: dict[str, Any]) -> str:
    """SHA-256 of the manifest's other keys, as JSON with sorted keys and without spaces."""
    rest = {key: value for key, value in fields.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _check(manifest: Manifest, what: str) -> None:
    if set(manifest.files) != set(FILES):
        raise ModelError(
            f"{what}: lists the files {', '.join(sorted(manifest.files))}; accepted: {', '.join(FILES)}"
        )
    if manifest.files[_GRAPH].bytes > MAX_GRAPH_BYTES:
        raise ModelError(
            f"{what}: {_GRAPH} has {manifest.files[_GRAPH].bytes} bytes; accepted: {MAX_GRAPH_BYTES}"
        )
    points = manifest.split_points
    names = [point.name for point in points]
    if (names[0], names[-1]) != (INPUT, OUTPUT) or len(set(names)) != len(names):
        raise ModelError(f"{what}: its split points do not go from {INPUT} to {OUTPUT}, each named once")
    told = (manifest.task.name, *(str(each) for pair in manifest.task.options.items() for each in pair))
    for text in (manifest.name, manifest.weights, *told, *manifest.labels, *manifest.outputs, *names):
        if CONTROL.search(text):
            raise ModelError(f"{what}: {text[:80]!a} has control characters; accepted: text of one line")
    shapes = points[-1].shapes
    if len(shapes) != len(manifest.outputs) or not all(_is_size(shape) for shape in shapes):
        raise ModelError(
            f"{what}: its outputs have the sizes {str(shapes)[:80]}; accepted: one for each of {len(manifest.outputs)}, of at most "
            f"{MAX_ELEMENTS} elements"
        )
    for point in points[:-1]:
        if len(point.shapes) > MAX_TENSORS:
            raise ModelError(
                f"{what}: at the split point {point.name[:80]} {len(point.shapes)} tensors cross; accepted: 1 to {MAX_TENSORS}"
            )
        if not fits_the_wire(point.name, point.shapes):
            raise ModelError(
                f"{what}: the split point {point.name[:80]} is too large for a frame: {str(point.shapes)[:80]}; accepted: "
                f"{MAX_ELEMENTS} elements in all"
            )


def _is_size(shape: Sequence[int]) -> bool:
    elements = 1
    for length in shape:
        if not 1 <= length <= MAX_ELEMENTS:
            return False
        elements *= length
    return len(shape) > 0 and elements <= MAX_ELEMENTS


def fits_the_wire(name: str, shapes: Sequence[Sequence[int]]) -> bool:
    """Whether frames can carry float32 tensors of these shapes, without the batch dimension, for a split point of this name."""
    return (
        1 <= len(shapes) <= MAX_TENSORS
        and all(
            1 <= len(shape) <= MAX_RANK and all(1 <= length <= MAX_DIMENSION for length in shape)
            for shape in shapes
        )
        and sum(map(math.prod, shapes)) <= MAX_ELEMENTS
        and len(name.encode()) <= MAX_SPLIT_POINT_BYTES
    )


def write_manifest(folder: Path, fields: dict[str, Any]) -> None:
    """Complete `fields` with the files' digests, check them and write bundle.json. Raises ModelError or OSError."""
    files = {}
    for name in FILES:
        path = folder / name
        files[name] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    fields = {"schema": _schema_of(fields), **fields, "files": files}
    fields["digest"] = digest_of(fields)
    data = json.dumps(fields, indent=1).encode()
    parse_manifest(data, f"bundle {folder}")
    (folder / MANIFEST).write_bytes(data)


def _schema_of(fields: dict[str, Any]) -> int:
    """The oldest version that has what these fields use: 2 for several tensors at a split point, and for tasks with options or new
    names.
    """
    several = any(len(point["shapes"]) > 1 for point in fields["split_points"] if point["name"] != OUTPUT)
    task = fields["task"]
    return 2 if several or task["name"] not in _TASKS_OF_1 or task.get("options") else 1
