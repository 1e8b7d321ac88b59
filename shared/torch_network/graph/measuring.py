"""What the values of a graph are, found by running it: shapes, numbers, and the work up to each of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Measurements(fx.Interpreter):
    """Runs a graph once and records what its values are, without keeping them."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.tensors: dict[fx.Node, tuple[tuple[int, ...], torch.dtype]] = {}
        """Shape (with the batch dimension) and type of each value that is a tensor."""
        self.others: dict[fx.Node, Any] = {}
        """Each value that is none."""
        self.operations_before: dict[fx.Node, int] = {}
        """Multiplications and additions up to and including the node."""

    def run(self, *args: Any, **kwargs: Any) -> Any:
        # torch has no formulas for the fused attention kernels, only for the plain ones.
        fast_path = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        self._counter = _WorkCounter()
        try:
            with torch.no_grad(), self._counter, sdpa_kernel(SDPBackend.MATH):
                return super().run(*args, **kwargs)
        finally:
            torch.backends.mha.set_fastpath_enabled(fast_path)

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        self.operations_before[n] = self._counter.operations
        if isinstance(value, torch.Tensor):
            self.tensors[n] = (tuple(value.shape), value.dtype)
        elif n.op != "output":
            self.others[n] = _without_tensors(value)
        return value


def _without_tensors(value: Any) -> Any:
    """Numbers are kept, tensors only counted: they would be in memory until the end."""
    if isinstance(value, torch.Tensor):
        return torch.Tensor
    if isinstance(value, tuple | list):
        return tuple(_without_tensors(item) for item in value)
    return value


class _WorkCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the operations of everything that runs under it, by torch's own formulas.

    torch's FlopCounterMode does the same, but its first operation imports torch's compiler: a second, and 70 MB.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled, so the compiler need not be told to keep out

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        if formula:
            self.operations += formula(*args, **(kwargs or {}), out_val=result)
        return result
