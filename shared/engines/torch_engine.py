"""PyTorch in eager mode: the reference that other engines are checked against, and the engine for GPUs."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch

from shared.engines.base import Engine, contiguous
from shared.errors import EngineError, SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.engines.half import Half, Kind, Segment
    from shared.engines.probe import Probe
    from shared.network.partition import Partition, SplitPoint

_TYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


class TorchEngine(Engine):
    """Runs on the CPU or one GPU. In float32 on the CPU it uses the network's own parameters, without a copy."""

    name = "torch"

    def __init__(
        self,
        partition: Partition,
        *,
        device: str = "cpu",
        precision: str = "float32",
        threads: int = 0,
        probe: Probe | None = None,
        reference: Engine | None = None,
    ) -> None:
        """`device` is `cpu`, `cuda` or `cuda:1`; `threads` 0 keeps torch's number. Raises SettingsError."""
        super().__init__(probe, reference)
        if threads:
            torch.set_num_threads(threads)
        self._device = usable_device(device)
        self._type = _TYPES[precision]
        self._partition = partition
        self._plain = self._device.type == "cpu" and precision == "float32"
        self._form = TorchForm(self._device, self._type, channels_last=not self._plain)
        self.precision = precision
        self.device = str(self._device)
        self.threads = torch.get_num_threads()

    def segment(self, start: SplitPoint, end: SplitPoint) -> Segment:
        return self._runner(self._partition.segment(start, end), start.shape, f"the segment up to {end.name}")

    @property
    def form(self) -> TorchForm:
        return self._form

    def _compile(self, kind: Kind, point: SplitPoint) -> Half:
        shape = self._partition.input_shape if kind == "head" else point.shape
        run = self._runner(getattr(self._partition, kind)(point), shape, f"the {kind} at {point.name}")
        return lambda tensors: self._form.unpack(run(self._form.pack(tensors)))

    def _runner(self, module: torch.nn.Module, shape: tuple[int, ...], what: str) -> Segment:
        if not self._plain:
            # All halves share the network's modules, and `to` changes them in place.
            module = copy.deepcopy(module).to(self._device, self._type)
            module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # missing in torch's types

        @torch.inference_mode()
        def run(given: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = module(given)
            return result

        try:
            run(self._form.pack(np.zeros((1, *shape), np.float32)))
        except RuntimeError as error:
            raise EngineError(
                f"torch in {self.precision} on {self.device} cannot run {what}: {str(error).splitlines()[0]}"
            ) from error
        return run


class TorchForm:
    """Tensors on the engine's device, in its precision."""

    def __init__(self, device: torch.device, element_type: torch.dtype, *, channels_last: bool) -> None:
        self._device = device
        self._type = element_type
        self._channels_last = channels_last

    def pack(self, tensors: NDArray[np.float32]) -> torch.Tensor:
        packed = torch.from_numpy(contiguous(tensors)).to(self._device, self._type)
        if self._channels_last and packed.ndim == 4:
            packed = packed.contiguous(memory_format=torch.channels_last)
        return packed

    def unpack(self, packed: torch.Tensor) -> NDArray[np.float32]:
        result: NDArray[np.float32] = packed.float().contiguous().cpu().numpy()
        return result


def usable_device(name: str) -> torch.device:
    """The device of this name; `auto` is a GPU if there is one. Raises SettingsError if it cannot be used."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter from a torch without CUDA
        reason = str(error).splitlines()[0]
        raise SettingsError(
            f"device {name!r} cannot be used here: {reason}; cpu always can, auto takes a GPU where there is one"
        ) from None
    return device
