"""What a module returns, as a flat list of named tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


def flatten(returned: Any, tensor: type) -> dict[str, Any]:
    """The values of type `tensor` in `returned`, in order, by their path: `out`, `features.0`, or "" for a bare one.

    `returned` may be nested: mappings, lists, tuples, named tuples and dataclasses. Values of other types are left out, and of
    one object that occurs twice the second.
    """
    found: dict[str, Any] = {}
    _collect(returned, tensor, "", found)
    first: dict[int, str] = {}
    for path, value in found.items():
        first.setdefault(_identity(value), path)
    return {path: found[path] for path in first.values()}


def _identity(value: Any) -> int:
    return id(getattr(value, "node", value))  # several proxies may stand for one value


def _collect(value: Any, tensor: type, path: str, found: dict[str, Any]) -> None:
    if isinstance(value, tensor):
        found[path] = value
    elif isinstance(value, Mapping):
        _collect_all(value.items(), tensor, path, found)
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        _collect_all(zip(value._fields, value, strict=True), tensor, path, found)
    elif isinstance(value, list | tuple):
        _collect_all(enumerate(value), tensor, path, found)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        _collect_all(fields, tensor, path, found)


def _collect_all(items: Any, tensor: type, path: str, found: dict[str, Any]) -> None:
    for name, value in items:
        _collect(value, tensor, f"{path}.{name}" if path else str(name), found)
