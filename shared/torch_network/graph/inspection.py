"""Whether a module is what can be cut: one picture in, tensors out."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING

import torch

from shared.errors import ModelError
from shared.torch_network.graph.outputs import flatten
from shared.torch_network.messages import reason

if TYPE_CHECKING:
    from collections.abc import Callable

_ACCEPTED = "accepted: networks that take one tensor (B, channels, height, width)"


def check_arguments(forward: Callable[..., object], name: str) -> None:
    """Raise ModelError if `forward` (bound) requires more than one argument, or takes a list."""
    try:
        parameters = list(inspect.signature(forward).parameters.values())
    except (TypeError, ValueError):
        return  # a compiled one, which says so itself when it is called
    named = [each for each in parameters if each.kind not in {each.VAR_POSITIONAL, each.VAR_KEYWORD}]
    required = [each.name for each in named if each.default is each.empty]
    if len(required) > 1:
        raise ModelError(f"{name}: its forward requires {', '.join(required)}; {_ACCEPTED}")
    if not parameters:
        raise ModelError(f"{name}: its forward takes no argument; {_ACCEPTED}")
    kind = str(parameters[0].annotation).removeprefix("typing.")
    if kind.lower().startswith(("list[", "tuple[", "dict[", "<class 'list'", "<class 'dict'")):
        raise ModelError(
            f"{name}: its forward takes {kind}, as detectors do that resize pictures themselves; {_ACCEPTED}"
        )


def check_running(module: torch.nn.Module, input_shape: tuple[int, ...], name: str) -> None:
    """Run `module` on pictures of zeros. Raises ModelError if it cannot, or returns one thing for each picture."""
    try:
        returned = _paths(module, torch.zeros(1, *input_shape))
    except Exception as error:
        channels, height, width = input_shape
        raise ModelError(
            f"{name} does not run on a picture of {channels} channels, {width}x{height}: {reason(error)}; another size or "
            "kind: --recipe size=WIDTHxHEIGHT,channels=RGB (or BGR, GRAY)"
        ) from error
    if not returned:
        raise ModelError(
            f"{name} returns no tensor; accepted: tensors, also in mappings, lists and dataclasses"
        )
    try:
        for_two = _paths(module, torch.zeros(2, *input_shape))
    except Exception:  # noqa: BLE001 - then it takes one picture at a time
        return
    if for_two != returned:
        raise ModelError(
            f"{name} returns {', '.join(returned)[:200]} for one picture and {', '.join(for_two)[:200]} for two; "
            "accepted: networks whose outputs have a row for each picture"
        )


def _paths(module: torch.nn.Module, pictures: torch.Tensor) -> list[str]:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return [path or "output" for path in flatten(module(pictures), torch.Tensor)]
