"""Where a network's weights come from: a published set, a local file, or a seed."""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from shared.errors import ModelError
from shared.network.choice import NAMED_SECONDS, RANDOM_WEIGHTS
from shared.process.child import run_module
from shared.torch_network.vision import get_model_builder, get_model_weights
from shared.torch_network.weights.checkpoint import Checkpoint
from shared.torch_network.weights.reading import find_file, read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shared.torch_network.weights.checkpoint import State

_log = logging.getLogger(__name__)

AUTO_SECONDS = 20.0
"""Seconds that `auto` waits for the pretrained weights."""


@dataclass(frozen=True, eq=False)
class Weights:
    """State dicts and where they come from; `checkpoint` is None for weights that the network's own code makes."""

    description: str
    """`IMAGENET1K_V1`, `file:resnet50.pth`, `random:0`."""
    given: str
    """What to ask for to get the same again: a name, an absolute path (with the key), `random`."""
    checkpoint: Checkpoint | None
    published: Any = None
    """The member of torchvision's weights enum whose recipe and categories belong to these weights."""
    seed: int = 0
    is_own: bool = False
    """Whether they come from a file of the user's."""

    def state_for(self, names: Iterable[str]) -> tuple[State, tuple[str, ...]]:
        """The tensors for a network whose state has these names, and notes. Raises ModelError."""
        assert self.checkpoint is not None
        return self.checkpoint.state_for(names)


def load_weights(
    architecture: str, choice: str, *, seed: int = 0, patience_s: float = NAMED_SECONDS
) -> Weights:
    """Weights for one of torchvision's networks.

    `choice` is `auto` (pretrained if they are available within 20 s, else `random`, with a warning), `random` (seeded), a name
    of torchvision's weights API (`DEFAULT`, `IMAGENET1K_V1`, …) or the path of a file with a state dict, which is read with
    `weights_only`; `FILE:KEY` says which if it holds several. The download of a named choice may take `patience_s` seconds.
    Raises ModelError if a choice other than `auto` is unavailable.
    """
    known = get_model_weights(architecture)
    first = next(iter(known), None)
    _check_numbers(architecture, known.__members__.get("DEFAULT" if choice == "auto" else choice))
    if choice == "random" or (choice == "auto" and first is None):
        return Weights(f"random:{seed}", "random", None, first, seed)
    if choice == "auto":
        return auto_or_random(lambda: _named(architecture, known["DEFAULT"], AUTO_SECONDS), seed, first)
    if choice in known.__members__:
        try:
            return _named(architecture, known[choice], patience_s)
        except ModelError as error:
            raise ModelError(
                f"weights {choice} of {architecture}: {error}; give the path of a state dict, or random"
            ) from error
    return weights_file(choice, architecture, list(known.__members__), first)


def _check_numbers(architecture: str, member: Any) -> None:
    """Raise ModelError for published weights that only torch's own 8-bit kernels can read."""
    original = member and member.meta.get("unquantized")
    if original:
        raise ModelError(
            f"{architecture}: its weights {member.name} hold 8-bit numbers for torch's own kernels, which no bundle has; accepted: "
            f"{get_model_builder(architecture).__name__} with the weights that they were made of, {original.name}, or random"
        )


def auto_or_random(fetch: Callable[[], Weights], seed: int, published: Any = None) -> Weights:
    """What `fetch` gives, or random weights with a warning if it raises ModelError."""
    try:
        return fetch()
    except ModelError as error:
        _log.warning(RANDOM_WEIGHTS, error, seed)
        return Weights(f"random:{seed}", "random", None, published, seed)


def weights_file(choice: str, network: str, names: list[str], published: Any = None) -> Weights:
    """Weights from the file that `choice` names. `names`: what else would have been accepted. Raises ModelError."""
    found = find_file(choice)
    if found is None:
        raise ModelError(
            f"weights {choice!r}: no such file, and {network} has no weights of that name; "
            f"accepted: {', '.join(('auto', 'random', *names))}, or the path of a state dict"
        )
    path, key = found
    checkpoint = read_checkpoint(path, key)
    given = str(path.resolve()) + (f":{key}" if key else "")
    return Weights(
        f"file:{path.name}" + (f":{key}" if key else ""), given, checkpoint, published, is_own=True
    )


def _named(architecture: str, member: Any, seconds: float) -> Weights:
    """One of torchvision's sets of weights, from its cache or downloaded by a child process that is killed after `seconds`."""
    if member.meta.get("categories") is None:
        raise ModelError(f"weights {member.name} of {architecture} have no classifier; choose another set")
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(member.url).name
    if not cached.is_file():
        _log.info("fetching weights %s of %s (at most %.0f s)", member.name, architecture, seconds)
        download([*run_module("shared.torch_network.weights.loading"), architecture, member.name], seconds)
    try:
        state = member.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:
        raise ModelError(f"weights {member.name} of {architecture} cannot be read: {error}") from error
    return Weights(member.name, member.name, Checkpoint(cached, {"": state}), member)


def download(command: list[str], seconds: float) -> None:
    """Run this command, for at most `seconds`. Raises ModelError with the last line of what it says."""
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


if __name__ == "__main__":  # the child of _named
    get_model_weights(sys.argv[1])[sys.argv[2]].get_state_dict(
        progress=False, check_hash=True, weights_only=True
    )
