"""The way to the cloud, or to several, that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.uplink.clouds.clouds import Clouds
from edge.uplink.clouds.uplinks import FIRST_SHARE, Uplinks
from edge.uplink.line import Line, trust_of
from edge.uplink.uplink import Uplink

if TYPE_CHECKING:
    from typing import Any

    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics
    from shared.security.tokens.bearer import Bearer


def make_line(
    settings: EdgeSettings, metrics: EdgeMetrics, *, in_flight: int, deadline_s: float, bearer: Bearer | None
) -> Line | Clouds:
    """A way that has yet to be opened, by `async with`. `deadline_s`: the longest that a frame may wait. Raises SettingsError."""
    tls, urls = trust_of(settings, metrics), settings.cloud_urls
    several = len(urls) > 1
    if several:
        deadline_s *= FIRST_SHARE
    lines = [
        Line(
            url,
            metrics,
            in_flight=in_flight,
            deadline_s=deadline_s,
            bearer=bearer,
            tls=tls if url.startswith("https:") else None,
            proxy=settings.proxy,
            one_of_several=several,
            session=settings.session,
        )
        for url in urls
    ]
    return Clouds(lines, metrics, in_flight=in_flight, tls=tls) if several else lines[0]


def make_uplink(line: Line | Clouds, *given: Any, follows: bool, **options: Any) -> Uplink | Uplinks:
    """The way for the frames of one network; the rest as an `Uplink` takes it."""
    if isinstance(line, Line):
        return Uplink(line, *given, follows=follows, **options)
    uplinks = [Uplink(member.line, *given, follows=follows, **options) for member in line.members]
    return Uplinks(line, uplinks, follows=follows)
