"""The state dicts in a file, and which of their tensors belong to a network, by which names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import ModelError
from shared.torch_network.weights.renamed import by_present_names

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import torch

    State = dict[str, torch.Tensor]

_USUAL = ("state_dict", "model_state_dict", "model", "module", "net", "network", "params", "weights", "")
"""Keys that are preferred, in this order, if several hold weights of the network."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The state dicts in a file."""

    path: Path
    states: dict[str, State]
    """By the keys that lead to each (`model.state_dict`); "" is the file itself."""
    key: str | None = None
    """The one that was asked for."""

    def state_for(self, names: Iterable[str]) -> tuple[State, tuple[str, ...]]:
        """The tensors for a network whose state has these `names`, under these names, and notes.

        Those that fit no name keep their own. Raises ModelError if several of the file's state dicts would do.
        """
        own = {name for name in names if not name.endswith("num_batches_tracked")}
        matches = {
            # By their former names only if that helps: a network of one's own may use them today.
            key: max(
                _Match.of(state, own), _Match.of(by_present_names(state), own), key=lambda match: match.found
            )
            for key, state in self.states.items()
        }
        most = max(match.found for match in matches.values())
        fitting = [key for key, match in matches.items() if match.found == most]
        key = self._preferred(fitting)
        match = matches[key]
        state = match.named()
        said = [
            *([f"the state dict under {key!r}"] if key and key != self.key else []),
            *([f"without the prefix {match.prefix!r}"] if match.prefix else []),
            *([f"for the network's {match.within!r}"] if match.within else []),
            *([f"{match.left_out} others left out"] if match.left_out else []),
        ]
        others = [other for other in fitting if other not in (key, "")]
        if self.key is None and others:
            said.append(f"{self.path.name}:{others[0]} would take {', '.join(map(repr, others))}")
        return state, (f"weights {self.path.name}: {'; '.join(said)}",) if said else ()

    def _preferred(self, fitting: list[str]) -> str:
        if len(fitting) == 1:
            return fitting[0]
        trained = [key for key in fitting if "ema" not in key.lower().replace(".", "_").split("_")] or fitting
        for usual in _USUAL:
            if usual in trained:
                return usual
        if len(trained) == 1:
            return trained[0]
        raise ModelError(
            f"weights {self.path}: the network's weights are under {', '.join(map(repr, trained))}; say which: "
            f"{self.path.name}:{trained[0]}"
        )


@dataclass(frozen=True, eq=False)
class _Match:
    """How the names of a state dict correspond to the network's."""

    state: State
    found: int
    """Number of the network's names that are there."""
    prefix: str
    """What the file's names have in addition."""
    within: str
    """What the network's names have in addition."""

    @classmethod
    def of(cls, state: State, own: set[str]) -> _Match:
        there, here = _prefixes(state, own), _prefixes(own, set(state))
        prefix = max(there, key=lambda each: (there[each], -len(each)), default="")
        within = max(here, key=lambda each: (here[each], -len(each)), default="")
        if here[within] > there[prefix]:
            return cls(state, here[within], "", within)
        return cls(state, there[prefix], prefix, "")

    @property
    def left_out(self) -> int:
        return sum(not name.startswith(self.prefix) for name in self.state)

    def named(self) -> State:
        start = len(self.prefix)
        return {
            self.within + name[start:]: value
            for name, value in self.state.items()
            if name.startswith(self.prefix)
        }


def _prefixes(names: Iterable[str], others: set[str]) -> Counter[str]:
    """For each prefix of `names`, how many of them are one of `others` without it."""
    found: Counter[str] = Counter({"": 0})
    for name in names:
        start = 0
        while True:
            if name[start:] in others:
                found[name[:start]] += 1
            start = name.find(".", start) + 1
            if not start:
                break
    return found
