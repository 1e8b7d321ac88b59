"""Which sources there are: our own, and those that installed packages offer by name.

A package offers one in its `pyproject.toml`:

    [project.entry-points."splitdnn.sources"]
    screen = "my_package.screen:make_source"

`--source screen:display=1,fps=5` then calls `make_source({"display": "1", "fps": "5"})`, which returns a Source as
edge/sources/base.py defines it, not opened yet, or raises SettingsError or SourceError. Nothing of the package is imported
unless its source is asked for.
"""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from edge.sources.base import InstalledSource
from edge.sources.files.paths import recording
from edge.sources.live.stream import Stream
from edge.sources.live.webcam import Webcam
from edge.sources.synthetic import Synthetic
from shared.codecs.spec import parse_spec
from shared.errors import SettingsError, SourceError, SplitDNNError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.sources.base import Source

ENTRY_POINTS = "splitdnn.sources"
_MEMBERS = ("live", "name", "open", "read", "close")


def open_source(
    spec: str,
    *,
    open_timeout_s: float = 10.0,
    read_timeout_s: float = 10.0,
    snapshot_fps: float = 1.0,
    on_undecodable: Callable[[], None] = lambda: None,
    alone: bool = True,
) -> Source:
    """The source that `spec` names, not opened yet. Raises SourceError or SettingsError.

    `on_undecodable` is called for every packet or picture that is left out because it cannot be decoded. `alone`: no other source is
    read at the same time.

    `synthetic:fps=10`         drawn, see edge/sources/synthetic.py
    `0`, `/dev/video0`         a webcam
    `rtsp://…`, `http://…`     a stream, or a camera that gives one picture a request
    a path or a pattern        a video, a picture, or those of a folder or of all files that match
    `NAME`, `NAME:key=value`   a source of an installed package
    """
    if not spec:
        raise SourceError("no source is given; try `synthetic`")
    if spec.partition(":")[0] == "synthetic":
        return Synthetic(spec)
    if spec.isdigit() or spec.startswith("/dev/"):
        return Webcam(
            spec,
            open_timeout_s=open_timeout_s,
            read_timeout_s=read_timeout_s,
            on_undecodable=on_undecodable,
        )
    if "://" in spec:
        return Stream(
            spec,
            open_timeout_s=open_timeout_s,
            read_timeout_s=read_timeout_s,
            snapshot_fps=snapshot_fps,
            on_undecodable=on_undecodable,
        )
    return (None if os.path.lexists(spec) else _installed(spec)) or recording(
        spec, on_undecodable, alone=alone
    )


def _installed(spec: str) -> Source | None:
    """The source of an installed package; None if no package offers that name."""
    name = spec.partition(":")[0]
    offers = entry_points(group=ENTRY_POINTS, name=name)
    if not offers:
        return None
    _, options = parse_spec(spec)
    (entry, *others) = offers
    if any(other.value != entry.value for other in others):
        raise SettingsError(
            f"--source {name}: several packages offer it: {', '.join(sorted(each.value for each in offers))}; "
            "uninstall all but one"
        )
    try:
        source: Any = entry.load()(options)
        missing = [member for member in _MEMBERS if not hasattr(source, member)]
    except SplitDNNError:
        raise
    except (Exception, SystemExit) as error:  # another package's code may raise anything
        reason = " ".join(str(error).split())
        raise SettingsError(
            f"--source {name}: {entry.value} fails: {type(error).__name__}: {reason}"
        ) from error
    if missing:
        raise SettingsError(
            f"--source {name}: what {entry.value} returns is no source, it lacks {', '.join(missing)}"
        )
    return InstalledSource(source)
