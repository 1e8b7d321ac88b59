"""Log lines: text for people, or one JSON object per line for machines."""

from __future__ import annotations

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from shared.observing.flood import FloodGate
from shared.security.escape import escaped, escaped_lines

_camera = ContextVar("camera", default="")
_INDENT = "  "
"""For tracebacks: what an exception says may be several lines, of which none shall look like one of the log."""

_MISTYPED = re.compile(r"^[^@]*:.*@(?=[\w\[])", re.DOTALL)
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]+@")  # to the last @, as passwords may contain one
_TOKENS = re.compile(r"sdn_[A-Za-z0-9_-]{8,}")


def mask_credentials(text: str) -> str:
    """`rtsp://user:secret@camera/` -> `rtsp://***@camera/`, and `sdn_Zm9v…`, a token, -> `sdn_***`."""
    return _TOKENS.sub("sdn_***", _CREDENTIALS.sub("***@", text))


def mask_url(url: str) -> str:
    """A whole URL without what may be secret: everything before the last @, and the query. Other text stays as it is, but for tokens.

    So does not what was to become a URL, and lacks its `://`.
    """
    url = _TOKENS.sub("sdn_***", url)
    if "://" not in url:
        return _MISTYPED.sub("***@", url)
    masked, query, _ = re.sub(r"(?<=://).*@", "***@", url, flags=re.DOTALL).partition("?")
    return masked + ("?…" if query else "")


def label_logs(camera: str) -> None:
    """From now on the lines of this thread say that they are about this camera, one of several."""
    _camera.set(camera)


class _HumanFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return mask_credentials(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        if camera := _camera.get():
            record.message = f"camera {camera}: {record.message}"
        record.message = escaped(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        return _INDENT + escaped_lines(super().formatException(ei)).replace("\n", f"\n{_INDENT}")


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if camera := _camera.get():
            line["camera"] = camera
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return mask_credentials(json.dumps(line))


def configure_logs(level: str, style: str) -> None:
    """Send logs to stderr; `style` is `text` or `json`. Of lines that come very often some are left out, and counted."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _JsonFormatter()
        if style == "json"
        else _HumanFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    )
    handler.addFilter(FloodGate())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("tornado.access").setLevel(logging.ERROR)  # requests are counted by metrics, not logged
    logging.getLogger("tornado.general").setLevel(
        logging.WARNING
    )  # a line for each thing that a stranger sends
