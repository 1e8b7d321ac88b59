"""A session's videos: decoded in order by a process for each stream, however many frames come at once."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from kits.cloud import until
from kits.codecs import VIDEO_CODECS, name_of
from kits.session_client import Talk
from kits.videos import moving

from shared.codecs.coding import encode_frame
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted
from shared.wire.session.messages import Answered, KeyframeWanted, Refused

if TYPE_CHECKING:
    import numpy as np
    from kits.cloud import Server

    from shared.codecs import Codec
    from shared.network.model import Model
    from shared.wire.frame import Frame

pytestmark = pytest.mark.slow
PICTURES = moving(12, 224, 224)


def frames_of(model: Model, stream: Codec, pictures: list[np.ndarray]) -> list[Frame]:
    fields = {"split_point": "input", "fingerprint": model.fingerprint}
    return [encode_frame(each, stream, frame_id=number, **fields) for number, each in enumerate(pictures)]


def top(model: Model, said: object) -> list[int]:
    assert isinstance(said, Answered), said
    return [each["class_id"] for each in make_task(model, Wanted(5)).unpack(said.body).fields()["top"]]


@pytest.mark.parametrize("codec", VIDEO_CODECS, ids=name_of)
def test_many_frames_at_once_are_decoded_in_order(
    server: Server, model: Model, pack: Any, codec: Codec
) -> None:
    frames, here = frames_of(model, codec.for_stream(), PICTURES), codec.for_stream()
    wanted = []
    for frame in frames:
        (tensor,) = frame.tensors
        picture = here.decode(tensor.params, tensor.payload, tensor.shape)
        answer = server.frame(pack(picture, "raw", split_point="input")).json
        wanted.append([each["class_id"] for each in answer["top"]])
    with Talk(server) as talk:
        sent = {talk.frame(frame): place for place, frame in enumerate(frames)}
        for said in [talk.read() for _ in frames]:
            assert top(model, said) == wanted[sent[said.number]]


def test_a_decoder_that_dies_costs_its_stream_one_keyframe_and_others_nothing(
    server: Server, model: Model, expect_log: pytest.LogCaptureFixture
) -> None:
    codec = VIDEO_CODECS[0]
    mine, other = codec.for_stream(), codec.for_stream()
    first, second, third = frames_of(model, mine, PICTURES[:3])
    beside = frames_of(model, other, PICTURES[:3])
    with Talk(server) as talk:
        for stream, frame in ((0, first), (1, beside[0])):
            assert isinstance(talk.ask(frame, stream), Answered)
        doomed = server.service.decoder.videos._running[-2]  # others may be kept for sessions that may go on
        signal.pidfd_send_signal(doomed._process._handle, signal.SIGKILL)
        talk.frame(second)
        talk.frame(third)
        heard = [talk.read() for _ in range(3)]
        assert heard.count(KeyframeWanted(0)) == 1
        refused = sorted(each.status for each in heard if isinstance(each, Refused))
        assert refused == [422, 424]
        for frame in beside[1:]:
            assert isinstance(talk.ask(frame, 1), Answered)
        mine.forget()
        assert "the process ended" in expect_log.text
        (again,) = frames_of(model, mine, PICTURES[3:4])
        assert isinstance(talk.ask(again), Answered)


def test_a_streams_processes_end_with_its_session(server: Server, model: Model) -> None:
    with Talk(server) as talk:
        (frame,) = frames_of(model, VIDEO_CODECS[0].for_stream(), PICTURES[:1])
        assert isinstance(talk.ask(frame), Answered)
        running = server.metric("video_streams")
        assert running >= 1
        talk.send(talk.edge.bye())
        until(lambda: server.metric("video_streams") == running - 1)
