"""Measures what every option costs on this machine, once, and keeps the result.

One pass over the network for each picture gives all split points at once.
"""

from __future__ import annotations

import contextlib
import logging
import statistics
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from edge.calibration.pictures import Footage
from edge.planning.planner import Option
from shared.codecs import encode_frame
from shared.errors import SplitDNNError, WireError
from shared.network.partition import INPUT, OUTPUT
from shared.process.cache import Cache, key_of
from shared.process.machine import machine
from shared.tasks.agreement import joined
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from shared.codecs.base import Codec
    from shared.engines.half import Half, Tensors
    from shared.engines.load import Network
    from shared.engines.segmented import Segmented
    from shared.network.model import Model
    from shared.network.recipe import Recipe
    from shared.tasks.agreement import Agreement
    from shared.tasks.base import Task

Codecs = dict[str, dict[str, "Codec"]]
"""Codecs by split point and name; `output` has none."""

_log = logging.getLogger(__name__)

MIN_PICTURES = 8
MAX_SECONDS = 20.0
"""No further picture is begun after so long, once there were enough."""
_PICTURES = 48
_MAX_READ = 600
"""Frames of a long video: a start must not wait for its end."""
_BATCH = 8
_VERSION = 1
_OPTIONS = TypeAdapter(list[Option], config=ConfigDict(allow_inf_nan=False, extra="forbid"))


@dataclass
class _Way:
    """Measurements of one split point and codec."""

    codec: Codec
    encoder: Codec
    encode_s: list[float] = field(default_factory=list)
    decode_s: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    waiting: list[tuple[NDArray[np.float32], Tensors]] = field(default_factory=list)
    """What the tail is to be given, and the unsplit network's outputs, both for one frame."""
    agreements: list[Agreement] = field(default_factory=list)


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
    key = "survey-" + key_of(
        str(_VERSION), *_versions(), network.model.fingerprint.hex(), str(sorted(engine.items())), machine(), _identity(source),
        str(grayscale),
        *codecs, *(f"{point} {name} {codec.revision}" for point, each in codecs.items() for name, codec in each.items()),
    )  # fmt: skip
    cache = Cache(cache_dir)
    if (kept := from_json(cache.load_json(key))) is not None:
        return kept
    pictures, preprocess_s = _read(source, network.model.recipe, grayscale=grayscale)
    _log.info("surveying %d split points on %d pictures; this is done once", len(codecs), len(pictures))
    options = survey(chain, network.model, pictures, codecs, preprocess_s=preprocess_s)
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


def _read(source: str, recipe: Recipe, *, grayscale: bool) -> tuple[list[NDArray[np.uint8]], float]:
    """Pictures of the source itself if it can be read twice, else drawn ones; and the seconds to prepare one."""
    footage = Footage(source)
    if footage.live:
        _log.warning(
            "the source cannot be read twice, so bytes and agreement are those of drawn frames until its own correct the bytes"
        )
        footage = Footage(f"synthetic:fps=0,frames={4 * _PICTURES}")
    pictures = footage.read(recipe, _PICTURES, grayscale=grayscale, within=_MAX_READ)
    if not pictures:
        raise SplitDNNError(f"{footage.name}: no frame to survey the split points with")
    return pictures, footage.prepare_s


