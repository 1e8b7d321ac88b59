"""The packet that a camera has coded a picture as goes with it to the encoder, as long as it is that picture."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from kits.edge import FakeSource, FakeUplink, Run
from kits.recordings import LOW_DELAY, recorded
from kits.tiny import SIDE, tiny_model
from kits.videos import NONE

from edge.frames.preprocess import Preprocess
from shared.codecs import NAMES
from shared.codecs.video.passing import annexb

CODEC = "h264:passthrough=1"


class AlwaysRoom:
    """The room of a session that never breaks: one stream, which always has some."""

    def stream(self, codec):
        return SimpleNamespace(codec=codec.for_stream(), forget=None)

    def admits(self, stream, deadline_s, *, live=False):
        return True

    def ticket(self, stream, frame):
        return None


class StreamUplink(FakeUplink):
    """Decodes as a session would."""

    def __init__(self, model):
        super().__init__(model)
        self.room = AlwaysRoom()
        self.stream = NAMES["h264"].for_stream()

    def _decode(self, frame):
        (tensor,) = frame.tensors
        return (self.stream.decode(tensor.params, tensor.payload, tensor.shape),)


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    return recorded(tmp_path_factory.mktemp("camera") / "camera.mp4", "h264", LOW_DELAY["h264"])


def sent_by(shots, codec=CODEC, *, source_size=True, grayscale=False):
    model = tiny_model()
    uplink = StreamUplink(model)
    preprocess = Preprocess(model.recipe, source_size=source_size, grayscale=grayscale)
    run = Run(FakeSource(shots), uplink, preprocess=preprocess, split_point="input", codec=codec)
    run.to_end()
    assert run.answered_by() == ["cloud"] * len(shots)
    return [frame.tensors[0] for frame in uplink.frames]


def are_own(tensors, shots):
    return [
        bool(shot.own) and annexb(shot.own)[0].endswith(bytes(tensor.payload)[-20:])
        for tensor, shot in zip(tensors, shots, strict=True)
    ]


def test_they_travel_in_place_of_what_an_encoder_makes(shots):
    tensors = sent_by(shots)
    assert are_own(tensors, shots) == [True] * len(shots)
    assert [tensor.params == NONE for tensor in tensors] == [number % 5 == 0 for number in range(len(shots))]
    assert {tensor.shape for tensor in tensors} == {shots[0].picture.shape}
    assert not any(are_own(sent_by(shots, "h264"), shots))


def test_a_picture_of_the_networks_size_is_not_the_cameras(shots):
    tensors = sent_by(shots, source_size=False)
    assert {tensor.shape for tensor in tensors} == {(SIDE, SIDE, 3)}
    assert not any(are_own(tensors, shots))


def test_a_grey_picture_is_not_the_cameras_whatever_the_settings_let_pass(shots):
    tensors = sent_by(shots, grayscale=True)
    assert {tensor.shape for tensor in tensors} == {shots[0].picture.shape}
    assert not any(are_own(tensors, shots))
    reader = NAMES["h264"].for_stream()
    for tensor in tensors:
        seen = reader.decode(tensor.params, tensor.payload, tensor.shape).astype(int)
        assert np.abs(seen - seen[:, :, :1]).max() <= 3


def test_a_camera_of_the_networks_size_sends_what_the_network_sees(tmp_path):
    shots = recorded(tmp_path / "small.mp4", "h264", LOW_DELAY["h264"], (16, 16))
    cut = [  # as if a camera of 8 x 8 had coded them
        type(shot)(np.ascontiguousarray(shot.picture[:SIDE, :SIDE]), shot.number, own=shot.own)
        for shot in shots
    ]
    assert not any(are_own(sent_by(cut), cut))
