"""The project's own codecs of streams over a session: what they decode to is what their encoder meant, and answers are those of keyframes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kits.cloud import Server, until
from kits.codecs import VIDEO_CODECS, name_of
from kits.profiles import SMALL, stream
from kits.session_client import Talk, metric, resuming
from kits.videos import moving

from edge.calibration.fit import fit_profile
from shared.codecs import NAMES
from shared.codecs.coding import encode_frame
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted
from shared.wire import frame as wire
from shared.wire.session.messages import Answered, KeyframeWanted, Refused

if TYPE_CHECKING:
    import numpy as np

    from shared.codecs import Codec
    from shared.codecs.calibrated.profile import Profile
    from shared.network.model import Model
    from shared.wire.frame import Frame

pytestmark = pytest.mark.slow
SHAPE = (512, 7, 7)


@pytest.fixture(scope="module")
def profile(model: Model) -> Profile:
    runs = [stream(SHAPE, 6, seed=seed) for seed in (0, 20)]
    tensors = [tensor for run in runs for tensor in run]
    return fit_profile(tensors, SMALL, fingerprint=model.fingerprint, split_point="layer4", runs=runs)


@pytest.fixture(scope="module")
def fitted(profile: Profile) -> Codec:
    return NAMES["calibrated-inter"].bind(profile)  # type: ignore[attr-defined,no-any-return]


def _frame(model: Model, array: np.ndarray, codec: Codec, number: int, point: str) -> Frame:
    return encode_frame(
        array, codec, split_point=point, fingerprint=model.fingerprint, frame_id=number, deadline_ms=20_000
    )


def _classes(model: Model, said: Any) -> list[int]:
    assert isinstance(said, Answered), said
    return [each["class_id"] for each in make_task(model, Wanted(5)).unpack(said.body).fields()["top"]]


def test_calibrated_inter(server: Server, model: Model, profile: Profile, fitted: Codec) -> None:
    assert server.put_profile(profile.data).status == 201
    encoder = fitted.for_stream()
    tensors = stream(SHAPE, 10, seed=3)
    with Talk(server) as talk:
        sizes = []
        for number, array in enumerate(tensors[:8]):
            frame = _frame(model, array, encoder, number, "layer4")
            sizes.append(frame.payload_bytes)
            alone = server.frame(
                wire.pack(_frame(model, array, fitted, number, "layer4"))
            )  # a keyframe of its own
            expected = [each["class_id"] for each in alone.json["top"]]
            assert _classes(model, talk.ask(frame)) == expected, number
        assert max(sizes[1:]) < sizes[0]
        _frame(model, tensors[8], encoder, 8, "layer4")  # lost
        talk.frame(_frame(model, tensors[9], encoder, 9, "layer4"))
        heard = [talk.read(), talk.read()]
        assert KeyframeWanted(0) in heard
        (refused,) = (each for each in heard if isinstance(each, Refused))
        assert (refused.status, refused.reason) == (424, "state_missing")
        encoder.forget()
        assert isinstance(talk.ask(_frame(model, tensors[9], encoder, 10, "layer4")), Answered)


@pytest.mark.parametrize("codec", VIDEO_CODECS, ids=name_of)
def test_a_video(model: Model, codec: Codec) -> None:
    pictures = moving(5, 96, 128)
    with Server() as server:
        first, second, here = (codec.for_stream() for _ in range(3))
        with Talk(server) as talk:
            for number, picture in enumerate(pictures[:4]):
                one = _frame(model, picture, first, number, "input")
                other = _frame(model, pictures[-1 - number], second, number, "input")
                answers = [talk.ask(one, 0), talk.ask(other, 1)]
                (sent,) = one.tensors
                seen = here.decode(sent.params, sent.payload, sent.shape)
                raw = server.frame(wire.pack(_frame(model, seen, NAMES["raw"], number, "input"))).json
                assert _classes(model, answers[0]) == [each["class_id"] for each in raw["top"]]
                assert isinstance(answers[1], Answered)
            assert server.metric("video_streams") == 2
            talk.break_off()
            until(lambda: any(each.broken_s for each in server.service.sessions._sessions.values()))
            with Talk(server, hello=resuming(talk), first=20) as again:
                assert isinstance(again.ask(_frame(model, pictures[4], first, 4, "input"), 0), Answered)
                again.send(again.edge.bye())
                again.ends()
        until(lambda: server.metric("video_streams") == 0)
        assert metric(server, "keyframes_wanted_total", reason="missing") == 0


def test_a_late_picture_is_decoded_and_one_that_is_no_video_costs_a_keyframe(model: Model) -> None:
    codec = NAMES["h264"].for_stream()
    pictures = moving(5, 96, 128)
    frames = [_frame(model, picture, codec, number, "input") for number, picture in enumerate(pictures)]
    with Server() as server, Talk(server) as talk:
        assert isinstance(talk.ask(frames[0]), Answered)
        late = wire.Frame(*(getattr(frames[1], name) for name in ("split_point", "tensors", "fingerprint", "frame_id", "capture_time_ns")), 1)  # fmt: skip
        said = talk.ask(late)
        assert isinstance(said, Refused)
        assert said.reason == "deadline", said
        assert isinstance(talk.ask(frames[2]), Answered)
        (tensor,) = frames[3].tensors
        broken = wire.EncodedTensor(tensor.codec_id, tensor.shape, tensor.params, b"no video")
        talk.frame(wire.Frame("input", (broken,), model.fingerprint, 3, 0, 20_000))
        heard = [talk.read(), talk.read()]
        assert KeyframeWanted(0) in heard
        assert any(isinstance(each, Refused) and each.reason == "bad_content" for each in heard)
        codec.forget()
        assert isinstance(talk.ask(_frame(model, pictures[4], codec, 4, "input")), Answered)
