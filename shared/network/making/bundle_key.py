"""The name of a bundle in the cache: it changes with everything that the bundle depends on."""

from __future__ import annotations

import importlib.util
import itertools
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from shared import __version__
from shared.process.cache.folder import key_of
from shared.process.machine import expand_home

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.network.choice import NetworkChoice

_PACKAGES = ("openvino",)
"""Not torch: what it has made is read where it is not installed."""
_MAX_FILES = 2000
"""Files of one package or folder that are looked at."""
_FUNCTION = re.compile(r"(?P<where>.+):[A-Za-z_][\w.]*", re.DOTALL)


def bundle_name(choice: NetworkChoice) -> str:
    """The cache's name for the bundle of `choice` as its files are now. No module is imported."""
    named = [path for path in (choice.weights, choice.labels) if path]
    files = [path for each in named if (path := expand_home(each)).is_file()] + _source_files(choice.model)
    return "bundle-" + key_of(
        __version__, choice.model, choice.weights, str(choice.seed), str(choice.labels), str(choice.recipe),
        str(choice.task),
        *map(_stamp, files), *map(_version, _PACKAGES),
    )  # fmt: skip


def _source_files(model: str) -> list[Path]:
    """The files that the network is read from: those of a model file, or the code that builds it."""
    path = expand_home(model)
    try:
        if path.is_file():
            # An OpenVINO network lies in two files, and ONNX may have its constants beside it under names of its own.
            return sorted(_files(path.parent.glob(f"{_escaped(path.stem)}*")) | {path})
    except (OSError, ValueError):  # a name that no file can have
        return []
    function = _FUNCTION.fullmatch(model)
    if function is None or model.startswith("timm:"):
        return []
    where = function["where"]
    if where.endswith(".py"):
        return sorted(_files(expand_home(where).parent.glob("*.py")))
    return _package_files(where.partition(".")[0])


def _package_files(package: str) -> list[Path]:
    """The code of a package or module, as a process that is started here would find it."""
    here = Path.cwd() / package
    if here.with_suffix(".py").is_file():
        return [here.with_suffix(".py")]
    folders = [here] if here.is_dir() else []
    if not folders:
        try:
            spec = importlib.util.find_spec(package)
        except (ImportError, ValueError):
            spec = None
        if spec and spec.submodule_search_locations:
            folders = [Path(each) for each in spec.submodule_search_locations]
        elif spec and spec.origin:
            return [Path(spec.origin)]
    return sorted(_files(path for folder in folders for path in folder.rglob("*.py")))


def _escaped(name: str) -> str:
    """`name` as a pattern that matches only itself."""
    return re.sub(r"([*?[])", r"[\1]", name)


def _files(paths: Iterable[Path]) -> set[Path]:
    return {path for path in itertools.islice(paths, _MAX_FILES) if path.is_file()}


def _stamp(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:  # removed a moment ago
        return f"{path.absolute()} is gone"
    return f"{path.absolute()} {found.st_size} {found.st_mtime_ns}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
