"""What a TensorFlow Lite file says of its pictures and classes.

Its metadata is a second flatbuffer in the first (https://ai.google.dev/edge/litert/conversion/tensorflow/metadata): the mean and
standard deviation of the pixels, and the name of the file of labels, which is in a ZIP archive at the file's end. The numbers below
are those of the fields in schema.fbs and metadata_schema.fbs.
"""

from __future__ import annotations

import io
import math
import mmap
import os
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.bundling.sources.flatbuffer import Table, root
from shared.bundling.sources.metadata import Said
from shared.limits import MAX_LABELS_BYTES
from shared.network.labels import parse_labels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DIALECT = "TensorFlow Lite"
_SUBGRAPHS, _BUFFERS, _METADATA = 2, 4, 6  # of a Model
_TENSORS, _INPUTS = 0, 1  # of a SubGraph
_TYPE, _QUANTIZATION = 1, 4  # of a Tensor
_SCALE, _ZERO_POINT = 2, 3  # of its quantisation
_SUBGRAPH_METADATA = 3  # of a ModelMetadata
_INPUT_METADATA, _OUTPUT_METADATA = 2, 3  # of a SubGraphMetadata
_PROCESS_UNITS, _ASSOCIATED_FILES = 4, 6  # of a TensorMetadata
_NORMALIZATION, _LABELS = 1, (2, 3)  # kinds of process units and of associated files
_MOVED = {3: 0.0, 9: 128.0}  # UINT8, INT8
_MOST = 64
"""Entries of a list of which there are a few in any honest file."""
_ARCHIVE_BYTES = 4 << 20
"""Read of a file's end. What an archive has before that does not count."""
_NEAR = 0.02
"""How far from 1 the step of a quantised input may be, in pixels' levels, for the two to be the same."""


class _Quantised(NamedTuple):
    """How the numbers of a quantised input stand for values: value = (number - zero) * step."""

    step: float
    zero: float
    moved: float
    """How far pixels of 0 to 255 are above the numbers of this type."""


def read_tflite(path: Path) -> Said:
    """Read it from the file at `path`. What makes no sense counts as absent. Raises OSError."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            given, metadata = _metadata(content)
            subgraph = metadata.item(_SUBGRAPH_METADATA, 0) if metadata else None
            recipe, notes = _recipe(subgraph, given)
            names = list(_label_files(subgraph))
    except ValueError:  # also of an empty file, and of a text that is not UTF-8
        recipe, notes, names = {}, (), []
    labels = _labels(path, names)
    return Said(_DIALECT if recipe or labels else None, recipe, labels, notes=notes)


def _metadata(content: mmap.mmap) -> tuple[_Quantised | None, Table | None]:
    """The first input's quantisation, and the metadata. Raises ValueError."""
    model = root(content, b"TFL3")
    graph = model.item(_SUBGRAPHS, 0)
    inputs = graph.numbers(_INPUTS, "i") if graph else ()
    tensor = graph.item(_TENSORS, int(inputs[0])) if graph and inputs else None
    kind = tensor.number(_TYPE, "<b") if tensor else None
    given = None
    if tensor and kind in _MOVED:
        quantization = tensor.table(_QUANTIZATION)
        steps = quantization.numbers(_SCALE, "f") if quantization else ()
        zeros = quantization.numbers(_ZERO_POINT, "q") if quantization else ()
        given = _Quantised(steps[0] if steps else 1.0, zeros[0] if zeros else 0.0, _MOVED[kind])
    for index in range(min(_MOST, model.length(_METADATA))):
        entry = model.item(_METADATA, index)
        if entry and entry.text(0) == "TFLITE_METADATA":
            buffer = model.item(_BUFFERS, entry.number(1, "<I"))
            if buffer:
                return given, root(buffer.content(0, buffer.length(0)), b"M001")
    return given, None


def _recipe(subgraph: Table | None, given: _Quantised | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Fields of the recipe, and notes. Raises ValueError."""
    tensor = subgraph.item(_INPUT_METADATA, 0) if subgraph else None
    for index in range(min(_MOST, tensor.length(_PROCESS_UNITS)) if tensor else 0):
        unit = tensor.item(_PROCESS_UNITS, index) if tensor else None
        options = unit.table(1) if unit and unit.number(0, "<B") == _NORMALIZATION else None
        if options:
            mean, std = _triple(options.numbers(0, "f")), _triple(options.numbers(1, "f"))
            if mean and std and all(value > 0 for value in std):
                return _fields(mean, std, given)
    return {}, ()


def _fields(
    mean: tuple[float, ...], std: tuple[float, ...], given: _Quantised | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """From the normalisation, which is of floating-point values, to that of the input's own numbers."""
    if given is None:
        return {"scale": 1.0, "mean": mean, "std": std}, ()
    # number = ((pixel - mean) / std) / step + zero. What a quantised input is for is that all this moves pixels at most.
    fits = all(
        abs(each * given.step - 1) <= _NEAR and abs(middle - given.zero - given.moved) <= 1
        for middle, each in zip(mean, std, strict=True)
    )
    if fits:
        return {"scale": 1.0, "mean": (given.moved,) * 3, "std": (1.0,) * 3}, ()
    note = (
        f"the file's metadata asks for (value - {mean[0]:g}) / {std[0]:g}, quantised as value / {given.step:g} + {given.zero:g}: that "
        "makes no whole pixels and is not taken; --recipe says how pixels become the input's numbers"
    )
    return {}, (note,)


def _triple(values: tuple[float, ...]) -> tuple[float, ...] | None:
    values = values * 3 if len(values) == 1 else values
    return values if len(values) == 3 and all(map(math.isfinite, values)) else None


def _label_files(subgraph: Table | None) -> Iterator[str]:
    """The names of the files of labels that belong to the outputs. Raises ValueError."""
    for index in range(min(_MOST, subgraph.length(_OUTPUT_METADATA)) if subgraph else 0):
        tensor = subgraph.item(_OUTPUT_METADATA, index) if subgraph else None
        for number in range(min(_MOST, tensor.length(_ASSOCIATED_FILES)) if tensor else 0):
            file = tensor.item(_ASSOCIATED_FILES, number) if tensor else None
            if file and file.number(2, "<b") in _LABELS:
                yield file.text(0)


def _labels(path: Path, names: list[str]) -> tuple[str, ...]:
    """From the archive at the file's end: the first of the files `names`, or else its only text."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _ARCHIVE_BYTES))
        end = io.BytesIO(file.read(_ARCHIVE_BYTES))
    try:
        with zipfile.ZipFile(end) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            texts = [name for name in entries if name.endswith(".txt")]
            wanted = [name for name in names if name in entries] or (texts if len(texts) == 1 else [])
            if not wanted or entries[wanted[0]].compress_type not in (
                zipfile.ZIP_STORED,
                zipfile.ZIP_DEFLATED,
            ):
                return ()
            with archive.open(entries[wanted[0]]) as text:
                return parse_labels(text.read(MAX_LABELS_BYTES + 1))
    except (ValueError, OSError, RuntimeError, EOFError, struct.error, zipfile.BadZipFile, zlib.error):
        return ()  # RuntimeError: an encrypted one, one that zipfile cannot unpack, and JSON that is too deep
