"""PyTorch in eager mode: the engine for GPUs. It runs the module that a bundle was made from."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING

import numpy as np
import torch

from shared.engines.base import Engine, contiguous, in_rows, joined
from shared.errors import EngineError, SettingsError
from shared.network.partition import INPUT, OUTPUT
from shared.torch_network.graph.outputs import flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.engines.half import Half, Kind, Segment, Tensors
    from shared.engines.probe import Probe
    from shared.network.partition import SplitPoint
    from shared.torch_network.partition import TorchPartition

_log = logging.getLogger(__name__)

_TYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_ANOTHER_NETWORK = 0.3
"""A relative error that no precision explains."""


class TorchEngine(Engine):
    """Runs on the CPU or one GPU. In float32 on the CPU it uses the module's own parameters, without a copy.

    It knows the split points that torch.fx finds; a bundle may have others.
    """

    name = "torch"

    def __init__(
        self,
        partition: TorchPartition | WholeModule,
        *,
        device: str = "cpu",
        precision: str = "float32",
        threads: int = 0,
        probe: Probe | None = None,
        reference: Callable[[], Engine] | None = None,
        one_by_one: bool = False,
    ) -> None:
        """`device` is `cpu`, `cuda` or `cuda:1`; `threads` 0 keeps torch's number. Raises SettingsError."""
        super().__init__(probe, reference, one_by_one=one_by_one)
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
        for point in (start, end):
            if point.name not in self._partition.points:
                raise EngineError(
                    f"torch cannot cut this network at {point.name}, which is found in the bundle's graph only"
                )
        module = self._partition.segment(start, end)
        return self._runner(module, start.shapes, f"the segment from {start.name} to {end.name}")

    @property
    def form(self) -> TorchForm:
        return self._form

    def _compile(self, kind: Kind, point: SplitPoint) -> Half:
        start, end = self._partition.ends
        run = self.segment(start, point) if kind == "head" else self.segment(point, end)

        def half(tensors: Tensors) -> Tensors:
            return self._form.unpack(run(self._form.pack(tensors)))

        where = f"torch in {self.precision} on {self.device}: the {kind} at {point.name}"
        return Guarded(
            in_rows(half) if self.one_by_one else half,
            lambda error: self.stand_in(error).require(kind, point),
            where,
        )

    def _suspicion(self, error: float) -> str:
        if self.precision != "float32" and error < _ANOTHER_NETWORK:
            return super()._suspicion(error)
        return ". It gives other answers than the bundle: was the weights file changed?"

    def _runner(self, module: torch.nn.Module, shapes: tuple[tuple[int, ...], ...], what: str) -> Segment:
        @torch.inference_mode()
        def run(given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            result: tuple[torch.Tensor, ...] = module(*given)
            return result

        try:
            if not self._plain:
                # All halves share the network's modules, and `to` changes them in place.
                module = copy.deepcopy(module).to(self._device, self._type)
                module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # missing in torch's types
            run(self._form.pack(tuple(np.zeros((1, *shape), np.float32) for shape in shapes)))
        except RuntimeError as error:
            raise EngineError(
                f"torch in {self.precision} on {self.device} cannot run {what}: {str(error).splitlines()[0]}"
            ) from error
        return run


class Guarded:
    """A half on a device whose memory may be too small for a batch, and that may fail: each frame is answered all the same.

    What does not fit is run in parts, from then on. When the device fails, the reference runs this half for good: after most of
    CUDA's errors no call of the process to the device succeeds any more.
    """

    def __init__(self, half: Half, instead: Callable[[EngineError], Half], what: str) -> None:
        """`instead` gives the reference's half, or raises the error that it is given."""
        self._half = half
        self._instead = instead
        self._what = what
        self._other: Half | None = None
        self._most = 0  # rows at once; 0: as many as come

    def __call__(self, tensors: Tensors) -> Tensors:
        """As any half. Raises EngineError if nothing can run it."""
        if self._other:
            return self._other(tensors)
        rows, most = len(tensors[0]), self._most  # which one of the parts may lower
        if 0 < most < rows:
            return joined(
                [self(tuple(each[at : at + most] for each in tensors)) for at in range(0, rows, most)]
            )
        try:
            return self._half(tensors)
        except RuntimeError as error:
            failed = error.with_traceback(None)  # whose frames hold the attempt's tensors
        if isinstance(failed, torch.OutOfMemoryError) and rows > 1:
            self._most = max(1, rows // 2)
            _log.warning("%s: no memory for %d at once; %d from now on", self._what, rows, self._most)
            torch.cuda.empty_cache()  # does nothing where CUDA was never used
        else:
            self._other = self._instead(EngineError(f"{self._what} failed: {str(failed).splitlines()[0]}"))
        return self(tensors)


class WholeModule:
    """In place of a partition: a module that torch.fx cannot cut, which runs as a whole only."""

    def __init__(
        self, module: torch.nn.Module, ends: tuple[SplitPoint, SplitPoint], outputs: tuple[str, ...]
    ) -> None:
        """`outputs` are the paths of the outputs in what the module returns, as a bundle lists them."""
        self.ends = ends
        self.points = {point.name: point for point in ends}
        self._module = _Flat(module, [""] if outputs == (OUTPUT,) else list(outputs))

    def segment(self, start: SplitPoint, end: SplitPoint) -> torch.nn.Module:
        """From the picture to a tuple of the outputs: there is no other segment."""
        assert (start.name, end.name) == (INPUT, OUTPUT)
        return self._module


class _Flat(torch.nn.Module):
    """A module that returns a tuple of its outputs, whatever they were wrapped in."""

    def __init__(self, module: torch.nn.Module, paths: list[str]) -> None:
        super().__init__()
        self.module = module
        self._paths = paths

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        returned = flatten(self.module(pictures), torch.Tensor)
        return tuple(returned[path] for path in self._paths)


class TorchForm:
    """Tensors on the engine's device, in its precision."""

    def __init__(self, device: torch.device, element_type: torch.dtype, *, channels_last: bool) -> None:
        self._device = device
        self._type = element_type
        self._channels_last = channels_last

    def pack(self, tensors: Tensors) -> tuple[torch.Tensor, ...]:
        packed = [torch.from_numpy(contiguous(each)).to(self._device, self._type) for each in tensors]
        if self._channels_last:
            packed = [
                each.contiguous(memory_format=torch.channels_last) if each.ndim == 4 else each
                for each in packed
            ]
        return tuple(packed)

    def gather(
        self, packed: tuple[torch.Tensor, ...] | None, callers: Sequence[Tensors]
    ) -> tuple[torch.Tensor, ...]:
        more = self.pack(joined(callers) if len(callers) > 1 else callers[0])
        return tuple(map(torch.cat, zip(packed, more, strict=True))) if packed else more

    def unpack(self, packed: tuple[torch.Tensor, ...]) -> Tensors:
        return tuple(each.float().contiguous().cpu().numpy() for each in packed)

    def copy(self, packed: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return packed  # each run makes new ones


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
