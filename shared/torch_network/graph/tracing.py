"""A module as a torch.fx graph whose values have the names that people know them by."""

from __future__ import annotations

import math
import operator
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import fx

from shared.torch_network.graph.in_place import OPERATORS
from shared.torch_network.graph.outputs import flatten
from shared.torch_network.graph.shadow import ShadowValues, ask_length, ask_shadow
from shared.torch_network.vision import torchvision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CALL = torch.nn.Module.__call__


@dataclass(frozen=True, eq=False)
class Traced:
    """A graph with one placeholder, whose output is a tuple of `len(outputs)` values."""

    graph: fx.Graph
    paths: dict[fx.Node, str]
    """A value that a module returns has the module's name, the outermost module's if several return it (`layer1`, not
    `layer1.2.relu_2`). Any other value has the path of its operation (`layer2.1.add`), numbered where it repeats."""
    outputs: tuple[str, ...]
    """The path of each output within what the module returns: `out`, `features.0`, or "" for the only one."""
    fixed: tuple[str, ...]
    """The paths of tensors that it returns and that no operation of the graph computes, as `torch.ones(3)`; no outputs of the graph."""
    notes: tuple[str, ...]


def trace(module: torch.nn.Module, input_shape: tuple[int, ...]) -> Traced:
    """Trace `module` for a single argument (B, *input_shape); its other arguments have their defaults.

    Whatever its code asks about shapes is answered for this size, but never about B. A submodule that asks more than that
    becomes a single operation. Raises whatever the module's own code raises, or TraceError, if that is not enough.
    """
    tracer = _Tracer(autowrap_modules=(math, torchvision.ops), param_shapes_constant=True)
    tracer.shadow = ShadowValues(module, input_shape)
    graph = tracer.trace(module)
    return Traced(
        graph,
        tracer.paths | tracer.returned_by,
        tuple(tracer.outputs),
        tuple(tracer.fixed),
        tuple(tracer.notes),
    )


class _Proxy(fx.Proxy):
    """A value of the graph that answers Python's questions as its shadow value does."""

    def __getattr__(self, k: str) -> _Attribute:
        return _Attribute(self, k)

    def __len__(self) -> int:
        return ask_length(self)

    def __index__(self) -> int:
        return operator.index(ask_shadow(self))

    def __int__(self) -> int:
        return int(ask_shadow(self))

    def __float__(self) -> float:
        return float(ask_shadow(self))

    def __setitem__(self, index: Any, item: Any) -> None:
        self.tracer.create_proxy("call_function", operator.setitem, (self, index, item), {})


def _recorded(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: fx.Proxy, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", function, (self, other), {})

    return method


for (
    _name
) in OPERATORS:  # fx takes `x += y` for `x = x + y`, which it is not where the tensor has another name, too
    setattr(_Proxy, f"__{_name.__name__}__", _recorded(_name))


class _Attribute(_Proxy, fx.proxy.Attribute):
    pass


class _Tracer(fx.Tracer):
    shadow: ShadowValues

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.paths: dict[fx.Node, str] = {}
        self.returned_by: dict[fx.Node, str] = {}
        self.outputs: list[str] = []
        self.fixed: list[str] = []
        self.notes: list[str] = []
        self._inside: list[str] = [""]
        self._seen: Counter[str] = Counter()
        self._parameters: dict[str, fx.Proxy] = {}

    def create_args_for_root(
        self, root_fn: Callable[..., Any], is_module: bool, concrete_args: Any = None
    ) -> tuple[Callable[..., Any], list[Any]]:
        del root_fn, is_module, concrete_args
        return self._run_root, [self.root, self.create_proxy("placeholder", "picture", (), {})]

    def _run_root(self, root: torch.nn.Module, picture: fx.Proxy) -> tuple[fx.Proxy, ...]:
        returned = _CALL(root, picture)  # with hooks, and with the default of every other argument
        found = flatten(returned, fx.Proxy)
        self.outputs = list(found)
        self.fixed = list(flatten(returned, torch.Tensor))
        return tuple(found.values())

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Proxy(node, self)

    def to_bool(self, obj: fx.Proxy) -> bool:
        return bool(ask_shadow(obj))

    def iter(self, obj: fx.Proxy) -> Iterator[fx.Proxy]:
        return iter([operator.getitem(obj, index) for index in range(ask_length(obj))])

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, torch.jit.ScriptModule) or super().is_leaf_module(m, module_qualified_name)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, fx.Proxy]) -> Any:
        self._parameters = parameter_proxy_cache
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def call_module(
        self, m: torch.nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        path = self.path_of_module(m)
        last, seen, stack = (
            next(iter(reversed(self.graph.nodes))),
            self._seen.copy(),
            self.module_stack.copy(),
        )
        self._inside.append(path)
        try:
            result = super().call_module(m, forward, args, kwargs)
        except Exception as error:  # noqa: BLE001 - whatever a module's code does with a value that it cannot look at
            self._forget_after(last)
            self._seen, self.module_stack = seen, stack
            self.notes.append(f"cannot be cut inside {path}: {str(error).partition(chr(10))[0]}")
            return self.create_proxy("call_module", path, args, kwargs)
        finally:
            self._inside.pop()
        if isinstance(result, fx.Proxy) and not self.is_leaf_module(m, path):
            self.returned_by[result.node] = path  # the outer module returns after the inner one
        return result

    def _forget_after(self, last: fx.Node) -> None:
        for node in reversed(self.graph.nodes):
            if node is last:
                break
            self.graph.erase_node(node)
            self.paths.pop(node, None)
            self.returned_by.pop(node, None)
            self.shadow.forget(node)
        kept = set(self.graph.nodes)
        for name in [name for name, proxy in self._parameters.items() if proxy.node not in kept]:
            del self._parameters[name]

    def create_node(self, kind: str, target: Any, *args: Any, **kwargs: Any) -> fx.Node:
        node = super().create_node(kind, target, *args, **kwargs)
        if kind == "call_module":
            path = str(target)
        else:
            function = OPERATORS.get(target, target)  # `x += y` is called `add`
            name = target if isinstance(target, str) else getattr(function, "__name__", str(target))
            path = ".".join(filter(None, (self._inside[-1], re.sub(r"^_+", "", name))))
        self._seen[path] += 1
        self.paths[node] = path if self._seen[path] == 1 else f"{path}_{self._seen[path] - 1}"
        return node
