"""How many classes a state dict is for, whatever its layers are called."""

from __future__ import annotations

import torch

from shared.torch_network.weights.classes import classes_in


def make(classes: int, anchors: int = 3) -> torch.nn.Module:
    """Two layers that know the number of classes, one in proportion."""
    return torch.nn.ModuleDict(
        {
            "last": torch.nn.Linear(4, classes + 1),
            "first": torch.nn.Conv2d(3, 4, 1),
            "middle": torch.nn.Conv2d(4, anchors * classes, 1),
        }
    )


def test_the_number_is_found_in_whatever_grows_with_it() -> None:
    for classes in (1, 2, 3, 7, 90):
        assert classes_in(make(classes).state_dict(), make(10), make) == classes


def test_nothing_is_found_where_nothing_differs_or_no_number_explains_it() -> None:
    module = make(10)
    state = module.state_dict()
    assert classes_in(state, module, make) is None
    assert classes_in({}, module, make) is None
    cases = {
        "a layer that does not know the classes": {"first.weight": torch.zeros(5, 3, 1, 1)},
        "between two numbers": {"middle.weight": torch.zeros(16, 4, 1, 1)},
        "two numbers": {"middle.weight": torch.zeros(15, 4, 1, 1), "last.bias": torch.zeros(7)},
        "other dimensions": {"last.weight": torch.zeros(11, 5)},
        "less than none": {"last.bias": torch.zeros(0)},
    }
    for what, changed in cases.items():
        assert classes_in({**state, **changed}, module, make) is None, what
