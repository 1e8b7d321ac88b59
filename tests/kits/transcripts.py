"""Conversations of a session, word for word: who said which bytes, and what a reader of the page makes of them.

A file has a line for each message: `edge` or `cloud`, its bytes in hexadecimal, and below it what it says, as JSON. `cut` is a message of which only
these bytes arrived: it was never said. `connection` begins another one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kits.session_reader import EdgesMessages, read_clouds

from shared.errors import RequestError, all_request_errors
from shared.wire.session.cloud import CloudConnection
from shared.wire.session.edge import EdgeConnection
from shared.wire.session.messages import (
    Answered,
    Arrived,
    Bye,
    Cancel,
    GoAway,
    Hello,
    KeyframeWanted,
    Refused,
    Welcome,
)

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Line:
    """One message."""

    who: str
    data: bytes
    said: dict = field(default_factory=dict)


def read_transcript(path: Path) -> list[list[Line]]:
    """The messages of each connection."""
    connections: list[list[Line]] = []
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] not in ("", "#")]
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        who, _, rest = line.partition(" ")
        if who == "connection":
            connections.append([])
        elif who:
            said = json.loads(after) if who != "cut" else {}
            connections[-1].append(Line(who, bytes.fromhex(rest), said))
    return connections


class Writer:
    """Writes a conversation down while both sides have it; what one side says is what the other hears."""

    def __init__(self, title: str) -> None:
        self.lines = [f"# {title}"]

    def connection(self, first: int = 0) -> None:
        """Another connection."""
        self.edge, self.cloud = EdgeConnection(first), CloudConnection(streams=4, message_bytes=1 << 20)
        self._reader = EdgesMessages()
        self.lines += ["", "connection"]

    def note(self, text: str) -> None:
        """A line for humans."""
        self.lines.append(f"# {text}")

    def from_edge(self, *messages: bytes) -> None:
        """The edge says these, and the cloud hears them."""
        for message in messages:
            self._write("edge", message, self._reader.read(message))
            self.cloud.received(message)

    def from_cloud(self, message: bytes) -> None:
        """The cloud says this, and the edge hears it."""
        self._write("cloud", message, read_clouds(message))
        self.edge.received(message)

    def cut(self, message: bytes, arrived: int) -> None:
        """Only these bytes of a message of the edge arrived."""
        self.lines.append(f"cut {message[:arrived].hex()}")

    def text(self) -> str:
        """The file."""
        return "\n".join(self.lines) + "\n"

    def _write(self, who: str, message: bytes, said: dict) -> None:
        self.lines += [f"{who} {message.hex()}", f" {json.dumps(said)}"]


def said_again(lines: list[Line]) -> list[tuple[str, bytes]]:
    """The same conversation by two other sides: each message is read, and what it says is said by the other's state machine."""
    welcomes = (line.said for line in lines if line.said.get("message") == "welcome")
    limits = next(welcomes)
    edge = EdgeConnection()
    cloud = CloudConnection(streams=limits["streams"], message_bytes=limits["message_bytes"])
    found: list[tuple[str, bytes]] = []
    for line in lines:
        if line.who == "edge":
            heard = cloud.received(line.data)
            found += [("edge", message) for message in _edge_says(edge, heard)]
        elif line.who == "cloud":
            found.append(("cloud", cloud_says(cloud, edge.received(line.data))))
    return found


def _edge_says(edge: EdgeConnection, heard: object) -> list[bytes]:
    match heard:
        case Hello():
            return [edge.hello(heard)]
        case Arrived():
            return edge.frame(heard.frame, heard.stream, timings=heard.timings, number=heard.number)[1]
        case Cancel():
            return [edge.cancel(heard.numbers)]
        case Bye():
            return [edge.bye()]
    return []  # a stream's definition comes with its first frame


def cloud_says(cloud: CloudConnection, heard: object) -> bytes:
    """The message by which a cloud says what an edge has heard."""
    match heard:
        case Welcome():
            return cloud.welcome(heard)
        case Answered():
            return cloud.answer(heard)
        case Refused():
            return cloud.refusal(heard.number, _error(heard))
        case KeyframeWanted():
            return cloud.keyframe(heard.stream)
        case GoAway():
            return cloud.go_away(heard.reason)
    raise AssertionError(heard)


def _error(refused: Refused) -> RequestError:
    """What a cloud would have refused the frame for."""
    kind = next(each for each in all_request_errors() if each.reason == refused.reason)
    error = kind(refused.text, accepted=refused.accepted)
    error.retry_after_s = refused.retry_after_s or 0
    return error
