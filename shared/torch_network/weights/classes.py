"""How many classes a state dict is for, whatever the network calls the layers that know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from shared.torch_network.weights.checkpoint import State

_FEW = (2, 3)


def classes_in(state: State, module: torch.nn.Module, make: Callable[[int], torch.nn.Module]) -> int | None:
    """The number of classes for which `make` builds a network whose tensors have the shapes that `state` has.

    None if those of `module` have them already, or if no number explains all that differ.
    """
    other = [
        name
        for name, value in module.state_dict().items()
        if name in state and state[name].shape != value.shape
    ]
    if not other:
        return None
    two, three = (make(number).state_dict() for number in _FEW)
    found = set()
    for name in other:
        lengths = zip(state[name].shape, two[name].shape, three[name].shape, strict=False)
        found |= {_number(*each) for each in lengths if each[0] != each[1] or each[1] != each[2]}
    number = found.pop() if len(found) == 1 else None
    return number if number and number > 0 else None


def _number(given: int, at_two: int, at_three: int) -> int:
    """The classes at which a length that grows with them is `given`; 0 if there is no such number."""
    slope = at_three - at_two
    return _FEW[0] + (given - at_two) // slope if slope and not (given - at_two) % slope else 0
