"""A session against a real cloud: its frames are answered as those of `POST /model`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.cloud import Gate, Server, until
from kits.session_client import Talk, metric

from shared.wire.session.messages import SUBPROTOCOL, Answered, Bye, Refused

if TYPE_CHECKING:
    from shared.engines.load import Network


def test_a_frame_is_answered_as_by_a_request(server: Server, pack: Any) -> None:
    data = pack(frame_id=7)
    expected = server.frame(data).json
    with Talk(server) as talk:
        assert talk.headers["sec-websocket-protocol"] == SUBPROTOCOL
        assert "sec-websocket-extensions" not in talk.headers
        said = talk.ask(data)
    assert isinstance(said, Answered)
    print(said)
