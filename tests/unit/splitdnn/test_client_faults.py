"""The client against clouds that are away, silent, broken, other than they said, or none: one kind of error, in time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from aiohttp import web
from kits.uplink import fake_cloud, refused_url

from splitdnn import Client, ClientError, EncodedTensor, Frame
from splitdnn.client.cloud_model import parse_cloud_model

PICTURE = np.zeros((8, 8, 3), np.uint8)
MODEL = {
    "model": "resnet18",
    "weights": "random:0",
    "fingerprint": "0001020304050607",
    "preprocessing": {
        "resize": 8, "crop": 8, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bilinear",
    },
    "split_points": {"input": [3, 8, 8], "output": [7]},
    "codecs": {"jpeg": 66},
    "limits": {"max_picture_pixels": 5_592_405},
}  # fmt: skip


def with_fake(use, **options):
    """Run `use(cloud, client)`; a fake cloud answers what is set."""

    async def go():
        async with fake_cloud() as cloud:
            cloud.model, cloud.echoes = MODEL, True
            async with Client(cloud.url, **options) as client:
                await use(cloud, client)

    asyncio.run(asyncio.wait_for(go(), 120))


async def failure(call):
    with pytest.raises(ClientError) as caught:
        await call
    return caught.value


def test_a_cloud_that_is_away():
    async def use():
        with refused_url() as url:
            async with Client(url) as client:
                error = await failure(client.infer(PICTURE))
        assert (error.reason, error.status, error.retryable) == ("unreachable", None, True)

    asyncio.run(use())


def test_an_address_that_is_none():
    async def use():
        for url in ("nonsense", "http://", "ftp://127.0.0.1"):
            async with Client(url) as client:
                assert (await failure(client.infer(PICTURE))).reason == "unreachable", url

    asyncio.run(use())


def test_a_frame_that_cannot_be_packed():
    async def use():
        frame = Frame("layer1", (EncodedTensor(1, (8, 6, 6), b"", b""),), bytes(8), 1 << 70, 0, 0)
        async with Client("http://127.0.0.1:1") as client:
            for wrong in (frame, replace(frame, frame_id=0, split_point="x" * 65)):
                assert (await failure(client.send(wrong))).reason == "bad_frame"

    asyncio.run(use())


def test_a_client_that_is_not_open():
    async def use():
        client = Client("http://127.0.0.1:1")
        assert (await failure(client.infer(PICTURE))).reason == "closed"
        async with client:
            pass
        for call in (client.infer(PICTURE), client.send(b""), client.model()):
            error = await failure(call)
            assert (error.reason, error.retryable) == ("closed", False)

    asyncio.run(use())


@pytest.mark.parametrize("part", ["model", "answer"])
def test_a_cloud_that_is_silent(part):
    async def use(cloud, client):
        setattr(cloud, part, cloud.never)
        error = await failure(client.infer(PICTURE))
        assert (error.reason, str(error), error.retryable) == ("late", "no answer within 0.2 s", True)

    with_fake(use, timeout_s=0.2)


@pytest.mark.parametrize(
    "answer",
    [b"<html>", {}, {"top": []}, {"top": [{"class_id": 1}]}, {"top": "cock"}, b"[" * 100_000, {"top": None}],
)
def test_what_is_no_answer(answer):
    async def use(cloud, client):
        cloud.answer = answer
        assert (await failure(client.infer(PICTURE))).reason == "not_splitdnn"

    with_fake(use)


def test_an_endless_answer_is_cut_off():
    async def use(cloud, client):
        cloud.answer = b" " * (2 << 20)
        assert "longer than" in str(await failure(client.infer(PICTURE)))

    with_fake(use)


def test_the_answer_to_another_frame_is_none():
    async def use(cloud, client):
        good = {"top": [{"class_id": 7, "label": "cock", "probability": 0.5}]}
        for lie in ({"frame_id": 1}, {"frame_id": None}, {"split_point": "layer3"}):
            cloud.answer = good | lie
            assert (await failure(client.infer(PICTURE))).reason == "not_splitdnn", lie
        cloud.answer = good
        assert (await client.infer(PICTURE)).headline() == "cock"

    with_fake(use)


def test_a_refusal_is_told_without_what_acts_on_a_terminal():
    async def use(cloud, client):
        cloud.answer = 422, {"error": "\x1b[2J" * 1000, "reason": "\x1b]0;owned\x07" * 1000}
        error = await failure(client.infer(PICTURE))
        assert str(error).isprintable()
        assert error.reason.isprintable()
        assert (len(str(error)), len(error.reason)) < (400, 41)

    with_fake(use)


def test_a_broken_connection_is_tried_once_more():
    async def use(cloud, client):
        async def cut_once(request):
            cloud.answer = {"top": [{"class_id": 7, "label": "cock", "probability": 0.5}]}
            request.transport.abort()
            return web.Response()

        cloud.answer = cut_once
        assert (await client.infer(PICTURE)).headline() == "cock"
        assert len(cloud.frames) == 2
        cloud.answer = cloud.cut
        assert (await failure(client.infer(PICTURE))).reason == "unreachable"

    with_fake(use)


@pytest.mark.parametrize(
    ("status", "body", "reason", "retryable"),
    [
        (503, {"error": "full", "reason": "queue_full", "accepted": None}, "queue_full", True),
        (503, b"<html>a proxy's", "unavailable", True),
        (404, {"error": "no such path", "reason": "http"}, "http", False),
        (413, b"", "refused", False),
    ],
)
def test_refusals(status, body, reason, retryable):
    async def use(cloud, client):
        cloud.answer = status, body
        error = await failure(client.infer(PICTURE))
        assert (error.status, error.reason, error.retryable) == (status, reason, retryable)

    with_fake(use)


def test_a_cloud_that_runs_another_network_than_before_is_asked_again():
    async def use(cloud, client):
        async def changed(request):
            cloud.model = MODEL | {"fingerprint": "ff" * 8}
            cloud.answer = {"top": [{"class_id": 7, "label": "cock", "probability": 0.5}]}
            return web.json_response({"error": "another network", "reason": "fingerprint"}, status=409)

        cloud.answer = changed
        assert (await client.infer(PICTURE)).headline() == "cock"
        assert (await client.model()).fingerprint == b"\xff" * 8
        cloud.answer = 409, {"error": "another network", "reason": "fingerprint"}
        error = await failure(client.infer(PICTURE))
        assert (error.reason, error.status, error.retryable) == ("fingerprint", 409, False)

    with_fake(use)


def test_the_cloud_is_asked_once_what_it_runs():
    async def use(cloud, client):
        asked = []

        async def model(_request):
            asked.append(1)
            return web.json_response(MODEL)

        cloud.model = model
        cloud.answer = {"top": [{"class_id": 7, "label": "cock", "probability": 0.5}]}
        for _ in range(3):
            await client.infer(PICTURE)
        assert len(asked) == 1

    with_fake(use)


def changed(path, value):
    """MODEL with another value at this path."""
    *parents, last = path.split(".")
    copy = current = dict(MODEL)
    for parent in parents:
        current[parent] = dict(current[parent])
        current = current[parent]
    current[last] = value
    return copy


def test_what_describes_no_cloud_is_refused():
    assert parse_cloud_model(MODEL).recipe.mean == (0.5, 0.5, 0.5)
    for path, value in (
        ("fingerprint", "00"),
        ("fingerprint", 7),
        ("preprocessing", None),
        ("preprocessing.crop", 0),
        ("preprocessing.resize", 1 << 20),
        ("preprocessing.resize", float("inf")),
        ("preprocessing.mean", [0.5]),
        ("preprocessing.std", "abcd"),
        ("preprocessing.interpolation", "cubic"),
        ("split_points", []),
        ("split_points.input", None),
        ("codecs", 5),
        ("limits", {}),
    ):
        fields = changed(path, value)

        async def use(cloud, client, fields=fields):
            cloud.model = fields
            assert (await failure(client.model())).reason == "not_splitdnn", fields

        with_fake(use)
