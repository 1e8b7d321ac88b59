"""The tasks by name: the built-in ones, and those of other packages. Each is loaded on first use: who runs a classifier starts sooner
without the forms of detectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from shared.errors import ModelError, suggest
from shared.tasks.foreign.plugins import GROUP, TaskPlugins
from shared.tasks.foreign.unread import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.network.model import Model
    from shared.tasks.base import Answer, Task
    from shared.tasks.kind import Kind
    from shared.tasks.spec import Wanted

_HOMES = {
    "classify": ("shared.tasks.classify", "CLASSIFY"),
    "detect": ("shared.tasks.detection.kind", "DETECT"),
    "segment": ("shared.tasks.segmentation.kind", "SEGMENT"),
    "raw": ("shared.tasks.raw", "RAW"),
}


class _Kinds(Mapping[str, "Kind"]):
    def __getitem__(self, name: str) -> Kind:
        module, constant = _HOMES[name]
        kind: Kind = getattr(import_module(module), constant)
        return kind

    def __contains__(self, name: object) -> bool:
        return name in _HOMES

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)


KINDS: Mapping[str, Kind] = _Kinds()
"""The built-in ones."""
_plugins = TaskPlugins(lambda: metadata.entry_points(group=GROUP), KINDS)


def make_task(model: Model, wanted: Wanted) -> Task:
    """The network's task, which gives the answers that are `wanted`. Raises ModelError if this side cannot read its answers."""
    name = model.task.name
    if name in KINDS:
        return KINDS[name].make(model, wanted)
    require_known(name)
    return _plugins.make(name, model, wanted)


def require_known(name: str) -> None:
    """Raise ModelError, one line, unless there is a task of this name."""
    if name in KINDS or name in _plugins.names():
        return
    if name in _plugins.broken:
        raise ModelError(f"the task {name} cannot be used: {_plugins.broken[name]}")
    raise ModelError(
        f"there is no task {name[:64]!r}; {suggest(name, [*KINDS, *_plugins.names()])}; a package may offer one in the "
        "entry-point group splitdnn.tasks"
    )


def read_answer(fields: Mapping[str, Any]) -> Answer:
    """The answer in a reply's JSON object, for clients that have no network; of a task that is not built in, the fields as they came.

    Raises ValueError, TypeError, KeyError, AttributeError or OverflowError for anything that is not an answer.
    """
    name = fields.get("task")
    if name is None:  # a cloud up to 0.6.0
        kind = next((kind for kind in KINDS.values() if kind.key in fields), KINDS["raw"])
    elif name in KINDS:
        kind = KINDS[name]
    else:
        name.encode()  # raises for what is no text, or cannot be written to a file or terminal
        return Unread(name, fields)
    return kind.reader().parse(fields)
