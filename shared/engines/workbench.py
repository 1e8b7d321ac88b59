"""Builds the candidate engines among which `make_engine` chooses."""

from __future__ import annotations

import logging
import platform
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from shared.engines.probe import Probe
from shared.engines.torch_engine import TorchEngine, usable_device
from shared.errors import EngineError, SettingsError
from shared.process.cache import Cache, key_of
from shared.process.memory import give_back

if TYPE_CHECKING:
    from pathlib import Path

    from shared.engines.base import Engine
    from shared.engines.half import Kind
    from shared.network.model import Model
    from shared.network.partition import Partition, SplitPoint

_log = logging.getLogger(__name__)


class Workbench:
    """Holds what all candidates share: the reference, and the converted network, made once and only if needed."""

    def __init__(
        self, partition: Partition, model: Model, device: str, threads: int, streams: int, cache_dir: str
    ) -> None:
        """The arguments are those of `make_engine`. Raises SettingsError if there is no such device."""
        self._partition = partition
        self._model = model
        self._device = usable_device(device)
        self._threads = threads or torch.get_num_threads()
        self._streams = streams
        self.cache = Cache(cache_dir)
        self._reference = TorchEngine(partition, threads=self._threads)
        self.probe = Probe(partition.points, model.recipe, self._reference)

    def candidates(self, name: str, precision: str) -> list[tuple[str, str]]:
        """Engine and precision of each candidate, the likely fastest first. Raises SettingsError if there is none."""
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
            from shared.engines.openvino.runtime import precisions  # noqa: PLC0415 - slow, and torch alone needs none

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
        """Build one candidate. Raises EngineError if the network cannot be converted for it."""
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
        from shared.engines.openvino.engine import OpenVinoEngine  # noqa: PLC0415 - as above

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
        """The cache's name for a choice: network, half, candidates and machine."""
        return "choice-" + key_of(
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
        """The converted network, or the error: a conversion that fails is not tried again."""
        try:
            return self._convert()
        except EngineError as error:
            return error

    def _convert(self) -> tuple[Any, Path | None]:
        """OpenVINO's model, and the file that its constants are mapped from; None if they are in memory."""
        from shared.engines.openvino import network  # noqa: PLC0415 - as above
        from shared.engines.openvino.runtime import VERSION  # noqa: PLC0415

        name = "network-" + key_of(self._model.fingerprint.hex(), VERSION, torch.__version__)
        entry = self.cache.load_folder(name)
        if entry is None:
            start = time.perf_counter()
            model = network.convert(self._partition)
            _log.info("converted %s for openvino in %.1f s", self._model.name, time.perf_counter() - start)
            entry = self.cache.store_folder(name, lambda folder: network.save(model, folder / "network.xml"))
            if entry is None:
                return model, None
            del model
            give_back()
        return network.read(entry / "network.xml"), entry / "network.bin"
