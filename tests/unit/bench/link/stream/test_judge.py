"""What the cloud should have answered: by the same symbols, coded once more."""

from types import SimpleNamespace

import numpy as np
import pytest
from kits.tiny import TinyEngine, partition_of, tiny_model

from bench.link.stream import judge as room
from bench.link.stream.judge import Judge, Sent
from bench.link.stream.replay import Replay
from shared.codecs.base import Codec, Encoded
from shared.errors import StateMissingError
from shared.wire.frame import unpack

MODEL = tiny_model()
PICTURES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def network():
    engine = TinyEngine(MODEL)
    return SimpleNamespace(model=MODEL, partition=partition_of(MODEL), engine=lambda: engine)


@pytest.fixture
def judge(network):
    found = Judge(network)
    found.watch(SimpleNamespace(pictures=lambda: list(PICTURES), begin=2, own_fps=30))
    return found


def answered(judge, number):
    """What the unsplit network says of a picture: its top class and probability."""
    values = judge._unsplit(number)[0][0].astype(np.float64)
    probabilities = np.exp(values - values.max()) / np.exp(values - values.max()).sum()
    return int(probabilities.argmax()), float(probabilities.max())


def test_a_right_answer_a_wrong_one_and_a_frame_of_other_bytes(judge):
    size = 4 * 3 * 3 * 4
    top = answered(judge, 0)
    sent = [
        Sent(0, size, top),
        Sent(0, size, ((top[0] + 1) % 7, top[1])),
        Sent(1, size + 1, top),
        Sent(1, size),
    ]
    right, wrong, unlike, silent = judge.judge("relu/float32", None, sent)
    assert (right.same_bytes, right.agrees, right.wrong) == (True, True, False)
    assert right.divergence == pytest.approx(0, abs=1e-6)
    assert wrong.wrong
    assert (unlike.same_bytes, unlike.divergence, unlike.wrong) == (False, None, False)
    assert (silent.same_bytes, silent.wrong) == (True, False), "nobody answered, nothing was wrong"


def test_a_probability_that_another_batch_would_have_rounded_is_right(judge):
    class_id, probability = answered(judge, 0)
    sent = [Sent(0, 144, (class_id, probability + more)) for more in (0.003, -0.003, 0.02)]
    assert [each.wrong for each in judge.judge("relu/float32", None, sent)] == [False, False, True]


def test_a_picture_travels_as_the_edge_prepares_it(judge):
    (found,) = judge.judge("input/raw", None, [Sent(2, 192, answered(judge, 2))])
    assert (found.same_bytes, found.agrees, found.wrong) == (True, True, False)


def test_a_sample_is_a_frame_that_a_cloud_takes(judge):
    frame = unpack(judge.sample("relu/float32", None))
    assert (frame.split_point, frame.fingerprint, frame.payload_bytes) == ("relu", MODEL.fingerprint, 144)


def test_the_share_of_the_multiplications(judge):
    assert (judge.macs("input"), judge.macs("output")) == (1.0, 0.0)


class Delta(Codec):
    """After a keyframe of four bytes a value, one byte: the number of the frame that it follows."""

    id, name, inter = 250, "delta", True

    def __init__(self):
        self.count, self.last = 0, None
        self.forgot = 0

    def for_stream(self):
        return Delta()

    def forget(self):
        self.last = None
        self.forgot += 1

    def encode(self, array):
        if self.last is None:
            self.count = 0
            payload = array.astype("<f4").tobytes()
        else:
            self.count += 1
            payload = bytes([self.count]) + array.astype("<f4").tobytes()[: array.size]
        self.last = array
        return Encoded(b"", payload)

    def decode(self, params, payload, shape):
        del params
        if len(payload) == 4 * np.prod(shape):
            self.count, self.last = 0, np.frombuffer(payload, "<f4").reshape(shape)
        elif self.last is None or payload[0] != self.count + 1:
            raise StateMissingError("another state")
        else:
            self.count += 1
        return self.last


def test_both_sides_of_a_stream_take_a_keyframe_where_the_edge_made_one(network):
    point = network.partition.point("relu")
    plan = SimpleNamespace(codec=Delta(), split_point=point, head=network.engine().head(point))
    replay = Replay(network, plan, {}, source_size=False)
    key, other = 144, 37
    sizes = [key, other, other, key, other]
    found = [replay.run(number % 4, PICTURES[number % 4], size) for number, size in enumerate(sizes)]
    assert all(each is not None for each in found)
    assert replay._encoder.forgot == 1, "only where the number of bytes says so"
    assert replay.run(0, PICTURES[0], 999) is None
    assert replay.run(1, PICTURES[1], other) is not None, (
        "after a frame that is not understood it goes on from its keyframe"
    )


class Video(Delta):
    """A picture's bytes are those asked for so far by this encoder: one that was asked once too often is never right again."""

    carries = "picture"

    def __init__(self):
        super().__init__()
        self.asked = 0

    def for_stream(self):
        return Video()

    def encode(self, array):
        self.asked += 1
        size = 100 * (self.last is None) + self.asked
        self.last = array
        return Encoded(b"", bytes(size))


def test_where_a_video_encoder_was_told_to_forget_is_seen_by_the_bytes(network):
    plan = SimpleNamespace(codec=Video(), split_point=network.partition.point("input"), head=None)
    replay = Replay(network, plan, {}, source_size=False)
    sizes = [101, 2, 103, 4, 5, 106]
    assert replay.forgets([(PICTURES[0], size) for size in sizes]) == {2, 5}
    assert replay.forgets([(PICTURES[0], size) for size in (101, 2, 77, 4)]) == {2}, (
        "what is not explained by it ends the search"
    )
    plan.codec = Delta()
    assert Replay(network, plan, {}, source_size=False).forgets([(PICTURES[0], 5)]) == set()


def test_a_profile_is_fitted_to_what_is_not_played(judge, monkeypatch, tmp_path):
    fitted = {}

    def fit(crossing, presets, **given):
        fitted.update(given, frames=len(crossing[0]), step=presets[0].step)
        return SimpleNamespace(data=b"profile")

    judge._network.bundle = "the bundle"
    monkeypatch.setattr(room, "fit_crossing", fit)
    monkeypatch.setattr(room, "measure_importance", lambda *_: ["important"])
    judge.fit("relu/calibrated@1.5", tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == b"profile"
    assert (fitted["given"], fitted["step"], fitted["split_point"]) == (2, 1.5, "relu")
    assert fitted["frames"] > 2, "variants are added where there are few"
    assert fitted["runs"] is None
    monkeypatch.setattr(room, "make_codec", lambda _: Delta())
    judge.fit("relu/calibrated@1.5", tmp_path / "p")
    assert [[len(run) for run in tensor] for tensor in fitted["runs"]] == [[1]]


def test_runs_are_as_fast_as_an_edge_sends(judge):
    judge.watch(SimpleNamespace(pictures=lambda: list(PICTURES), begin=0, own_fps=25))
    runs = judge._runs(list(range(200)))
    assert [run[:2] + run[-1:] for run in runs] == [
        [0, 2, 58], [46, 48, 104], [93, 95, 151], [140, 142, 198]
    ]  # fmt: skip
