"""Where a network's weights come from: torchvision's weights API, a local state dict, or a seed."""

from __future__ import annotations

import contextlib
import logging
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from shared.errors import ModelError, suggest
from shared.process.machine import expand_home
from shared.torch_network.source import NAMED_SECONDS
from shared.torch_network.vision import get_model_weights

_log = logging.getLogger(__name__)

AUTO_SECONDS = 20.0
"""Seconds that `auto` waits for the pretrained weights."""


@dataclass(frozen=True)
class Weights:
    """A state dict and what it was made for; `state` is None for seeded random weights. `fit` uses its tensors as they are."""

    description: str
    published: Any
    """The member of torchvision's weights enum whose recipe and categories belong to these weights."""
    state: dict[str, torch.Tensor] | None
    seed: int = 0

    @property
    def given(self) -> str:
        """What a later call of `load_weights` needs to find the same: a name, an absolute path, or `random`."""
        return "random" if self.state is None else self.path or self.description

    path: str | None = None
    """The absolute path of a file that holds them."""


def load_weights(
    architecture: str, choice: str, *, seed: int = 0, patience_s: float = NAMED_SECONDS
) -> Weights:
    """Weights for a torchvision classifier.

    `choice` is `auto` (pretrained if they are available within 20 s, else `random`, with a warning), `random` (seeded), a name
    of torchvision's weights API (`DEFAULT`, `IMAGENET1K_V1`, …) or the path of a state dict, which is read with
    `weights_only`. The download of a named choice may take `patience_s` seconds. Raises ModelError if a choice other than
    `auto` is unavailable.
    """
    known = get_model_weights(architecture)
    first = next(iter(known))
    if choice == "random":
        return Weights(f"random:{seed}", first, None, seed)
    if choice == "auto":
        try:
            return _named(architecture, known["DEFAULT"], AUTO_SECONDS)
        except ModelError as error:
            _log.warning(
                "weights=auto: no pretrained weights (%s); continuing with random ones (seed %d): "
                "speed and bytes are real, the answers mean nothing. For real answers give --weights a file or a name",
                error,
                seed,
            )
            return Weights(f"random:{seed}", first, None, seed)
    if choice in known.__members__:
        try:
            return _named(architecture, known[choice], patience_s)
        except ModelError as error:
            raise ModelError(
                f"weights {choice} of {architecture}: {error}; give the path of a state dict, or random"
            ) from error
    path = expand_home(choice)
    if path.is_dir():
        raise ModelError(f"weights {choice}: this is a folder; give the path of a state dict in it")
    if not path.is_file():
        names = ["auto", "random", *known.__members__]
        raise ModelError(
            f"weights {choice!r}: no such file, and {architecture} has no weights of that name; "
            f"{suggest(choice, names)}; accepted: {', '.join(names)}, or the path of a state dict"
        )
    return Weights(
        f"file:{path.name}", _published_as(path, known, first), _read_state(path), path=str(path.resolve())
    )


def _named(architecture: str, member: Any, seconds: float) -> Weights:
    """One of torchvision's sets of weights, from its cache or downloaded by a child process that is killed after `seconds`."""
    if member.meta.get("categories") is None:
        raise ModelError(f"weights {member.name} of {architecture} have no classifier; choose another set")
    if not (Path(torch.hub.get_dir()) / "checkpoints" / Path(member.url).name).is_file():
        _download(architecture, member.name, seconds)
    try:
        state = member.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:
        raise ModelError(f"weights {member.name} of {architecture} cannot be read: {error}") from error
    return Weights(member.name, member, state)


def _download(architecture: str, name: str, seconds: float) -> None:
    _log.info("fetching weights %s of %s (at most %.0f s)", name, architecture, seconds)
    command = [sys.executable, "-m", "shared.torch_network.weights", architecture, name]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:  # noqa: S603
        try:
            _, errors = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)  # so that torch removes its partial file
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.communicate(timeout=2)
            child.kill()
            raise ModelError(f"the download did not finish within {seconds:.0f} s") from None
    if child.returncode:
        reason = errors.strip().splitlines()[-1:] or ["no reason given"]
        raise ModelError(f"the download failed: {reason[0]}")


def _published_as(path: Path, known: Any, first: Any) -> Any:
    """The set whose file has this name, else the first one."""
    return next((member for member in known if Path(member.url).name == path.name), first)


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"weights {path}: not a state dict that can be read safely ({reason})") from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise ModelError(f"weights {path}: not a state dict (a mapping of parameter names to tensors)")
    odd = [name for name, value in state.items() if not _is_plain(value)]
    if odd:
        raise ModelError(
            f"weights {path}: {odd[0]} is sparse, quantised, nested or without values; save plain tensors"
        )
    return state


def _is_plain(value: torch.Tensor) -> bool:
    return (
        value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
        and not value.is_nested
    )


# Names under which published weights were saved before torchvision renamed its modules; its own loader translates them.
_FORMER_NAMES = {
    re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)$"): r"\1\2",
    re.compile(r"^(encoder\..*\.mlp)\.linear_1\.(\w+)$"): r"\1.0.\2",
    re.compile(r"^(encoder\..*\.mlp)\.linear_2\.(\w+)$"): r"\1.3.\2",
}


def fit(network: torch.nn.Module, state: dict[str, torch.Tensor], what: str) -> None:
    """Give `network` the tensors of `state`, or raise ModelError naming the first differences.

    Afterwards they belong to the network. They are converted within `state`, one after another, because otherwise the network
    would be in memory twice. Its own parameters need no values; they may be on the `meta` device.
    """
    own = network.state_dict()
    given = {_present_name(name): name for name in state}
    # Inference does not use num_batches_tracked; if it is absent it stays as it is.
    missing = [name for name in own if name not in given and not name.endswith("num_batches_tracked")]
    foreign = [name for name in given if name not in own]
    shapes = [
        f"{name} is {tuple(state[given[name]].shape)}, not {tuple(own[name].shape)}"
        for name in own
        if name in given and state[given[name]].shape != own[name].shape
    ]
    if missing or foreign or shapes:
        raise ModelError(
            f"{what}: {len(missing)} parameters missing, {len(foreign)} unknown, {len(shapes)} of another shape; first: "
            + "; ".join([*missing[:1], *foreign[:1], *shapes[:1]])
        )
    for name, former in given.items():
        own[name] = state[former] = _converted(state[former], own[name].dtype)
    if not all(_is_finite(value) for value in own.values()):
        raise ModelError(f"{what}: some weights are NaN or infinite")
    network.load_state_dict(own, assign=True)


def _present_name(name: str) -> str:
    for former, present in _FORMER_NAMES.items():
        name = former.sub(present, name)
    return name


def _converted(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """`value` itself if a network can use it as it is, else a usable copy."""
    value = value.detach()
    plain = value.dtype == dtype and value.is_contiguous() and not value.is_neg()
    if plain and value.untyped_storage().nbytes() == value.nbytes:
        return value
    return torch.empty(value.shape, dtype=dtype).copy_(value)


def _is_finite(value: torch.Tensor) -> bool:
    # One pass and no copies: minimum and maximum propagate NaN.
    return value.numel() == 0 or all(bool(bound.isfinite()) for bound in value.aminmax())


if __name__ == "__main__":  # the child of _download
    get_model_weights(sys.argv[1])[sys.argv[2]].get_state_dict(
        progress=False, check_hash=True, weights_only=True
    )
