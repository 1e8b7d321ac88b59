"""Giving a network its weights: every difference is named, and those that matter are refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from shared.errors import ModelError
from shared.torch_network.graph.outputs import flatten

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.torch_network.weights.checkpoint import State

_MOST_UNUSED = 0.5
"""Share of a network's parameters that may be missing because its answer does not need them."""


def fit(
    module: torch.nn.Module, state: State, what: str, *, input_shape: tuple[int, ...] | None = None
) -> tuple[str, ...]:
    """Give `module` the tensors of `state`, or raise ModelError naming the first differences. Gives notes of what was left out.

    Parameters may be missing, or have another shape, if the outputs do not depend on them (heads that only training uses),
    which is tried out on a picture of `input_shape`. Parts of `state` that the network does not have at all are left out.

    Afterwards the tensors belong to the network. They are converted within `state`, one after another, because otherwise the
    network would be in memory twice. Its own parameters need no values; they may be on the `meta` device.
    """
    everything = module.state_dict(keep_vars=True)
    own = {name: value for name, value in everything.items() if isinstance(value, torch.Tensor)}
    _add_tied(own, state)
    own = {name: value.detach() for name, value in own.items()}
    _check_kinds(own, state, what)
    missing = [name for name, value in own.items() if name not in state and not _keeps(name, value)]
    shapes = [name for name in own if name in state and state[name].shape != own[name].shape]
    foreign = [name for name in state if name not in own]
    parts = {name.partition(".")[0] for name in own}
    within = [name for name in foreign if name.partition(".")[0] in parts]
    notes = []
    unused: list[str] = []
    if missing or shapes:
        unused = [*missing, *shapes]
        if input_shape is None or within or len(unused) > _MOST_UNUSED * len(own):
            _refuse(what, own, state, missing, foreign, shapes)
    elif within:
        _refuse(what, own, state, missing, foreign, shapes)
    for name in own:
        if name in unused:
            own[name] = torch.full_like(
                own[name], math.nan if own[name].is_floating_point() else 0, device="cpu"
            )
        elif name in state:
            own[name] = state[name] = _converted(state[name], own[name].dtype)
    if not all(_is_finite(value) for name, value in own.items() if name not in unused):
        raise ModelError(f"{what}: some weights are NaN or infinite")
    everything.update(own)  # it also says which version of each module these are for
    module.load_state_dict(everything, assign=True)
    if unused:
        if input_shape is None or not _ignores(module, input_shape):
            _refuse(what, own, state, missing, foreign, shapes)
        for name in unused:
            own[name].zero_()
        notes.append(f"{_parts(unused)}: not in the file or of another shape, and not needed for an answer")
    if foreign:
        notes.append(f"{_parts(foreign)}: in the file, but not in the network; left out")
    return tuple(notes)


def _add_tied(own: State, state: State) -> None:
    """A file may have one of the two names under which a network has a tensor."""
    given = {id(own[name]): value for name, value in state.items() if name in own}
    for name, value in own.items():
        if name not in state and id(value) in given:
            state[name] = given[id(value)]


def _check_kinds(own: State, state: State, what: str) -> None:
    odd = [name for name, value in state.items() if name in own and not _is_plain(value)]
    if odd:
        raise ModelError(
            f"{what}: {odd[0]} is sparse, quantised, nested or without values; save plain tensors"
        )


def _is_plain(value: torch.Tensor) -> bool:
    return (
        value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
        and not value.is_nested
    )


def _keeps(name: str, value: torch.Tensor) -> bool:
    """Whether a network that is not given a tensor keeps its own: what a constructor computes, and counters of training."""
    return name.endswith("num_batches_tracked") or not (value.is_floating_point() or value.is_meta)


def _refuse(
    what: str, own: State, state: State, missing: list[str], foreign: list[str], shapes: list[str]
) -> None:
    first = [f"{name} is {tuple(state[name].shape)}, not {tuple(own[name].shape)}" for name in shapes[:1]]
    raise ModelError(
        f"{what}: {len(missing)} parameters missing, {len(foreign)} unknown, {len(shapes)} of another shape; first: "
        + "; ".join([*missing[:1], *foreign[:1], *first])
    )


def _ignores(module: torch.nn.Module, input_shape: tuple[int, ...]) -> bool:
    """Whether the outputs do not depend on the parameters that are NaN."""
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            outputs = flatten(module(torch.zeros(1, *input_shape)), torch.Tensor)
    except Exception:  # noqa: BLE001 - whatever a network's code raises for NaN
        return False
    finally:
        module.train(training)
    return bool(outputs) and not any(bool(value.isnan().any()) for value in outputs.values())


def _parts(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(name.partition(".")[0] for name in names))


def _converted(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """`value` itself if a network can use it as it is, else a usable copy."""
    value = value.detach()
    plain = value.dtype == dtype and value.is_contiguous() and not value.is_neg()
    if plain and value.untyped_storage().nbytes() == value.nbytes:
        return value
    return torch.empty(value.shape, dtype=dtype).copy_(value)


def _is_finite(value: torch.Tensor) -> bool:
    # One pass and no copies: minimum and maximum propagate NaN.
    return (
        not value.is_floating_point()
        or value.numel() == 0
        or all(bool(bound.isfinite()) for bound in value.aminmax())
    )