def survey(
    network: Segmented,
    model: Model,
    pictures: Sequence[NDArray[np.uint8]],
    codecs: Codecs,
    *,
    preprocess_s: float,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Option]:
    """Time, bytes and agreement of `codecs[split point][name]`, and of `output` if it is a key.

    `pictures`: (crop, crop, 3) uint8 RGB, at least one; as many are measured as fit into `MAX_SECONDS`. Every frame is
    encoded and decoded for real, and the tail runs on what was decoded. `preprocess_s` is added to every head's time.
    """
    start = clock()
    ways = {
        (point, name): _Way(codec, codec.for_stream())
        for point, each in codecs.items()
        for name, codec in each.items()
    }
    tails = {point.name: network.tail(point) for point in network.points}
    heads: defaultdict[str, list[float]] = defaultdict(list)
    task, count = make_task(model, Wanted()), 0
    for _ in network.walk((model.recipe.normalise(pictures[0])[None],)):
        pass  # the first run is slower
    for picture in pictures:
        tensors = (model.recipe.normalise(picture)[None],)
        crossings: dict[str, Tensors] = {INPUT: tensors}
        for point, crossing, seconds in network.walk(tensors, clock):
            heads[point.name].append(seconds)
            crossings[point.name] = crossing
        count += 1
        for (name, codec), way in list(ways.items()):
            array = picture if way.codec.carries == "picture" else crossings[name][0][0]
            try:
                tensor = _send(way, array, name, model, clock)
            except WireError as error:
                _log.warning("%s at %s is no choice: %s", codec, name, error)
                del ways[name, codec]
                continue
            way.waiting.append((tensor, tuple(output[0] for output in crossings[OUTPUT])))
            if len(way.waiting) == _BATCH:
                _compare(way, tails[name], task)
        if count >= MIN_PICTURES and clock() - start > MAX_SECONDS:
            break
    for (name, _), way in ways.items():
        _compare(way, tails[name], task)
    options = [_option(name, codec, way, heads, preprocess_s) for (name, codec), way in ways.items()]
    if OUTPUT in codecs:
        whole_s = statistics.median(heads[OUTPUT]) + preprocess_s
        options.append(Option(OUTPUT, None, whole_s, 0.0, 0.0, 0.0, 0.0, 1.0, count))
    _log.info("surveyed %d options on %d pictures in %.1f s", len(options), count, clock() - start)
    return options


def _send(
    way: _Way, array: NDArray[Any], point: str, model: Model, clock: Callable[[], float]
) -> NDArray[np.float32]:
    """Encode and decode `array` as edge and cloud do; returns what the cloud's tail is given."""
    begin = clock()
    frame = encode_frame(
        [array], way.encoder, split_point=point, fingerprint=model.fingerprint, frame_id=0, deadline_ms=1
    )
    data = wire.pack(frame)
    middle = clock()
    frame = wire.unpack(data)
    (sent,) = frame.tensors
    decoded = way.codec.decode(sent.params, sent.payload, sent.shape)
    tensor = model.recipe.normalise(decoded) if way.codec.carries == "picture" else decoded
    way.encode_s.append(middle - begin)
    way.decode_s.append(clock() - middle)
    way.sizes.append(len(data))
    return np.array(tensor, np.float32)


def _compare(way: _Way, tail: Half, task: Task) -> None:
    """Answer the frames that wait, and count how many answers are the unsplit network's."""
    if way.waiting:
        tensors = np.stack([tensor for tensor, _ in way.waiting])
        expected = tuple(
            np.stack(each) for each in zip(*(outputs for _, outputs in way.waiting), strict=True)
        )
        way.agreements.append(task.agreement(expected, tail((tensors,))))
        way.waiting = []


def _option(
    name: str, codec: str, way: _Way, heads: Mapping[str, list[float]], preprocess_s: float
) -> Option:
    whole_s = statistics.median(heads[OUTPUT])
    head_s = statistics.median(heads[name]) if name != INPUT else 0.0
    return Option(
        split_point=name,
        codec=codec,
        head_s=head_s + preprocess_s,
        encode_s=statistics.median(way.encode_s),
        decode_s=statistics.median(way.decode_s),
        tail_s=max(0.0, whole_s - head_s),
        frame_bytes=statistics.mean(way.sizes),
        agreement=joined(way.agreements).share,
        frames=len(way.sizes),
    )


def to_json(options: Sequence[Option]) -> list[dict[str, Any]]:
    """What `from_json` reads."""
    return [asdict(option) for option in options]


def from_json(value: Any) -> list[Option] | None:
    """Options that were kept; None for anything else."""
    try:
        return _OPTIONS.validate_python(value) or None
    except ValidationError:
        return None
