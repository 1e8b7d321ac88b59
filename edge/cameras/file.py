"""Reads which cameras an edge has: the one that its flags name, or those of a TOML file."""

from __future__ import annotations

import logging
import tomllib
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from edge.cameras.settings import CameraSettings, inherited
from shared.errors import SettingsError, suggest
from shared.observing.logs import mask_url
from shared.process.machine import expand_home

if TYPE_CHECKING:
    from pathlib import Path

    from edge.config import EdgeSettings

_log = logging.getLogger(__name__)

MAX_CAMERAS = 64
"""Each is a thread, and a label's value in every metric of cameras."""
_MAX_BYTES = 1 << 20
_SOURCE_FILE = "source_file"
_HIDDEN = ("source",)
"""Keys whose values may hold a password."""


def read_cameras(settings: EdgeSettings) -> tuple[CameraSettings, ...]:
    """The edge's cameras, one at least, each of another name. Raises SettingsError, a line for each problem."""
    if settings.cameras is None:
        try:
            return (CameraSettings.model_validate(inherited(settings)),)
        except ValidationError as error:  # each is as a flag may be, but not all together
            raise SettingsError("\n".join(_problem(problem) for problem in error.errors())) from None
    path = expand_home(settings.cameras)
    for name in ("source", "name"):
        if name in settings.model_fields_set:
            _log.warning(
                "--%s is not used, as --cameras %s names the cameras", name, mask_url(settings.cameras)
            )
    tables = _tables(path)
    cameras, problems = [], []
    for number, table in enumerate(tables, 1):
        where = f"--cameras {path}: camera {number}"
        if isinstance(table.get("name"), str):
            where += f" ({_shown(table['name'])})"
        try:
            cameras.append(_camera(table, inherited(settings), path.parent))
        except ValidationError as error:
            problems += [f"{where}: {_problem(problem)}" for problem in error.errors()]
        except ValueError as error:
            problems.append(f"{where}: {error}")
    names = [camera.name for camera in cameras]
    problems += [
        f"--cameras {path}: several cameras are called {name}; each needs a name of its own"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    if problems:
        raise SettingsError("\n".join(problems))
    return tuple(cameras)


def _tables(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(
            f"--cameras {path}: {error.strerror}; give it a TOML file with a table [[camera]] for each"
        ) from None
    if len(data) > _MAX_BYTES:
        raise SettingsError(
            f"--cameras {path}: more than {_MAX_BYTES} bytes; it holds a table for each camera"
        )
    try:
        found = tomllib.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"--cameras {path}: no TOML: {error or type(error).__name__}") from None
    tables = found.pop("camera", None)
    for key in found:
        raise SettingsError(f"--cameras {path}: unknown key {_shown(key)!r}; accepted: tables [[camera]]")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise SettingsError(f"--cameras {path}: no cameras; accepted: a table [[camera]] for each")
    if len(tables) > MAX_CAMERAS:
        raise SettingsError(f"--cameras {path}: {len(tables)} cameras; one edge takes at most {MAX_CAMERAS}")
    return tables


def _camera(table: dict[str, Any], flags: dict[str, Any], folder: Path) -> CameraSettings:
    """Raises ValidationError, or ValueError with a line."""
    for key in table:
        known = [*CameraSettings.model_fields, _SOURCE_FILE]
        if key not in known:
            raise ValueError(f"unknown key {_shown(key)!r}; {suggest(key, known)}")
    given = dict(table)
    if _SOURCE_FILE in given:
        if "source" in given:
            raise ValueError(f"both source and {_SOURCE_FILE}; give one of them")
        given["source"] = _secret(given.pop(_SOURCE_FILE), folder)
    for key in ("name", "source"):
        if key not in given:
            raise ValueError(f"no {key}; every camera has a name and a source")
    return CameraSettings.model_validate(flags | given)


def _secret(name: Any, folder: Path) -> str:
    """The one line of a file, as a secret is mounted. Raises ValueError."""
    if not isinstance(name, str) or not name:
        raise ValueError(
            f"{_SOURCE_FILE} = {_shown(repr(name))}: accepted: the name of a file that holds the source"
        )
    try:
        with (folder / name).open("rb") as file:
            lines = file.read(_MAX_BYTES).decode("utf-8-sig").split("\n")
    except OSError as error:
        raise ValueError(f"{_SOURCE_FILE} {_shown(name)}: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"{_SOURCE_FILE} {_shown(name)}: no text") from None
    line, *others = lines
    if not line.strip() or any(other.strip() for other in others):
        raise ValueError(f"{_SOURCE_FILE} {_shown(name)}: it does not hold one line, the source")
    return line.strip()


def _problem(problem: Any) -> str:
    """One line that names the key, what was found, unless it may be secret, and what is accepted."""
    key = ".".join(map(str, problem["loc"]))
    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return str(message)
    name = str(problem["loc"][0])
    found = "…" if name in _HIDDEN else _shown(repr(problem["input"]))
    field = CameraSettings.model_fields.get(name)
    about = f" ({field.description})" if field and field.description else ""
    return f"{key} = {found}: {mask_url(message)}{about}"


def _shown(text: str) -> str:
    """What was found, on one line of 80 characters at most; a source may have been written in the wrong place, password and all."""
    return mask_url(" ".join(text.split()))[:80]
