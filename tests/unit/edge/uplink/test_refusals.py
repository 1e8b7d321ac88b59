"""Every way in which the cloud does not answer a frame."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from aiohttp import web
from kits.uplink import CLASS, FRAME, GOOD, make_uplink, metric, refusal, refused_url, short, with_cloud

from shared.wire.http import content_digest

NOT_ANSWERS = [
    b"",
    b"<html>",
    b"\xff\xfe",
    b"[1]",
    b"null",
    b"[" * 100_000,
    b"{}",
    {"top": [CLASS]},
    {"stages_ms": {}},
    GOOD | {"top": []},
    GOOD | {"top": None},
    GOOD | {"top": ["cock"]},
    GOOD | {"top": {"class_id": 7}},
    GOOD | {"top": [{"class_id": 7, "label": "cock"}]},
    GOOD | {"top": [CLASS | {"class_id": None}]},
    GOOD | {"top": [CLASS | {"class_id": 1000}]},
    GOOD | {"top": [CLASS, CLASS]},
    GOOD | {"top": [CLASS | {"probability": float("nan")}]},
    GOOD | {"top": [CLASS | {"probability": "0.5"}]},
    GOOD | {"stages_ms": [1]},
    GOOD | {"stages_ms": {"tail": "2.5"}},
    GOOD | {"stages_ms": {"tail": None}},
    GOOD | {"stages_ms": {"tail": float("inf")}},
    GOOD | {"stages_ms": {"tail": 10**400}},
]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (503, "busy"),
        (429, "busy"),
        (504, "late"),
        (408, "late"),
        (409, "refused"),
        (422, "refused"),
        (500, "refused"),
        (204, "refused"),
    ],
)
def test_a_status_and_its_reason(status, reason):
    async def check(cloud, uplink):
        cloud.answer = (status, b"" if status == 204 else {"error": "as it says", "reason": "x"})
        error = await refusal(uplink)
        assert error.reason == reason
        assert str(error).startswith(str(status))
        assert ("as it says" in str(error)) == (status != 204)

    with_cloud(check)


def test_an_answer_that_is_none_of_ours():
    """Whatever it is, it costs this frame and not the run."""

    async def check(cloud, uplink):
        for body in NOT_ANSWERS:
            cloud.answer = (200, body)
            error = await refusal(uplink)
            assert (error.reason, str(error)) == (
                "refused", "the answer is not one of a SplitDNN cloud"
            ), short(body)  # fmt: skip
            cloud.answer = (422, body)
            assert (await refusal(uplink)).reason == "refused", short(body)
            uplink.circuit.succeeded()  # or it would open

    with_cloud(check)


def test_an_answer_of_another_task_is_none_of_this_network():
    """Its keys may well be those of this task too."""

    async def check(cloud, uplink):
        for task in ("detect", "raw", "x" * 1000, None, ["classify"]):
            cloud.answer = GOOD | {"task": task}
            error = await refusal(uplink)
            assert error.reason == "refused", short(task)
            text = str(error)
            assert text.startswith("the answer is of the task "), short(task)
            assert text.endswith(", the network's is classify"), short(task)
            assert len(text) < 200
            uplink.circuit.succeeded()  # or it would open
        cloud.answer = GOOD | {"task": "classify"}
        assert (await uplink.ask(FRAME)).answer.top == (CLASS,)

    with_cloud(check)


@pytest.mark.parametrize("status", [200, 409])
def test_an_answer_without_end_is_cut_short(status):
    async def check(cloud, uplink):
        sent = 0

        async def endless(request):
            nonlocal sent
            response = web.StreamResponse(status=status)
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                while sent < 1 << 26:
                    await response.write(b" " * 65536)
                    sent += 65536
            return response

        cloud.answer = endless
        error = await refusal(uplink)
        assert error.reason == "refused"
        assert "longer than 1048576 bytes" in str(error)
        assert sent < 1 << 25, "the rest was not read"

    with_cloud(check)


def test_a_redirection_is_named_and_not_followed():
    """As from http to https: a POST would go on as a GET, and whoever answers that is no cloud."""

    async def check(cloud, uplink):
        seen = []
        for status in (301, 302, 303, 307, 308):

            async def elsewhere(request, status=status):
                seen.append(request.method)
                return web.Response(
                    status=status, headers={"Location": f"https://me:secret@other.example{request.path}"}
                )

            cloud.answer = elsewhere
            error = await refusal(uplink)
            assert error.reason == "refused"
            assert str(error) == (
                f"{status}: it redirects to https://***@other.example/model; give --cloud-url the cloud's own address"
            )
            uplink.circuit.succeeded()
        assert seen == ["POST"] * 5

    with_cloud(check)


def test_a_long_refusal_is_shortened():
    async def check(cloud, uplink):
        cloud.answer = (422, {"error": "x" * 100_000})
        assert len(str(await refusal(uplink))) == 300

    with_cloud(check)


def test_nobody_listens():
    async def go():
        with refused_url() as url:
            async with make_uplink(url) as uplink:
                error = await refusal(uplink)
                assert error.reason == "unreachable"
                assert str(error)
                assert metric(uplink, "uplink_bytes_total") == 0, "nothing was sent"

    asyncio.run(go())


def test_the_connection_breaks_in_the_middle_of_an_answer():
    async def check(cloud, uplink):
        cloud.answer = cloud.cut
        error = await refusal(uplink)
        assert error.reason == "unreachable"
        assert str(error)
        cloud.answer = GOOD
        await uplink.ask(FRAME)

    with_cloud(check)


def test_the_cloud_never_answers():
    async def check(cloud, uplink):
        cloud.answer = cloud.never
        error = await refusal(uplink)
        assert (error.reason, str(error)) == ("late", "no answer within 0.05 s")
        assert metric(uplink, "uplink_bytes_total") == len(FRAME), "what was sent in vain was sent"

    with_cloud(check, deadline_s=0.05)


@pytest.mark.parametrize("flip", [None, 5, 40])
def test_an_answer_that_was_damaged_on_its_way_is_not_believed(flip):
    async def check(cloud, uplink):
        async def answer(_request):
            body = json.dumps(GOOD).encode()
            digest = content_digest(body)
            if flip is not None:
                body = body[:flip] + bytes([body[flip] ^ 1]) + body[flip + 1 :]
            return web.Response(body=body, headers={"Content-Digest": digest})

        cloud.answer = answer
        if flip is None:
            await uplink.ask(FRAME)
        else:
            assert (await refusal(uplink)).reason == "damaged"

    with_cloud(check)


def test_a_digest_of_another_kind_is_left_unchecked():
    async def check(cloud, uplink):
        async def answer(_request):
            return web.Response(body=json.dumps(GOOD).encode(), headers={"Content-Digest": "unixsum=:30637:"})

        cloud.answer = answer
        await uplink.ask(FRAME)

    with_cloud(check)
