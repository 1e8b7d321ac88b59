"""Builds the candidate engines among which `make_engine` chooses."""

from __future__ import annotations

import importlib.util
import logging
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from shared.engines.choosing.choice_store import ChoiceStore
from shared.engines.probe import Probe
from shared.errors import EngineError, ModelError, SettingsError
from shared.network.manifest import MANIFEST, read_manifest
from shared.process.machine import machine, processor_features
from shared.process.threads import available_cores
from shared.torch_network.source import KINDS, refusal

if TYPE_CHECKING:
    from shared.engines.base import Engine
    from shared.engines.half import Kind
    from shared.engines.torch_engine import WholeModule
    from shared.network.bundle import Bundle
    from shared.network.partition import SplitPoint
    from shared.torch_network.partition import TorchPartition

_log = logging.getLogger(__name__)


class Workbench:
    """Holds what all candidates share: the probe, the reference and the networks, read or built once and only if needed."""

    def __init__(
        self, bundle: Bundle, *, device: str, threads: int, streams: int, weights: str | None
    ) -> None:
        """The arguments are those of `make_engine`. Raises SettingsError if the bundle cannot run on this device."""
        self._bundle = bundle
        self._weights = weights
        self._streams = streams
        self.reference_candidate = ("openvino", bundle.manifest.precision)
        self.threads = threads or available_cores()
        self._device = self._usable(device)
        self.probe = Probe(bundle, self.reference)

    def reference(self) -> Engine:
        """OpenVINO in the bundle's own precision, the same engine each time: what stands in for a half that fails."""
        return self._reference

    def candidates(self, name: str, precision: str) -> list[tuple[str, str]]:
        """Engine and precision of each candidate. Raises SettingsError if there is none."""
        if self.reference_candidate[1] == "int8":
            return self._int8(name, precision)
        if self._device != "cpu":
            if name == "openvino":
                raise SettingsError(
                    f"engine openvino computes on the CPU; on {self._device} accepted: torch, auto"
                )
            gpu = ("float16", "bfloat16", "float32") if precision == "auto" else (precision,)
            return [("torch", each) for each in gpu]
        if name == "torch":
            self._need_torch("engine torch")
            return [("torch", "float32" if precision == "auto" else precision)]
        from shared.engines.openvino.runtime import precisions  # noqa: PLC0415 - slow, and torch alone needs none

        native = precisions()
        found = [("openvino", each) for each in native if precision in ("auto", each)]
        if not found:
            raise SettingsError(
                f"precision {precision} is not one that this CPU computes in openvino; accepted: auto, {', '.join(native)}"
            )
        return found

    def _int8(self, name: str, precision: str) -> list[tuple[str, str]]:
        """An int8 network is computed in one way: with another on either side, edge and cloud would not run the same network."""
        if name == "torch" or precision not in ("auto", "int8"):
            asked = "engine torch" if name == "torch" else f"precision {precision}"
            raise SettingsError(
                f"{asked}: the bundle {self._bundle.folder} is int8, which openvino computes; give both sides the float32 bundle that it was made of"
            )
        return [self.reference_candidate]

    def build(self, name: str, precision: str) -> Engine:
        """Build one candidate. Raises EngineError, or ModelError if the source of a bundle is gone."""
        if (name, precision) == self.reference_candidate:
            return self._reference
        return self._torch(precision) if name == "torch" else self._openvino(precision)

    def choices(self, kind: Kind, point: SplitPoint, cache_dir: str) -> ChoiceStore:
        """Where choices by this half, of this network and machine, are kept."""
        return ChoiceStore(
            cache_dir, self._bundle.model.fingerprint.hex(), kind, point.name, self._device, str(self.threads),
            str(self._streams), machine(), processor_features(), *map(_version, ("openvino", "torch")),
        )  # fmt: skip

    def _usable(self, device: str) -> str:
        if self.reference_candidate[1] == "int8" and device not in ("cpu", "auto"):
            raise SettingsError(
                f"device {device!r}: the bundle {self._bundle.folder} is int8, which openvino computes on the CPU"
            )
        if (
            self.reference_candidate[1] == "int8"
            or device == "cpu"
            or (device == "auto" and self._torch_problem())
        ):
            return "cpu"
        self._need_torch(f"device {device!r}")
        from shared.engines.torch_engine import usable_device  # noqa: PLC0415 - brings torch

        return str(usable_device(device))

    def _torch_problem(self) -> str:
        """Why torch cannot run this bundle; empty if it can."""
        source = self._bundle.source
        if source.get("kind") not in KINDS:
            return f"{self._bundle.model.name} was made from {source.get('model')}, not from a torch module"
        if importlib.util.find_spec("torch") is None:
            return "torch is not installed here"
        return refusal(source, fetched=self._bundle.fetched)

    def _need_torch(self, what: str) -> None:
        if problem := self._torch_problem():
            raise SettingsError(f"{what}: {problem}; accepted: --device cpu with --engine openvino, or auto")

    @cached_property
    def _reference(self) -> Engine:
        return self._openvino(self.reference_candidate[1])

    def _openvino(self, precision: str) -> Engine:
        from shared.engines.openvino.engine import OpenVinoEngine  # noqa: PLC0415 - as above

        return OpenVinoEngine(
            self._network,
            self._bundle,
            precision=precision,
            threads=self.threads,
            streams=self._streams,
            probe=self.probe,
            reference=None if precision == self.reference_candidate[1] else self.reference,
        )

    def _torch(self, precision: str) -> Engine:
        from shared.engines.torch_engine import TorchEngine  # noqa: PLC0415 - brings torch

        return TorchEngine(
            self._partition,
            device=self._device,
            precision=precision,
            threads=self.threads,
            probe=self.probe,
            reference=self.reference,
            one_by_one=self._bundle.batch == 1,
        )

    @cached_property
    def _network(self) -> Any:
        from shared.engines.openvino import network  # noqa: PLC0415 - as above

        model = network.read(self._bundle)
        # The torch engine's reference may be needed for the first time when the folder has long held another bundle.
        folder = self._bundle.folder
        try:
            found = read_manifest(folder / MANIFEST).digest
        except ModelError as error:
            raise EngineError(str(error)) from None
        if found != self._bundle.manifest.digest:
            raise EngineError(
                f"bundle {folder}: another one was put there since this network was loaded; start again"
            )
        return model

    @cached_property
    def _partition(self) -> TorchPartition | WholeModule:
        from shared.engines.torch_engine import WholeModule  # noqa: PLC0415 - brings torch
        from shared.torch_network.partition import TorchPartition  # noqa: PLC0415 - brings torch
        from shared.torch_network.source import rebuild  # noqa: PLC0415 - only here

        model = self._bundle.model
        module = rebuild(self._bundle.source, weights=self._weights, fetched=self._bundle.fetched).module
        try:
            return TorchPartition(module, model.recipe.tensor_shape)
        except ModelError as error:
            _log.warning("%s; torch runs it as a whole, and openvino what is cut", error)
            return WholeModule(module, self._bundle.partition.ends, model.outputs)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
