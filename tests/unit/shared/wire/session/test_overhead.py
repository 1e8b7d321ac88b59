"""What a frame and its answer take besides the payload, WebSocket's framing counted: at most 60 bytes (SESSION.md, "What it costs")."""

from __future__ import annotations

import re

import numpy as np
from kits.common import ROOT
from kits.talking import frame, pair

from shared.tasks.classify import Classify
from shared.wire.session.messages import Answered

PAGE = (ROOT / "shared" / "wire" / "SESSION.md").read_text(encoding="utf-8")
MOST_BYTES = 60
FRAMES = 600
CHANCE = np.random.default_rng(19)


def websocket_bytes(length: int, *, masked: bool) -> int:
    """The header of a message in one WebSocket frame."""
    return 2 + (2 if length > 125 else 0) + (6 if length > 65535 else 0) + 4 * masked


def test_a_minute_of_a_camera_takes_few_bytes_besides_its_payloads() -> None:
    edge, cloud = pair()
    task = Classify([f"class {number}" for number in range(1000)], 5)
    ups, downs = [], []
    for number in range(FRAMES):
        payload = CHANCE.bytes(2000 if number % 50 == 0 else 400)
        sent = frame(number, payload, state=bytes(4) if number % 50 == 0 else CHANCE.bytes(4))
        _, messages = edge.frame(sent, 0, timings=number % 20 == 0)
        for message in messages:
            cloud.received(message)
        ups.append(
            sum(len(each) + websocket_bytes(len(each), masked=True) for each in messages) - len(payload)
        )
        body = task.pack(task.answer((CHANCE.normal(0, 3, 1000).astype(np.float32),)))
        assert body is not None
        steps = {"receive": 0.2, "decode": 9.1, "queue": 4.0, "tail": 31.0, "top": 0.1}
        answer = cloud.answer(Answered(number, body, False, steps if number % 20 == 0 else {}))
        edge.received(answer)
        downs.append(len(answer) + websocket_bytes(len(answer), masked=False))
    later = [up + down for up, down in zip(ups[2:], downs[2:], strict=True)]
    assert max(later) <= MOST_BYTES
    said = re.search(r"\| together, besides the payload \| (\d+) \| (\d+) \|", PAGE)
    assert said is not None
    assert (int(np.median(ups)), int(np.median(downs))) == tuple(map(int, said.groups()))
    assert (sum(ups) + sum(downs)) / FRAMES <= MOST_BYTES, "with the stream's definitions, on average"


def test_several_cameras_take_no_more_each() -> None:
    edge, cloud = pair()
    for number in range(5):
        for camera in range(4):
            sent = frame(number, bytes(300), frame_id=(camera + 1) * 0x1234567 << 32 | number)
            _, messages = edge.frame(sent, camera, timings=False)
            for message in messages:
                cloud.received(message)
            if number:
                assert sum(map(len, messages)) - 300 <= 22 - 8
