"""Which engine runs the network: the one that was asked for, or the fastest that passes its check."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from shared.engines.probe import Probe
from shared.engines.store import Store
from shared.engines.torch_engine import TorchEngine, usable_device
from shared.errors import EngineError, SettingsError
from shared.network.partition import INPUT, OUTPUT
from shared.process.memory import give_back

if TYPE_CHECKING:
    from shared.engines.base import Engine, Kind
    from shared.network.model import Model
    from shared.network.partition import Partition, SplitPoint

_log = logging.getLogger(__name__)

_TIMED_RUNS = 3


def make_engine(
    partition: Partition,
    model: Model,
    *,
    name: str = "auto",
    precision: str = "auto",
    device: str = "cpu",
    threads: int = 0,
    streams: int = 1,
    cache_dir: str = "",
    kind: Kind = "head",
    point: SplitPoint | None = None,
) -> Engine:
    """The engine of this name and precision; `auto` takes the fastest whose answers agree with torch's.

    `kind` and `point` say which half the choice is made by (by default the whole network): it is compiled, checked and
    timed. `threads` 0 leaves torch's number; `streams` halves may run at once. `cache_dir` is where converted networks
    and choices are kept, "" keeps none. Raises SettingsError for what cannot be had here and EngineError if what was
    asked for fails its check.
    """
    bench = _Workbench(partition, model, device, threads, streams, cache_dir)
    point = point or partition.point(OUTPUT)
    if (kind, point.name) in (
        ("head", INPUT),
        ("tail", OUTPUT),
    ):  # nothing is computed there: take the other half
        kind = "tail" if kind == "head" else "head"
    candidates = bench.candidates(name, precision)
    engine = None
    if len(candidates) > 1:
        key = bench.choice_key(kind, point, candidates)
        remembered = bench.store.recall(key)
        engine = _fastest(bench, [each for each in candidates if "/".join(each) == remembered], kind, point)
    if engine is None:
        problems: list[EngineError] = []
        engine = _fastest(bench, candidates, kind, point, problems)
        if engine is None:
            raise problems[0]
        if len(candidates) > 1 and not problems:
            bench.store.remember(key, f"{engine.name}/{engine.precision}")
    _log.info(
        "engine %s in %s on %s, %d threads", engine.name, engine.precision, engine.device, engine.threads
    )
    return engine


def _fastest(
    bench: _Workbench,
    candidates: list[tuple[str, str]],
    kind: Kind,
    point: SplitPoint,
    problems: list[EngineError] | None = None,
) -> Engine | None:
    """Of the candidates that pass their check; the others' errors are logged, and added to `problems`."""
    best: tuple[float, Engine] | None = None
    for candidate in candidates:
        try:
            engine = bench.build(*candidate)
            engine.require(kind, point)
            # One that was asked for, or chosen before, has nothing to be timed against.
            seconds = _seconds(engine, kind, point, bench.probe) if len(candidates) > 1 else 0.0
        except EngineError as error:
            if problems is None or str(error) not in map(str, problems):
                _log.warning("%s", error)
            if problems is not None:
                problems.append(error)
        else:
            _log.debug("%s in %s: %.1f ms", engine.name, engine.precision, 1e3 * seconds)
            if best is None or seconds < best[0]:
                best = seconds, engine
    return best and best[1]


