"""A network as a torch.fx graph whose values have the names that people know them by."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import torch
from torch import fx

from shared.torch_network.vision import torchvision

if TYPE_CHECKING:
    from collections.abc import Callable


def trace(network: torch.nn.Module) -> tuple[fx.Graph, dict[fx.Node, str]]:
    """The graph, in which no operation writes into its input, and the names of its values.

    A value that a module returns has the module's name, the outermost module's if several return it (`layer1`, not
    `layer1.2.relu_2`). Any other value has the path of its operation (`layer2.1.add`), numbered where it repeats.
    """
    tracer = _NamingTracer(autowrap_modules=(math, torchvision.ops))
    graph = tracer.trace(network)
    modules = dict(network.named_modules())
    for node in graph.nodes:
        # A half must not change its input: the edge still needs that when the cloud fails.
        if node.kwargs.get("inplace"):
            node.kwargs = {**node.kwargs, "inplace": False}
        if node.op == "call_module" and getattr(modules[node.target], "inplace", False):
            modules[node.target].inplace = False
    return graph, tracer.names()


class _NamingTracer(fx.Tracer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._paths: dict[fx.Node, str] = {}
        self._returned_by: dict[fx.Node, str] = {}
        self._inside: list[str] = [""]
        self._seen: Counter[str] = Counter()

    def call_module(
        self, m: torch.nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        path = self.path_of_module(m)
        self._inside.append(path)
        try:
            result = super().call_module(m, forward, args, kwargs)
        finally:
            self._inside.pop()
        if isinstance(result, fx.Proxy) and not self.is_leaf_module(m, path):
            self._returned_by[result.node] = path  # the outer module returns after the inner one
        return result

    def create_node(self, kind: str, target: Any, *args: Any, **kwargs: Any) -> fx.Node:
        node = super().create_node(kind, target, *args, **kwargs)
        if kind == "call_module":
            path = str(target)
        else:
            name = target if isinstance(target, str) else getattr(target, "__name__", str(target))
            path = ".".join(filter(None, (self._inside[-1], re.sub(r"^_+", "", name))))
        self._seen[path] += 1
        self._paths[node] = path if self._seen[path] == 1 else f"{path}_{self._seen[path] - 1}"
        return node

    def names(self) -> dict[fx.Node, str]:
        return self._paths | self._returned_by
