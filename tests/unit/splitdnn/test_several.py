"""A network cut where several tensors cross: frames, halves, and a cloud that answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.followed import followed
from kits.naming import naming
from kits.numpy_network import PYRAMID, network_of, write_bundle
from kits.several import frame_of_several

from shared.codecs import NAMES
from shared.tasks.spec import Wanted
from splitdnn import (
    Client,
    ClientError,
    CodecError,
    ContentError,
    Network,
    SettingsError,
    ShapeError,
    decode_crossing,
    decode_frame,
    pack,
    unpack,
)
from splitdnn.client.cloud_model import parse_cloud_model

if TYPE_CHECKING:
    from pathlib import Path

FINGERPRINT = b"several."
PICTURE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    folder = tmp_path_factory.mktemp("several") / "bundle"
    return Network(network_of(write_bundle(folder, FINGERPRINT, pyramid=PYRAMID)))


def test_a_split_point_says_what_crosses(network: Network) -> None:
    point = network.point("pyramid")
    assert point.shapes == PYRAMID
    assert point.float32_bytes == 4 * sum(int(np.prod(shape)) for shape in PYRAMID)
    assert point in network.stage_ends()
    with pytest.raises(ValueError):
        _ = point.shape


def test_head_and_tail_are_the_whole_network(network: Network) -> None:
    batch = np.concatenate([network.prepare(PICTURE), network.prepare(PICTURE[:, ::-1])])
    split = network.split("pyramid", "float32")
    crossing = split.head(batch)
    assert [(each.shape, each.dtype) for each in crossing] == [((2, *s), np.float32) for s in PYRAMID]
    np.testing.assert_allclose(split.tail(crossing)[0], network.whole(batch)[0], rtol=1e-4, atol=1e-4)


def test_a_frame_carries_all_of_it(network: Network) -> None:
    for codec in ("float32", "float16+zstd", "int8"):
        split = network.split("pyramid", codec)
        frame = split.to_frame(PICTURE, frame_id=7)
        data = pack(frame)
        assert (data[4], tuple(sent.shape for sent in frame.tensors)) == (2, PYRAMID), codec
        decoded = split.decode(data)
        for array, whole in zip(decoded, decode_crossing(unpack(data)), strict=True):
            np.testing.assert_array_equal(array, whole[None])
        with pytest.raises(ShapeError, match="this frame carries 3 tensors: call decode_crossing"):
            decode_frame(frame)
        for field in ("codec_id", "shape", "params", "payload"):
            with pytest.raises(ValueError):
                getattr(frame, field)
        if codec == "float32":
            assert split.answer_frame(data) == split.answer(split.tail(split.head(split.prepare(PICTURE))))


def test_what_does_not_fit_is_refused(network: Network) -> None:
    split = network.split("pyramid", "float32")
    crossing = split.head(split.prepare(PICTURE))
    spoilt = (crossing[0], crossing[1] * np.float32("nan"), crossing[2])
    for call, given, error, text in [
        (split.encode, crossing[:2], ShapeError, "pyramid takes a tuple of 3 arrays, not a tuple of 2"),
        (split.encode, crossing[::-1], ShapeError, r"takes \(1, 128, 14, 14\) float32"),
        (split.encode, spoilt, ContentError, "tensor 1 of 3: the tensor holds NaN"),
        (split.tail, (*crossing, crossing[0]), ShapeError, "a tuple of 3 arrays, not a tuple of 4"),
    ]:
        with naming(text), pytest.raises(error, match=text):
            call(given)
    frame = split.encode(crossing)
    with pytest.raises(ShapeError, match="at pyramid 3 tensors cross, not 2"):
        split.decode(replace(frame, tensors=frame.tensors[:2]))
    sent = replace(frame.tensors[1], codec_id=66)
    with pytest.raises(CodecError, match="a picture travels alone"):
        split.decode(replace(frame, tensors=(frame.tensors[0], sent, frame.tensors[2])))


def test_a_threshold_is_the_tasks(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    from splitdnn import whole

    asked, make = [], whole.make_task
    monkeypatch.setattr(whole, "make_task", lambda model, wanted: asked.append(wanted) or make(model, wanted))
    split = network.split("pyramid", "float32")
    outputs = split.whole(split.prepare(PICTURE))
    split.answer(outputs, top=3, threshold=0.25)
    split.answer_frame(split.to_frame(PICTURE), threshold=0)
    assert asked == [Wanted(3, 0.25), Wanted(5, 0)]
    for threshold in (-0.1, 1.1, float("nan"), "0.5"):
        with naming(threshold), pytest.raises(SettingsError, match="accepted: 0 to 1"):
            split.answer(outputs, threshold=threshold)


def test_a_cloud_answers_it(network: Network, tmp_path: Path) -> None:
    split = network.split("pyramid", "float32")
    frame = split.to_frame(PICTURE)
    expected = split.answer_frame(frame)

    async def use(url: str) -> None:
        async with Client(url) as client:
            said = await client.model()
            assert said.shapes == {point.name: point.shapes for point in network.points}
            assert "pyramid" not in said.split_points
            assert said.wire_versions == (1, 2)
            for threshold in (None, 0.5, 1e-05):
                answer = await client.send(frame, threshold=threshold)
                assert answer.headline() == expected.headline()
                assert (await client.infer(PICTURE, threshold=threshold)).headline()
            with pytest.raises(ClientError, match="threshold=2") as caught:
                await client.send(frame, threshold=2)
            assert (caught.value.reason, caught.value.accepted) == ("bad_body", {"threshold": "0 to 1"})
            with pytest.raises(ClientError) as caught:
                await client.send(
                    frame_of_several(NAMES["int8"], fingerprint=FINGERPRINT, split_point="pyramid")
                )
            assert caught.value.reason == "shape"

    with followed(tmp_path / "bundle", FINGERPRINT, bundle={"pyramid": PYRAMID}) as cloud:
        asyncio.run(asyncio.wait_for(use(f"http://127.0.0.1:{cloud.port}"), 120))


def test_a_cloud_from_before_version_2_reads_version_1(network: Network) -> None:
    said = {
        "model": "a", "weights": "b", "fingerprint": "00" * 8, "preprocessing": network.recipe.public(),
        "split_points": {"input": [3, 8, 8], "flatten": [7]}, "codecs": {}, "limits": {"max_picture_pixels": 9},
    }  # fmt: skip
    found = parse_cloud_model(said)
    assert (found.wire_versions, found.split_points) == ((1,), {"input": (3, 8, 8), "flatten": (7,)})
