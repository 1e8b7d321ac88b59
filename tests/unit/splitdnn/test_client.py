"""The client against a real cloud: pictures and frames in, answers out."""

from __future__ import annotations

import asyncio
import io

import numpy as np
import pytest
from kits.profiles import make_profile
from PIL import Image

from splitdnn import Client, ClientError, SettingsError, pack


def with_client(server, use, **options):
    """Run `use(client)` within a client of this server, at most 30 s."""

    async def go():
        async with Client(f"http://127.0.0.1:{server.port}/", **options) as client:
            return await use(client)

    return asyncio.run(asyncio.wait_for(go(), 120))


def infer(server, picture, top=5, **options):
    return with_client(server, lambda client: client.infer(picture, top=top), **options)


def encoded(picture, kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, **options)
    return buffer.getvalue()


def close_to(answer, expected):
    """The same classes, and as probable but for the last rounding."""
    assert [each["class_id"] for each in answer.top] == [each["class_id"] for each in expected.top]
    np.testing.assert_allclose(
        [each["probability"] for each in answer.top],
        [each["probability"] for each in expected.top],
        atol=2e-6,
    )
    return True


@pytest.fixture(scope="module")
def expected(network, picture):
    return network.answer(network.whole(network.prepare(picture)))


def test_it_learns_what_the_cloud_runs(cloud, network):
    model = with_client(cloud, lambda client: client.model())
    assert (model.name, model.weights, model.fingerprint) == (
        network.name,
        network.weights,
        network.fingerprint,
    )
    assert model.recipe == network.recipe
    assert model.split_points == {point.name: point.shape for point in network.points}
    assert model.shapes == {point.name: point.shapes for point in network.points}
    assert "int8+zstd" in model.codecs


def test_a_picture_is_answered_as_the_whole_network_answers_it(cloud, picture, expected):
    for size in ("network", "source"):
        assert close_to(infer(cloud, picture, codec="png", picture_size=size), expected)
    assert len(infer(cloud, picture, top=2).top) == 2


def test_image_files_are_read(cloud, picture, expected):
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True}), ("BMP", {})):
        data = encoded(picture, kind, **options)
        assert close_to(infer(cloud, data, codec="png"), expected)
        assert close_to(infer(cloud, data, codec="raw", picture_size="source"), expected)


def test_only_the_networks_size_travels_unless_told_otherwise(cloud, picture):
    def sent(**options):
        before = cloud.metric("payload_bytes_sum", codec="raw")
        infer(cloud, picture, codec="raw", **options)
        return cloud.metric("payload_bytes_sum", codec="raw") - before

    assert sent() == 224 * 224 * 3
    assert sent(picture_size="source") == picture.size


def test_a_jpeg_of_the_cameras_size_travels_as_it_is(cloud, picture):
    data = encoded(picture, "JPEG", quality=70)
    before = cloud.metric("payload_bytes_sum", codec="jpeg")
    infer(cloud, data, picture_size="source")
    assert cloud.metric("payload_bytes_sum", codec="jpeg") - before == len(data)


@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
def test_a_frame_of_every_split_point_is_answered(cloud, network, picture, expected):
    async def use(client):
        for point in (network.points[0], *network.stage_ends()):
            frame = network.split(point, "float32" if point.name != "input" else "png").to_frame(picture)
            assert close_to(await client.send(frame), expected), point.name
            assert (await client.send(pack(frame), top=1)).top == expected.top[:1]

    with_client(cloud, use)


def test_calls_run_at_once(cloud, picture, expected):
    async def use(client):
        return await asyncio.gather(*(client.infer(picture) for _ in range(6)))

    for answer in with_client(cloud, use, codec="png", connections=3):
        assert close_to(answer, expected)


def test_a_missing_profile_is_brought(cloud, network, picture):
    point = network.point("layer4")
    profile = make_profile(network.fingerprint, point.name, point.shape)
    split = network.split(point, "calibrated", profile=profile)
    frame = split.to_frame(picture)

    async def use(client):
        with pytest.raises(ClientError) as caught:
            await client.send(frame)
        assert (caught.value.reason, caught.value.status) == ("profile_missing", 424)
        assert close_to(await client.send(frame, profile=profile), split.answer_frame(frame))
        assert close_to(await client.send(frame), split.answer_frame(frame))

    with_client(cloud, use)


def test_a_refusal_keeps_the_clouds_words(cloud, network, picture):
    frame = network.split("layer3").to_frame(picture)

    async def refused(call):
        with pytest.raises(ClientError) as caught:
            await call
        return caught.value

    async def use(client):
        error = await refused(client.send(b"no frame"))
        assert (error.reason, error.status, error.retryable) == ("bad_frame", 400, False)
        error = await refused(client.send(frame, top=100_000))
        assert (error.reason, error.status) == ("bad_body", 400)
        assert error.accepted == {"top": "1 to 1000"}
        assert str(error).startswith("POST /model?top=100000: 400 top=100000 is not a number of classes")

    with_client(cloud, use)


def test_what_is_no_picture_is_a_client_error_too(cloud, picture):
    async def use(client):
        for wrong in (
            picture[:, :, 0],
            picture.astype(np.float32),
            b"",
            b"no picture",
            "picture.jpg",
            encoded(picture, "PNG")[:999],
        ):
            with pytest.raises(ClientError) as caught:
                await client.infer(wrong)
            assert caught.value.reason == "bad_picture"
            assert not caught.value.retryable

    with_client(cloud, use)


def test_a_codec_for_tensors_is_refused_at_once():
    with pytest.raises(SettingsError, match="int8 carries no pictures"):
        Client("http://127.0.0.1:1", codec="int8")
    with pytest.raises(SettingsError, match="did you mean jpeg"):
        Client("http://127.0.0.1:1", codec="jpg")
