"""`POST /model` and profiles at a split point where several tensors cross."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.codecs import with_right_crc
from kits.followed import followed
from kits.numpy_network import PYRAMID
from kits.several import frame_of_several, tensors

from cloud.profiles.store import Profiles
from shared.codecs import CODECS, NAMES
from shared.codecs.base import Codec, Encoded
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.profile import Profile
from shared.errors import ContentError
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kits.followed import Followed

OLD = b"old....."
CROSSING = tensors(PYRAMID)
SHAPE = [list(shape) for shape in PYRAMID]


class GainOfEach(Codec):
    """float32 numbers divided by a gain of their tensor, under the id of codec `calibrated`."""

    id, name = Calibrated.id, Calibrated.name

    def __init__(self, profile: Profile, number: int = 0) -> None:
        self.profile = profile
        self._number = number
        self._gain = np.float32(profile.arrays[f"{number}.gain"][0])

    def of_tensor(self, number: int) -> Codec:
        return GainOfEach(self.profile, number)

    def encode(self, array: np.ndarray) -> Encoded:
        params = b"" if self._number else self.profile.digest
        return Encoded(params, NAMES["float32"].encode(array / self._gain).payload)

    def decode(self, params: bytes, payload: Any, shape: tuple[int, ...]) -> np.ndarray:
        if params != (b"" if self._number else self.profile.digest):
            raise ContentError("another profile's")
        return NAMES["float32"].decode(b"", payload, shape) * self._gain


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CODECS, Calibrated.id, Calibrated())
        patch.setattr("cloud.service.Profiles", partial(Profiles, GainOfEach))
        path: Path = tmp_path_factory.mktemp("several") / "bundle"
        with followed(path, OLD, bundle={"pyramid": PYRAMID}) as running:
            yield running


def framed(codec: Codec = NAMES["float32"], crossing: Any = CROSSING, **fields: Any) -> bytes:
    given = {"split_point": "pyramid", "fingerprint": OLD, "deadline_ms": 0} | fields
    return wire.pack(frame_of_several(codec, crossing, **given))


def profile(shapes: Any = PYRAMID, split_point: str = "pyramid") -> Profile:
    arrays = {f"{number}.gain": np.full(1, 2.0 + number, np.float32) for number in range(len(shapes))}
    return Profile.make(arrays, fingerprint=OLD, split_point=split_point, shapes=shapes, about={})


@pytest.fixture(scope="module")
def logits(server: Followed) -> np.ndarray:
    engine, points = server.service.network.engine, server.service.network.partition
    (found,) = engine.tail(points.point("pyramid"))(tuple(each[None] for each in CROSSING))
    return found


def test_frames_are_answered_and_counted_by_their_sum(server: Followed, logits: np.ndarray) -> None:
    for name in ("float32", "int8+zstd"):
        before = server.metric("payload_bytes_sum", codec=name)
        data = framed(NAMES[name], frame_id=2**64 - 1)
        answer = server.frame(data).json
        assert (answer["frame_id"], answer["split_point"]) == (2**64 - 1, "pyramid")
        if name == "float32":
            assert [each["class_id"] for each in answer["top"]] == np.argsort(-logits[0])[:5].tolist()
        assert server.metric("payload_bytes_sum", codec=name) - before == wire.unpack(data).payload_bytes


def test_model_lists_the_shapes_as_a_list_where_several_cross(server: Followed) -> None:
    said = server.ask("GET", "/model").json
    assert said["split_points"]["pyramid"] == SHAPE
    assert said["split_points"]["layer4"] == [512, 7, 7]
    assert list(said["split_points"])[-1] == "output"
    assert said["wire_versions"] == [1, 2]


def test_what_does_not_cross_there_is_a_line_for_its_sender(server: Followed) -> None:
    nan = [CROSSING[0], np.full((512, 4, 4), 1, np.float32), CROSSING[2]]
    data = bytearray(framed(crossing=nan))
    at = wire.HEADER_2.size + 3 * wire.TENSOR.size + len("pyramid") + CROSSING[0].nbytes
    data[at : at + 4] = np.float32("nan").tobytes()
    for body, status, reason, text in [
        (framed(crossing=CROSSING[:2]), 422, "shape", "at pyramid 3 tensors cross, not 2"),
        (framed(crossing=CROSSING[::-1]), 422, "shape", "as tensor 0 of 3 one of shape (128, 14, 14)"),
        (framed(split_point="layer4"), 422, "shape", "at layer4 1 tensor crosses, not 3"),
        (framed(split_point="neck"), 422, "split_point", "unknown split point 'neck'"),
        (with_right_crc(bytes(data)), 422, "bad_content", "tensor 1 of 3: the tensor holds NaN"),
    ]:
        refusal = server.frame(body).refused(status, reason)
        assert text in refusal["error"]
    assert server.frame(framed()).status == 200


def test_one_sender_of_values_too_large_costs_no_other_an_answer(server: Followed) -> None:
    huge = [CROSSING[0], np.full((512, 4, 4), 3e38, np.float32), CROSSING[2]]
    server.frame(framed(crossing=huge)).refused(422, "bad_content")
    assert server.frame(framed()).status == 200


def test_json_of_any_size_is_answered(server: Followed, logits: np.ndarray) -> None:
    """These are too large for the cloud's own process to parse."""
    for count in (1, 3):
        data = [np.repeat(each[None], count, 0).tolist() for each in CROSSING]
        answer = server.post({"data": data, "split_point": "pyramid", "count": 7}).json
        assert answer["count"] == 7
        np.testing.assert_allclose(answer["result"], np.repeat(logits, count, 0), rtol=1e-4, atol=1e-4)
    assert server.service.decoder.json_process._process
    for name in ("pyramid", "layer4"):
        body = json.dumps({"data": [[1.0]], "split_point": name}).encode()
        small = server.post(body).refused(422, "shape")
        assert server.post(body + b" " * (1 << 17)).refused(422, "shape") == small


