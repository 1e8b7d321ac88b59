"""The messages of a session between its two sides, without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared import limits
from shared.wire.cloud_id import new_cloud_id
from shared.wire.session.cloud import CloudConnection
from shared.wire.session.edge import EdgeConnection
from shared.wire.session.messages import SESSION_BYTES, Arrived, Hello, Welcome

if TYPE_CHECKING:
    from shared.wire.frame import Frame

_STREAM = 0
DEADLINE_MS = 1000
"""Every frame's, so that none says its own."""


class Transit:
    """One connection with one stream."""

    def __init__(self, fingerprint: bytes) -> None:
        self._edge = EdgeConnection()
        self._cloud = CloudConnection(streams=1, message_bytes=limits.MAX_FRAME_BYTES)
        self._cloud.received(self._edge.hello(Hello(fingerprint, "top=5", DEADLINE_MS)))
        welcome = Welcome(bytes(SESSION_BYTES), new_cloud_id(), 1, 1, limits.MAX_FRAME_BYTES)
        self._edge.received(self._cloud.welcome(welcome))

    def send(self, frame: Frame) -> list[bytes]:
        """The messages that bring it: what its stream is where that is new or has changed, and the frame. Raises WireError."""
        _, messages = self._edge.frame(frame, _STREAM, timings=False)
        return messages

    def receive(self, messages: list[bytes]) -> Frame:
        """The frame that they brought. Raises WireError."""
        *_, arrived = [self._cloud.received(message) for message in messages]
        assert isinstance(arrived, Arrived)
        return arrived.frame
