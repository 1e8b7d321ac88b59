"""The conversations in tests/golden/session, as they were written down."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from kits.talking import CLOUD_ID, HELLO, SESSION, WELCOME, frame
from kits.transcripts import Writer

from shared.errors import DeadlineError, ShapeError, StateMissingError, UnavailableError
from shared.tasks.classify import Classify
from shared.wire.frame import EncodedTensor
from shared.wire.session.messages import Answered

if TYPE_CHECKING:
    from collections.abc import Callable

TASK = Classify([f"class {number}" for number in range(1000)], 5)
STEPS = {"receive": 1.2, "decode": 8.4, "queue": 0.0, "tail": 31.7, "top": 0.3}
STATES = [bytes(4), *(bytes.fromhex(each) for each in ("5ce1a2b0", "0d15ea5e", "77aa0c3d", "9b9b0001"))]


def payload(number: int, size: int = 24) -> bytes:
    return bytes((37 * number + 11 * place) % 256 for place in range(size))


def top(first: int) -> bytes:
    """Five classes in binary."""
    shares = (0.8125, 0.0625, 0.03, 0.01, 0.001)
    given = [{"class_id": first + 7 * place, "probability": share} for place, share in enumerate(shares)]
    body = TASK.pack(TASK.parse({"top": given}))
    assert body is not None
    return body


def stream() -> str:
    talk = Writer(
        "A new session: a keyframe and frames that need the one before, answers in binary and in JSON, a refusal, a cancel, a go-away"
    )
    talk.connection()
    talk.from_edge(talk.edge.hello(HELLO))
    talk.from_cloud(talk.cloud.welcome(WELCOME))
    talk.note("a keyframe needs no state; the stream is told with all of its parameters")
    talk.from_edge(*talk.edge.frame(frame(0, payload(0, 60), state=STATES[0]), 0, timings=True)[1])
    talk.note("the parameters change: the stream is told again, and from now on the frames say the rest")
    talk.from_edge(*talk.edge.frame(frame(1, payload(1), state=STATES[1]), 0, timings=False)[1])
    talk.from_edge(*talk.edge.frame(frame(2, payload(2), state=STATES[2]), 0, timings=False)[1])
    talk.from_cloud(talk.cloud.answer(Answered(0, top(3), is_json=False, steps_ms=STEPS)))
    talk.from_cloud(talk.cloud.answer(Answered(1, top(9), is_json=False)))
    talk.note("another deadline than the one in the hello, and frames left out by the camera")
    talk.from_edge(
        *talk.edge.frame(frame(5, payload(3), state=STATES[3], deadline_ms=300), 0, timings=False)[1]
    )
    talk.from_cloud(talk.cloud.refusal(3, DeadlineError("the answer would be 12 ms late")))
    talk.note("nobody waits for frame 2 any more")
    talk.from_edge(talk.edge.cancel([2]))
    talk.from_edge(*talk.edge.frame(frame(6, payload(4), state=STATES[4]), 0, timings=False)[1])
    body = json.dumps({"task": "classify", "top": [{"class_id": 3, "label": "hen", "probability": 0.75}]})
    talk.from_cloud(talk.cloud.answer(Answered(4, body.encode(), is_json=True)))
    talk.from_cloud(talk.cloud.go_away("rebalance"))
    talk.from_edge(*talk.edge.frame(frame(7, payload(5), state=STATES[1]), 0, timings=False)[1])
    talk.from_cloud(
        talk.cloud.refusal(5, UnavailableError("this cloud takes no more frames of this session"))
    )
    talk.from_edge(talk.edge.bye())
    talk.note("the session at another cloud begins with a keyframe")
    talk.connection()
    talk.from_edge(talk.edge.hello(HELLO))
    talk.from_cloud(talk.cloud.welcome(replace(WELCOME, session=SESSION[::-1], cloud=CLOUD_ID[::-1])))
    talk.from_edge(*talk.edge.frame(frame(8, payload(6, 60), state=STATES[0]), 0, timings=False)[1])
    talk.from_cloud(talk.cloud.answer(Answered(0, top(100), is_json=False)))
    return talk.text()


def broken() -> str:
    talk = Writer(
        "The link breaks in the middle of a frame that needs the one before; the session goes on with a keyframe"
    )
    talk.connection(65534)
    talk.from_edge(talk.edge.hello(HELLO))
    talk.from_cloud(talk.cloud.welcome(WELCOME))
    for number in range(3):
        talk.from_edge(
            *talk.edge.frame(frame(number, payload(number), state=STATES[number]), 0, timings=False)[1]
        )
    talk.from_cloud(talk.cloud.answer(Answered(65534, top(1), is_json=False)))
    lost, (message,) = talk.edge.frame(frame(3, payload(3), state=STATES[3]), 0, timings=False)
    talk.cut(message, 17)
    talk.note("65535 and 0 have come, and their answers were lost or were not there yet; 1 has not come")
    talk.connection(2)
    talk.from_edge(talk.edge.hello(replace(HELLO, session=SESSION, unanswered=(65535, 0, lost))))
    talk.from_cloud(talk.cloud.welcome(replace(WELCOME, resumed=True, received=(65535, 0))))
    talk.from_cloud(talk.cloud.answer(Answered(65535, top(2), is_json=False)))
    talk.from_cloud(talk.cloud.answer(Answered(0, top(3), is_json=False)))
    talk.note("the stream's next frame is a keyframe")
    talk.from_edge(*talk.edge.frame(frame(4, payload(4, 60), state=STATES[0]), 0, timings=False)[1])
    talk.from_cloud(talk.cloud.answer(Answered(2, top(4), is_json=False)))
    talk.from_edge(talk.edge.bye())
    return talk.text()


def keyframe() -> str:
    talk = Writer(
        "The cloud has another state than a frame needs: it asks for a keyframe, and no answer is wrong"
    )
    talk.connection()
    talk.from_edge(talk.edge.hello(HELLO))
    talk.from_cloud(talk.cloud.welcome(WELCOME))
    for number in range(3):
        talk.from_edge(
            *talk.edge.frame(frame(number, payload(number), state=STATES[number]), 2, timings=False)[1]
        )
    talk.from_cloud(talk.cloud.answer(Answered(0, top(1), is_json=False)))
    for number in (1, 2):
        talk.from_cloud(talk.cloud.refusal(number, StateMissingError("the frame needs the frame before it")))
        if number == 1:
            talk.from_cloud(talk.cloud.keyframe(2))
    talk.from_edge(*talk.edge.frame(frame(3, payload(3, 60), state=STATES[0]), 2, timings=False)[1])
    talk.from_cloud(talk.cloud.answer(Answered(3, top(4), is_json=False)))
    return talk.text()


def several() -> str:
    talk = Writer(
        "Two cameras, one with three crossing tensors, and a frame that is sent once more over another connection"
    )
    tensors = [EncodedTensor(2, (8 << each, 4, 4), b"", payload(each, 5 + each)) for each in range(3)]
    pyramid = replace(frame(0), split_point="neck", tensors=tuple(tensors))
    small = frame(
        0, payload(9), tensors=(EncodedTensor(5, (2048,), bytes.fromhex("0000003f80"), payload(9, 12)),)
    )
    talk.connection()
    talk.from_edge(talk.edge.hello(replace(HELLO, question="threshold=0.5", deadline_ms=0)))
    talk.from_cloud(talk.cloud.welcome(WELCOME))
    talk.from_edge(*talk.edge.frame(pyramid, 0, timings=False)[1])
    talk.from_edge(*talk.edge.frame(replace(small, frame_id=7 << 40), 1, timings=False)[1])
    later = replace(
        pyramid, frame_id=pyramid.frame_id + 1, capture_time_ns=pyramid.capture_time_ns + 40_999_999
    )
    talk.from_edge(*talk.edge.frame(later, 0, timings=False)[1])
    error = ShapeError("one of the tensors is of another shape", accepted={"shapes": [[8, 4, 4]]})
    talk.from_cloud(talk.cloud.refusal(0, error))
    talk.note(
        "the cloud does not have the session any more; what needs no other frame is sent again, as a new session's"
    )
    talk.connection(3)
    hello = replace(HELLO, question="threshold=0.5", deadline_ms=0, session=SESSION, unanswered=(1, 2))
    talk.from_edge(talk.edge.hello(hello))
    talk.from_cloud(talk.cloud.welcome(replace(WELCOME, session=SESSION[::-1])))
    talk.from_edge(*talk.edge.frame(later, 0, timings=False)[1])
    talk.from_cloud(talk.cloud.answer(Answered(3, b"", is_json=False)))
    talk.note("frames of other streams, and one with its old number")
    talk.connection(4)
    talk.from_edge(talk.edge.hello(replace(hello, session=SESSION[::-1], unanswered=(3,))))
    talk.from_cloud(talk.cloud.welcome(replace(WELCOME, session=SESSION[::-1], resumed=True)))
    talk.from_edge(*talk.edge.frame(later, 0, timings=False, number=3)[1])
    talk.from_edge(*talk.edge.frame(small, 1, timings=True)[1])
    talk.from_cloud(talk.cloud.answer(Answered(4, top(5), is_json=False, steps_ms={"tail": 3.0})))
    return talk.text()


CONVERSATIONS: dict[str, Callable[[], str]] = {
    "stream": stream,
    "broken": broken,
    "keyframe": keyframe,
    "several": several,
}
