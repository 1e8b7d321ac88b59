"""Files with weights, as trainers leave them.

Nothing in a file is ever executed: torch reads it with `weights_only`, and whatever else it holds becomes an inert object.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.serialization import safe_globals

from shared.errors import ModelError
from shared.process.machine import expand_home
from shared.torch_network.messages import reason
from shared.torch_network.weights.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from shared.torch_network.weights.checkpoint import State

_DEPTH = 3
"""How deep a state dict may lie in the mappings of a file."""
_NEVER = frozenset(
    {"ctypes", "importlib", "nt", "os", "posix", "pty", "runpy", "shutil", "socket", "subprocess", "sys"}
)
"""Modules whose mention shows that a file wants to do something."""
_HARMLESS = frozenset(
    {"bool", "dict", "float", "frozenset", "int", "list", "object", "range", "slice", "str", "tuple"}
)
"""Built-in types, which stand in files as the kind of something's content."""
_MOST_CLASSES = 100
"""Classes that a file may mention."""
_COUNTERS = ("total_ops", "total_params")
"""Left in a model's state by thop."""


def find_file(choice: str) -> tuple[Path, str | None] | None:
    """The file that `FILE` or `FILE:KEY` names, and the key; None if there is no such file."""
    path = expand_home(choice)
    if path.exists():
        return path, None
    name, colon, key = choice.rpartition(":")
    if colon and name and (path := expand_home(name)).is_file():
        return path, key
    return None


def read_checkpoint(path: Path, key: str | None = None) -> Checkpoint:
    """Read a file of torch or safetensors. `key`: the keys, joined by dots, of the state dict to use. Raises ModelError."""
    if path.is_dir():
        raise ModelError(f"weights {path}: this is a folder; give the path of a state dict in it")
    content = _safetensors(path) if _is_safetensors(path) else _torch(path)
    states: dict[str, State] = {}
    _collect(content, "", states)
    if key is not None:
        if key not in states:
            raise ModelError(
                f"weights {path}: no state dict under {key!r}; those under "
                f"{', '.join(repr(other) for other in states if other) or 'no key'} can be had"
            )
        states = {key: states[key]}
    if not states:
        raise ModelError(f"weights {path}: {_why_none(content)}")
    return Checkpoint(path, states, key)


def _why_none(content: Any) -> str:
    found = [
        each
        for each in (content, *(content.values() if isinstance(content, dict) else ()))
        if isinstance(each, _Inert)
    ]
    if found:
        return (
            f"holds a whole pickled object ({type(found[0]).__name__}), which is code; save its weights instead: "
            "torch.save(model.state_dict(), FILE)"
        )
    kind = (
        f"a mapping with the keys {_listed(content)}"
        if isinstance(content, dict) and content
        else type(content).__name__
    )
    return f"not a state dict (a mapping of parameter names to tensors), nor a mapping that holds one, but {kind}"


def _listed(keys: Iterable[Any], most: int = 8) -> str:
    names = [repr(key)[:60] for key in keys]
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def _collect(content: Any, key: str, states: dict[str, State]) -> None:
    if not isinstance(content, dict):
        return
    tensors = {
        name: value
        for name, value in content.items()
        if isinstance(name, str)
        and isinstance(value, torch.Tensor)
        and name.rpartition(".")[2] not in _COUNTERS
    }
    if tensors:
        states[key] = tensors
    if key.count(".") + bool(key) < _DEPTH:
        for name, value in content.items():
            if isinstance(name, str):
                _collect(value, f"{key}.{name}" if key else name, states)


def _is_safetensors(path: Path) -> bool:
    if path.suffix == ".safetensors":
        return True
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size


def _safetensors(path: Path) -> Any:
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelError(
            f"weights {path}: not a safetensors file that can be read ({reason(error)})"
        ) from error


def _torch(path: Path) -> Any:
    others: set[str] = set()
    for _ in range(_MOST_CLASSES):
        try:
            return _load(path, others)
        except Exception as error:  # noqa: BLE001 - whatever a damaged file makes torch raise
            failure = error
        name = _refused_name(failure)
        if name in others or not _is_harmless(name):
            break
        others.add(name)
    if "TorchScript" in str(failure):
        raise ModelError(
            f"weights {path}: a TorchScript archive, which is code; save its weights instead: "
            "torch.save(model.state_dict(), FILE)"
        ) from failure
    name = _refused_name(failure)
    text = f"it mentions {name}, which could be code" if name else reason(failure)
    raise ModelError(f"weights {path}: not a state dict that can be read safely ({text})") from failure


def _load(path: Path, others: set[str]) -> Any:
    try:
        with safe_globals([(_inert(name), name) for name in others]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if not others or "SETITEM" not in str(error):
            raise
    with safe_globals([(_inert_mapping(name), name) for name in others]):
        return torch.load(path, map_location="cpu", weights_only=True)


def _refused_name(error: Exception) -> str:
    """The class or function that torch's reader does not know, or ""."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    name = found[1].rstrip(".") if found else ""
    return f"builtins.{name}" if name and "." not in name else name


def _is_harmless(name: str) -> bool:
    module, _, rest = name.partition(".")
    return rest in _HARMLESS if module == "builtins" else bool(module) and module not in _NEVER


class _Inert:
    """Stands for an object of a class that is neither imported nor run."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Whatever it was made from is forgotten."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        del args, kwargs
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        """Whatever it contained is forgotten."""


def _inert(name: str) -> Any:
    return _EmptyDict.make if name == "collections.defaultdict" else type(name, (_Inert,), {})


def _inert_mapping(name: str) -> Any:
    """For classes that are dictionaries: torch fills only its own."""
    return _EmptyDict.make if name == "collections.defaultdict" else type(name, (_EmptyDict,), {})


class _EmptyDict:
    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls.make(*args, **kwargs)

    @staticmethod
    def make(*args: Any, **kwargs: Any) -> OrderedDict[Any, Any]:
        del args, kwargs
        return OrderedDict()
