"""The options of a network: as an earlier survey found them on this machine, or as one finds them now."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from edge.calibration.pictures import Footage
from edge.planning.making.survey import survey
from edge.planning.planner import Option
from shared.errors import SplitDNNError
from shared.process.cache.folder import Cache, key_of
from shared.process.machine import machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge.planning.making.survey import Codecs
    from shared.engines.load import Network
    from shared.engines.segmented import Segmented
    from shared.network.recipe import Recipe

_log = logging.getLogger(__name__)

_PICTURES = 48
_MAX_READ = 600
"""Frames of a long video: a start must not wait for its end."""
_RUN = 6
"""Pictures that follow each other, where a codec of streams is among the choices: its frames are small only after such."""
_VERSION = 3
"""Another one whenever an option's numbers are measured otherwise; 2: agreement is the task's own; 3: bytes are payloads."""
_OPTIONS = TypeAdapter(list[Option], config=ConfigDict(allow_inf_nan=False, extra="forbid"))


def options_of(
    network: Network,
    chain: Segmented,
    codecs: Codecs,
    *,
    source: str,
    grayscale: bool,
    cache_dir: str,
    keep: bool = True,
) -> list[Option]:
    """The options of `codecs`, as an earlier survey found them under the same circumstances, or else as one finds them now.

    `source` as `--source` takes it; `keep`: for later starts. Raises SplitDNNError if the source gives no picture.
    """
    engine = network.engine.describe()
    if network.engine.streams > 1:  # each has fewer threads, so a half takes longer
        engine["streams"] = network.engine.streams
    key = "survey-" + key_of(
        str(_VERSION), *_versions(), network.model.fingerprint.hex(), str(network.model.task), str(sorted(engine.items())), machine(), _identity(source),
        str(grayscale),
        *codecs, *(f"{point} {name} {codec.revision}" for point, each in codecs.items() for name, codec in each.items()),
    )  # fmt: skip
    cache = Cache(cache_dir)
    if (kept := from_json(cache.load_json(key))) is not None:
        return kept
    streams = any(codec.inter for each in codecs.values() for codec in each.values())
    run = _RUN if streams else 1
    pictures, preprocess_s = _read(source, network.model.recipe, grayscale=grayscale, run=run)
    _log.info("surveying %d split points on %d pictures; this is done once", len(codecs), len(pictures))
    options = survey(chain, network.model, pictures, codecs, preprocess_s=preprocess_s, run=run)
    if keep:
        cache.store_json(key, to_json(options))
    return options


def _versions() -> list[str]:
    """Those of the packages that an engine may compute with; an edge need not have them all."""
    found = []
    for name in ("openvino", "torch"):
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return found


def _identity(source: str) -> str:
    """The source's name, and the version of a file."""
    try:
        about = Path(source).stat()
    except (OSError, ValueError):
        return source
    return f"{source} {about.st_size} {about.st_mtime_ns}"


def _read(source: str, recipe: Recipe, *, grayscale: bool, run: int) -> tuple[list[NDArray[np.uint8]], float]:
    """Pictures of the source itself if it can be read twice, else drawn ones, `run` of which follow each other before the next are from
    elsewhere; and the seconds to prepare one.
    """
    footage = Footage(source)
    if footage.live:
        _log.warning(
            "the source cannot be read twice, so bytes and agreement are those of drawn frames until its own correct the bytes"
        )
        footage = Footage(f"synthetic:fps=0,frames={4 * _PICTURES}")
    pictures = footage.read(recipe, _PICTURES, grayscale=grayscale, within=_MAX_READ, run=run)
    if not pictures:
        raise SplitDNNError(f"{footage.name}: no frame to survey the split points with")
    return pictures, footage.prepare_s


def to_json(options: Sequence[Option]) -> list[dict[str, Any]]:
    """What `from_json` reads."""
    return [asdict(option) for option in options]


def from_json(value: Any) -> list[Option] | None:
    """Options that were kept; None for anything else."""
    try:
        return _OPTIONS.validate_python(value) or None
    except ValidationError:
        return None
