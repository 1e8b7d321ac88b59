"""Names of split points that only the graph shows."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from shared.limits import MAX_SPLIT_POINT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

WRAPPED = "splitdnn_network"
"""The attribute that holds a module which is wrapped for its conversion; no part of the names."""

_MODULE = re.compile(rf"^__module\.(?:{WRAPPED}\.?)?(?P<path>[^/]*)/(?P<rest>.*)$")
_TORCH_OPERATION = re.compile(r"^(?:aten|prim|torchvision|quantized|ov_ext)::(?P<name>[^/]*)(?:/.*)?$")
_LONGEST_JOINED = 40
_NUMBERED = re.compile(r"_\d+$")
_ODD = re.compile(r"[^A-Za-z0-9_.:\-]+")
_TAIL = re.compile(r"(?:_output_0|:0)$")
_MADE_BY_OPENVINO = re.compile(r"^[A-Z][A-Za-z0-9]*_\d+$")


def clean_name(names: Sequence[str], kind: str, is_given: Callable[[str], bool]) -> str:
    """A name from those of an operation and its tensor: `__module.layer1.0/aten::add_/Add` -> `layer1.0.add`, `/stage/Conv_output_0` -> `stage.Conv`.

    OpenVINO numbers the operations that it makes itself, from one run to the next otherwise. They get the name of their tensor, if
    `is_given` says that it is the source's, or of their type, `kind`.
    """
    friendly = names[0]
    if _MADE_BY_OPENVINO.match(friendly) and not is_given(friendly):
        friendly = next(filter(is_given, names[1:]), kind.lower())
    module = _MODULE.match(friendly)
    path, rest = (module["path"], module["rest"]) if module else ("", friendly)
    operation = _TORCH_OPERATION.match(rest)
    if operation:
        return _joined(path, operation["name"].strip("_"))
    return _joined(path, _TAIL.sub("", rest).strip("/").replace("/", "."))


def _joined(*parts: str) -> str:
    return _ODD.sub("_", ".".join(part for part in parts if part)).strip("._") or "value"


def within(before: str, after: str, name: str) -> str:
    """`name` with the module path that the neighbours on both sides share: fx's modules do not tell theirs to the graph."""
    pairs = zip(before.split("."), after.split("."), strict=False)
    return ".".join([one for one, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)] + [name])


def joint_name(names: Sequence[str]) -> str:
    """The name of a place where tensors of these names cross: all of them, or the last and how many there are beside it."""
    joined = "+".join(names)
    return joined if len(joined) <= _LONGEST_JOINED else f"{names[-1]}+{len(names) - 1}"


def unique_name(name: str, taken: Collection[str]) -> str:
    """`name`, cut to what frames can carry from its start and numbered if it is taken."""
    for number in range(len(taken) + 2):
        suffix = f"_{number}" if number else ""
        candidate = name[-(MAX_SPLIT_POINT_BYTES - len(suffix)) :].lstrip("._") + suffix
        if candidate not in taken:
            return candidate
    raise AssertionError(name)
