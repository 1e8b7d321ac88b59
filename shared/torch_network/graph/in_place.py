"""Operations that write into their input, replaced by ones that do not.

A half must not change its input: the edge still needs that when the cloud fails. And where a graph is cut, only what is
computed from a value may follow from it.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import fx

OPERATORS = {
    getattr(operator, f"i{name}"): getattr(operator, name)
    for name in (
        "add",
        "sub",
        "mul",
        "matmul",
        "truediv",
        "floordiv",
        "mod",
        "pow",
        "lshift",
        "rshift",
        "xor",
    )
} | {operator.iand: operator.and_, operator.ior: operator.or_}
"""What `x += y` and the like compute, by the function that does it in place."""


def without_writing(graph: fx.Graph, modules: dict[str, torch.nn.Module]) -> None:
    """Change `graph`, and `modules` that work in place. What later reads the written value reads the result instead."""
    written: dict[fx.Node, fx.Node] = {}

    def latest(node: fx.Node) -> fx.Node:
        while node in written:
            node = written[node]
        return node

    for node in graph.nodes:
        node.args = torch.fx.map_arg(node.args, latest)
        node.kwargs = torch.fx.map_arg(node.kwargs, latest)
        target = _written_by(node, modules)
        if target is not None:
            written[target] = node


def _written_by(node: fx.Node, modules: dict[str, torch.nn.Module]) -> fx.Node | None:
    """Make `node` an operation that does not write, and give the value that it wrote into."""
    first = node.args[0] if node.args else next(iter(node.kwargs.values()), None)
    if not isinstance(first, torch.fx.Node):
        return None
    if node.op == "call_module":
        module = modules[str(node.target)]
        if not getattr(module, "inplace", False):
            return None
        setattr(module, "inplace", False)  # noqa: B010 - whatever class it is
        return first
    if node.kwargs.get("inplace"):
        node.kwargs = {**node.kwargs, "inplace": False}
        return first
    if node.op == "call_method" and _is_in_place(str(node.target)):
        name = str(node.target)
        if hasattr(torch.Tensor, name[:-1]):
            node.target = name[:-1]
        else:
            node.op, node.target, node.args = "call_function", on_a_copy, (name, *node.args)
        return first
    if node.op == "call_function":
        return first if _replace_function(node) else None
    return None


def _replace_function(node: fx.Node) -> bool:
    function: Any = node.target
    if function in OPERATORS:
        node.target = OPERATORS[function]
    elif function is operator.setitem:
        node.target = with_item
    elif _is_in_place(getattr(function, "__name__", "")):
        node.target = _on_a_copy_of_its_input(function)
    else:
        return False
    return True


def _is_in_place(name: str) -> bool:
    return name.endswith("_") and not name.endswith("__") and name != "requires_grad_"


def with_item(value: Any, index: Any, item: Any) -> Any:
    """A copy of `value` in which `value[index]` is `item`."""
    copy = value.clone()
    copy[index] = item
    return copy


def on_a_copy(name: str, value: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    """The method `name`, which writes, on a copy of `value`."""
    return getattr(value.clone(), name)(*args, **kwargs)


def _on_a_copy_of_its_input(function: Callable[..., Any]) -> Callable[..., Any]:
    def on_copy(value: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        return function(value.clone(), *args, **kwargs)

    on_copy.__name__ = f"{function.__name__}on_copy"
    return on_copy
