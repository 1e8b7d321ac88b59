"""What a value of the graph is, as far as it can be known while the graph is being traced: its shape, and what follows from that.

Every operation is repeated, once it is asked for, on tensors that have shapes but no values, for two sizes of batch. What both
agree on holds for every batch.
"""

from __future__ import annotations

import contextlib
import operator
from typing import TYPE_CHECKING, Any

import torch
from torch import fx
from torch.func import functional_call

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCHES = (2, 3)
_CALL, _GETATTR = torch.nn.Module.__call__, torch.nn.Module.__getattr__


class ShadowValues:
    """The shadow values of one graph's nodes."""

    def __init__(self, root: torch.nn.Module, input_shape: tuple[int, ...]) -> None:
        self._root = root
        self._input_shape = input_shape
        self._values: dict[fx.Node, tuple[Any, ...]] = {}

    def of(self, node: fx.Node) -> tuple[Any, ...]:
        """The node's value for each size of batch. Raises whatever its operations raise."""
        stack = [node]
        while stack:
            missing = [each for each in stack[-1].all_input_nodes if each not in self._values]
            if missing:
                stack += missing
                continue
            last = stack.pop()
            if last not in self._values:
                with _as_if_not_traced(), torch.device("meta"), torch.no_grad():
                    self._values[last] = tuple(
                        self._run(last, index, batch) for index, batch in enumerate(_BATCHES)
                    )
        return self._values[node]

    def forget(self, node: fx.Node) -> None:
        """The node was removed from the graph."""
        self._values.pop(node, None)

    def _run(self, node: fx.Node, index: int, batch: int) -> Any:
        args, kwargs = fx.map_arg((node.args, node.kwargs), lambda each: self._values[each][index])
        if node.op == "placeholder":
            return torch.empty(batch, *self._input_shape)
        if node.op == "get_attr":
            return _without_values(operator.attrgetter(str(node.target))(self._root))
        if node.op == "call_module":
            module = self._root.get_submodule(str(node.target))
            state = {name: _without_values(value) for name, value in module.state_dict().items()}
            return functional_call(module, state, args, kwargs)
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        return node.target(*args, **kwargs)  # type: ignore[operator]


def ask_shadow(proxy: fx.Proxy) -> Any:
    """The value of a proxy that is no tensor. Raises TraceError if it is not known, or not the same for every batch."""
    one, other = _values_of(proxy)
    if _has_tensors(one):
        raise fx.proxy.TraceError("its code looks at the values of a tensor")
    if one != other:
        raise fx.proxy.TraceError("its code looks at the number of pictures")
    return one


def ask_length(proxy: fx.Proxy) -> int:
    """The length of what a proxy stands for. Raises TraceError if it is not known, or not the same for every batch."""
    one, other = map(len, _values_of(proxy))
    if one != other:
        raise fx.proxy.TraceError("its code looks at the number of pictures")
    return one


def _values_of(proxy: fx.Proxy) -> tuple[Any, ...]:
    shadow: ShadowValues = proxy.tracer.shadow  # type: ignore[attr-defined]
    try:
        return shadow.of(proxy.node)
    except Exception as error:
        raise fx.proxy.TraceError(f"its code looks at a value that only a picture has ({error})") from error


def _has_tensors(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_has_tensors, value))
    return isinstance(value, torch.Tensor)


def _without_values(value: Any) -> Any:
    return value.to("meta") if isinstance(value, torch.Tensor) else value


@contextlib.contextmanager
def _as_if_not_traced() -> Iterator[None]:
    """Undo what tracing does to every module's methods."""
    module = torch.nn.Module
    patched = module.__call__, module.__getattr__
    module.__call__, module.__getattr__ = _CALL, _GETATTR  # type: ignore[method-assign]
    try:
        yield
    finally:
        module.__call__, module.__getattr__ = patched  # type: ignore[method-assign]
