"""What the cloud answers, read with suspicion: whatever it is, it costs a frame and not the run."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp

    from shared.tasks.classify import TopClass

_MAX_REPLY_BYTES = 1 << 20
_MAX_SHOWN = 300
_REASONS = {424: "profile", 503: "busy", 504: "late"}


class UplinkError(Exception):
    """The cloud did not answer this frame; `reason` is one of edge/metrics.py's FALLBACKS."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Reply:
    """The cloud's answer to one frame."""

    top: list[TopClass]
    stages_ms: dict[str, float]
    received: tuple[float, float] | None = None
    """Bytes of the frame that came in after its first piece, and the seconds in which they did; None if it is not said."""


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """The body, bounded: whatever answers, this process does not swell."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_REPLY_BYTES:
            raise UplinkError("refused", f"the answer is longer than {_MAX_REPLY_BYTES} bytes")
    return bytes(body)


def refusal_of(status: int, body: bytes) -> UplinkError:
    """What a status that is not 200 means to a frame, and the cloud's words."""
    text = f"{status} {parse_json(body).get('error', '')}".strip()
    return UplinkError(_REASONS.get(status, "refused"), text[:_MAX_SHOWN])


def read_reply(status: int, body: bytes) -> Reply:
    """The cloud's answer to a frame. Raises UplinkError if it is a refusal, or nothing that can be an answer."""
    if status != 200:
        raise refusal_of(status, body)
    return parse_reply(body)


def parse_reply(body: bytes) -> Reply:
    """Checked to the last value, as records are made of it: a bad answer costs one frame, not the run."""
    fields = parse_json(body)
    try:
        top = [_parse_class(each) for each in fields["top"]]
        stages_ms = {_text(name): _number(ms) for name, ms in fields["stages_ms"].items()}
        said = fields.get("received")
        received = None if said is None else (_number(said["bytes"]), _number(said["ms"]) / 1e3)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        top = []
    if not top:
        raise UplinkError("refused", "the answer is not one of a SplitDNN cloud")
    return Reply(top, stages_ms, received)


def _parse_class(fields: dict[str, Any]) -> TopClass:
    return {
        "class_id": int(fields["class_id"]),
        "label": _text(fields["label"]),
        "probability": _number(fields["probability"]),
    }


def _text(value: str) -> str:
    value.encode()  # raises ValueError for what no file or terminal takes
    return value


def _number(value: float) -> float:
    if not 0 <= value < math.inf:
        raise ValueError
    return float(value)


def parse_json(body: bytes) -> dict[str, Any]:
    """The object in this body; an empty one for all that is none."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