def test_a_profile_is_of_all_tensors(server: Followed) -> None:
    whole = profile()
    codec = GainOfEach(whole)
    server.frame(framed(codec)).refused(424, "profile_missing")
    assert server.put_profile(whole.data).status == 201
    assert server.ask("GET", f"/profiles/{whole.name}").json["shape"] == SHAPE
    answer, expected = server.frame(framed(codec)).json, server.frame(framed()).json
    assert [each["class_id"] for each in answer["top"]] == [each["class_id"] for each in expected["top"]]
    refusal = server.frame(framed(codec, split_point="layer4")).refused(422, "shape")
    assert refusal["accepted"] == {"shape": [512, 7, 7]}
    for shapes, point in [(PYRAMID[:2], "pyramid"), (PYRAMID, "layer4"), (PYRAMID[::-1], "pyramid")]:
        server.put_profile(profile(shapes, point).data).refused(422, "shape")


def test_each_tensor_names_the_profile_as_the_page_says(server: Followed) -> None:
    """The first one's parameters are its name, the others' are empty."""
    server.put_profile(profile().data)
    frame = wire.unpack(framed(GainOfEach(profile())))
    first, second, third = frame.tensors
    for sent in ((second, second, third), (first, first, third)):
        parts = tuple(
            wire.EncodedTensor(16, each.shape, other.params, each.payload)
            for each, other in zip(frame.tensors, sent, strict=True)
        )
        other = wire.Frame("pyramid", parts, OLD, 1, 0, 0)
        server.frame(wire.pack(other)).refused(422, "bad_content")


def test_the_tails_are_timed_at_every_number_of_tensors(server: Followed) -> None:
    said = server.ask("GET", "/tail-times").json
    points = {point.name for point in server.service.network.ends()} | {"input"}
    assert set(said["tails_ms"]) == points >= {"pyramid"}
    assert server.frame(framed()).status == 200
