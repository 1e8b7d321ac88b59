"""What an edge is told to send, and by which way: as the command line has it, and as the edge's flags."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from edge.config import EdgeSettings
from shared.codecs.registry import make_codec
from shared.errors import SettingsError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from pathlib import Path

Way = Literal["http", "session"]
HTTP: Way = "http"
SESSION: Way = "session"
_FORM = re.compile(r"(?P<point>[^/@]+)(?P<source>@source)?(?:/(?P<codec>[^@]+)(?:@(?P<step>[0-9.]+))?)?")
_FITTED = "calibrated"
_STEPS = {"layer3": 2.3, "layer3.4": 2.3, "avgpool": 0.6}
_STEP = 2.0


@dataclass(frozen=True)
class Choice:
    """A split point and a codec."""

    point: str
    codec: str = ""
    """As `--codec` takes it; empty at `output`, where nothing travels."""
    step: float | None = None
    """The quantiser's, of the profile that is fitted for it; None if the codec has none."""
    source_size: bool = False
    """Whether pictures travel in the camera's size."""

    @classmethod
    def read(cls, text: str) -> Self:
        """`layer3/calibrated@2.3`, `input@source/h264:quality=30`, `output`. Raises ValueError."""
        found = _FORM.fullmatch(text)
        if not found or bool(found["codec"]) != (found["point"] != OUTPUT):
            raise ValueError(
                f"{text!r}: accepted are POINT/CODEC, POINT/{_FITTED}@STEP, {INPUT}@source/CODEC and {OUTPUT}"
            )
        point, codec = found["point"], found["codec"] or ""
        step = None
        if codec.startswith(_FITTED):
            step = float(found["step"] or _STEPS.get(point, _STEP))
        return cls(point, codec, step, bool(found["source"]))

    @property
    def profile_name(self) -> str:
        """What the file is called that is fitted for it: choices that differ in options alone share one."""
        inter = "-inter" if make_codec(self.codec).inter else ""
        return f"{self.point}{inter}-{self.step:g}"

    def __str__(self) -> str:
        """As `read` takes it."""
        size, codec = "@source" if self.source_size else "", f"/{self.codec}" if self.codec else ""
        return f"{self.point}{size}{codec}{'' if self.step is None else f'@{self.step:g}'}"

    @property
    def unknown(self) -> str:
        """Why this checkout cannot send it; empty if it can."""
        try:
            if self.codec:
                make_codec(self.codec)
        except SettingsError as error:
            return str(error)
        return ""

    def ways(self, wanted: tuple[Way, ...]) -> tuple[Way, ...]:
        """Those that differ for it: what needs the frame before it travels in sessions, and where nothing travels there is no way."""
        if self.point == OUTPUT:
            return wanted[:1]
        return tuple(way for way in wanted if way == SESSION or not make_codec(self.codec).inter)

    def flags(self, profile: Path | None) -> list[str]:
        """The edge's."""
        return [
            f"--split-point={self.point}",
            *([f"--codec={self.codec}"] if self.codec else []),
            *([f"--profile={profile}"] if profile else []),
            *(["--picture-size=source"] if self.source_size else []),
        ]


def knows_sessions() -> bool:
    """Whether this checkout's edge has them."""
    return "session" in EdgeSettings.model_fields


def way_flags(way: Way) -> list[str]:
    """The edge's, for going this way and no other."""
    if not knows_sessions():
        return []
    return ["--session=only" if way == SESSION else "--session=off"]
