"""What answers in place of a cloud: a balancer that has none to pass a frame to. A cloud's own refusal is told from it."""

from __future__ import annotations

from aiohttp import web
from kits.uplink import FRAME, GOOD, HERE, ID, metric, refusal, with_cloud

from edge.uplink.client import ProxyError, refusal_of

_HTML = b"<html><body><h1>503 Service Unavailable</h1>No server is available to handle this request.</body></html>"


def test_an_answer_is_a_clouds_own_by_its_header_and_in_older_ones_by_its_reason():
    own = b'{"error": "the queue is full", "reason": "queue_full", "accepted": null}'
    for status, body, cloud, reason, of_proxy in (
        (503, own, ID, "busy", False),
        (503, own, None, "busy", False),  # 0.10.0 and earlier
        (503, b"", ID, "busy", False),
        (503, _HTML, None, "unreachable", True),
        (502, b"", None, "unreachable", True),
        (502, b"[]", None, "unreachable", True),
        (504, _HTML, None, "unreachable", True),
        (429, b'{"error": "slow down"}', None, "busy", True),
        (413, _HTML, None, "refused", True),
        (424, _HTML, None, "refused", True),  # it knows nothing of profiles
        (424, b"{}", ID, "profile", False),
        (407, b"", None, "unauthorized", True),
    ):
        error = refusal_of(status, body, cloud)
        assert (error.reason, isinstance(error, ProxyError)) == (reason, of_proxy), (status, body)
        assert ("proxy" in str(error)) == of_proxy, (status, body)


def test_what_a_balancer_cannot_pass_on_is_sent_once_more(caplog):
    async def check(cloud, uplink):
        for status in (502, 503, 504):
            answers = iter([(status, _HTML), GOOD])

            async def next_one(request, answers=answers):
                return await cloud._respond(next(answers), request)

            cloud.answer = next_one
            reply = await uplink.ask(FRAME)
            assert reply.cloud == ID, status
            assert metric(uplink, "proxy_answers_total", status=str(status)) == 1, status
        assert metric(uplink, "retries_total") == 3
        assert len(cloud.frames) == 6
        assert sum("a balancer or proxy before it: 502" in line for line in caplog.messages) == 1

    with_cloud(check)


def test_a_balancer_without_a_cloud_costs_a_frame_one_more_try():
    async def check(cloud, uplink):
        for status, tries, reason in ((503, 2, "unreachable"), (504, 2, "unreachable"), (413, 1, "refused")):
            cloud.frames.clear()
            cloud.answer = (status, _HTML)
            assert (await refusal(uplink)).reason == reason, status
            assert len(cloud.frames) == tries, status
            uplink.circuit.succeeded()  # or it would open
        assert metric(uplink, "proxy_answers_total", status="other") == 1

    with_cloud(check)


def test_a_clouds_own_refusal_is_no_proxys():
    async def check(cloud, uplink):
        cloud.answer = (503, {"error": "the queue is full", "reason": "queue_full"})
        for cloud.id in (ID, None):
            assert (await refusal(uplink)).reason == "busy", cloud.id
        assert len(cloud.frames) == 2
        assert metric(uplink, "retries_total") == metric(uplink, "proxy_answers_total", status="503") == 0

    with_cloud(check)


def test_an_id_that_somebody_made_up_is_none():
    async def check(cloud, uplink):
        for cloud.id in ("", "x" * 16, ID + "\t"):
            assert (await uplink.ask(FRAME)).cloud in (None, ID), cloud.id

        async def twice(_request):
            return web.json_response(GOOD, headers=[("SplitDNN-Cloud", ID), ("SplitDNN-Cloud", ID[::-1])])

        cloud.answer = twice
        assert (await uplink.ask(FRAME)).cloud == ID

    with_cloud(check)


def test_the_probe_says_that_no_cloud_is_behind_the_proxy():
    async def check(cloud, uplink):
        cloud.model = (503, _HTML)
        await uplink.check()
        assert uplink.circuit.is_open
        cloud.model = HERE
        await uplink.greet()

    with_cloud(check)