class _Workbench:
    """What the candidates share: the reference and the converted network are made once, and only if one needs them."""

    def __init__(
        self, partition: Partition, model: Model, device: str, threads: int, streams: int, cache_dir: str
    ) -> None:
        self._partition = partition
        self._model = model
        self._device = usable_device(device)
        self._threads = threads or torch.get_num_threads()
        self._streams = streams
        # Path.expanduser raises where nobody's home is known, as in a container without a user's name.
        self.store = Store(Path(os.path.expanduser(cache_dir)) if cache_dir else None)  # noqa: PTH111
        self._reference = TorchEngine(partition, threads=self._threads)
        self.probe = Probe(partition.points, model.recipe, self._reference)

    def candidates(self, name: str, precision: str) -> list[tuple[str, str]]:
        """Engine and precision, the likely fastest first. Raises SettingsError if there is none."""
        names = ["openvino", "torch"] if name == "auto" else [name]
        if self._device.type != "cpu":
            if name == "openvino":
                raise SettingsError(
                    f"engine openvino computes on the CPU; on {self._device} accepted: torch, auto"
                )
            gpu = ("float16", "bfloat16", "float32") if precision == "auto" else (precision,)
            return [("torch", each) for each in gpu]
        found = []
        if "openvino" in names:
            from shared.engines.openvino.runtime import precisions  # noqa: PLC0415 - not where only torch is used

            native = precisions()
            found += [("openvino", each) for each in native if precision in ("auto", each)]
            if name == "openvino" and not found:
                raise SettingsError(
                    f"precision {precision} is not one that this CPU computes in openvino; accepted: "
                    f"auto, {', '.join(native)}"
                )
        if "torch" in names:
            found.append(("torch", "float32" if precision == "auto" else precision))
        return found

    def build(self, name: str, precision: str) -> Engine:
        """One candidate. Raises EngineError."""
        if name == "torch":
            if precision == "float32" and self._device.type == "cpu":
                return self._reference
            return TorchEngine(
                self._partition,
                device=str(self._device),
                precision=precision,
                threads=self._threads,
                probe=self.probe,
                reference=self._reference,
            )
        from shared.engines.openvino.engine import OpenVinoEngine  # noqa: PLC0415 - not where only torch is used

        model, constants = self._converted
        return OpenVinoEngine(
            model,
            self._partition.ends,
            precision=precision,
            threads=self._threads,
            streams=self._streams,
            probe=self.probe,
            reference=self._reference,
            constants=constants,
        )

    def choice_key(self, kind: Kind, point: SplitPoint, candidates: list[tuple[str, str]]) -> str:
        """Names a choice: what was to be run, by what, on what."""
        return _key(
            self._model.fingerprint.hex(), kind, point.name, str(candidates), str(self._device), str(self._threads),
            str(self._streams), platform.machine(), torch.__version__,
        )  # fmt: skip

    @property
    def _converted(self) -> tuple[Any, Path | None]:
        if isinstance(self._conversion, EngineError):
            raise self._conversion
        return self._conversion

    @cached_property
    def _conversion(self) -> tuple[Any, Path | None] | EngineError:
        """What cannot be converted is tried once."""
        try:
            return self._convert()
        except EngineError as error:
            return error

    def _convert(self) -> tuple[Any, Path | None]:
        """OpenVINO's model, and the file that its constants are mapped from, if they are."""
        from shared.engines.openvino import network  # noqa: PLC0415 - not where only torch is used
        from shared.engines.openvino.runtime import VERSION  # noqa: PLC0415

        key = _key(self._model.fingerprint.hex(), VERSION, torch.__version__)
        entry = self.store.find(key)
        if entry is None:
            start = time.perf_counter()
            model = network.convert(self._partition)
            _log.info("converted %s for openvino in %.1f s", self._model.name, time.perf_counter() - start)
            entry = self.store.add(key, lambda folder: network.save(model, folder / "network.xml"))
            if entry is None:
                return model, None
            del model
            give_back()
        return network.read(entry / "network.xml"), entry / "network.bin"


def _seconds(engine: Engine, kind: Kind, point: SplitPoint, probe: Probe) -> float:
    """Of one run for one picture, the fastest of a few: what else the machine does only adds. Raises EngineError."""
    part = engine.require(kind, point)
    given = probe.given(kind, point)[:1]
    fastest = float("inf")
    for _ in range(_TIMED_RUNS):
        start = time.perf_counter()
        part(given)
        fastest = min(fastest, time.perf_counter() - start)
    return fastest


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]
