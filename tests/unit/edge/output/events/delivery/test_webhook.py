"""Events to a webhook: what a request is, order within a camera, and what each answer means."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from kits.delivering import FakeReader, Fixed, account, event, failures, to_receiver, until
from kits.proxy import a_proxy

from bench.soak.events.receiver import Receiver, Reply, Request
from edge.output.events.delivery import webhook

KEY = bytes(range(32))


def ids(receiver: Receiver) -> list[str]:
    return [json.loads(each.body)["id"] for each in receiver.received]


def test_a_request_is_a_signed_post_of_the_events_json():
    async def run():
        receiver = await Receiver(KEY).start()
        told = event(1)
        reader = FakeReader([told])
        async with to_receiver(receiver, reader, wall_clock=lambda: 1790000000.9):
            await until(lambda: reader.confirmed == ["door-1"], "a confirmation")
        (request,) = receiver.received
        assert request.line == "POST /hook?x=1 HTTP/1.1"
        assert request.body == told.json()
        expected = {
            "content-type": "application/json",
            "webhook-id": "door-1",
            "webhook-timestamp": "1790000000",
        }
        assert request.headers.items() >= expected.items()
        assert receiver.unsigned == 0, "the receiver checks the signature itself"

    asyncio.run(run())


def test_a_wrong_key_is_refused_by_the_receiver(caplog):
    async def run():
        receiver = await Receiver(bytes(32)).start()
        reader, told = FakeReader([event(1)]), account()
        async with to_receiver(receiver, reader, account=told, secrets=Fixed((KEY,))):
            await until(lambda: reader.refused == ["door-1"], "the refusal")
        assert (receiver.unsigned, failures(told)) == (1, {"refused": 1})

    asyncio.run(run())
    assert "it answers 401" in caplog.text


def test_events_of_a_camera_come_in_order_whatever_is_answered():
    async def run():
        receiver = await Receiver(KEY).start()

        def judge(_request: Request) -> Reply:
            kind = receiver.requests % 7
            return {1: Reply(503), 2: Reply(0), 3: Reply(500, body=b"x" * 99), 4: Reply(429)}.get(
                kind, Reply()
            )

        receiver.judge = judge
        told = [event(number, camera) for number in range(1, 41) for camera in ("door", "yard", None)]
        reader = FakeReader(told)
        async with to_receiver(receiver, reader):
            await until(lambda: len(reader.confirmed) == 120, "all confirmations")
        assert not reader.refused
        arrived = list(dict.fromkeys(ids(receiver)))
        for camera in ("door", "yard", None):
            numbers = [int(each.rsplit("-", 1)[1]) for each in arrived if each.startswith(f"{camera}-")]
            assert numbers == list(range(1, 41)), camera

    asyncio.run(run())


def test_one_camera_does_not_wait_for_another():
    async def run():
        receiver = await Receiver(KEY).start()
        receiver.judge = lambda request: Reply(503 if b'"yard"' in request.body else 204)
        reader = FakeReader([event(1, "yard"), *(event(number) for number in range(1, 11))])
        async with to_receiver(receiver, reader):
            await until(lambda: len(reader.confirmed) == 10, "those of the door")
            assert "yard-1" not in reader.confirmed

    asyncio.run(run())


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
def test_what_is_refused_for_ever_is_left_out(status):
    async def run():
        receiver = await Receiver(KEY).start()
        receiver.judge = lambda request: Reply(status if b'"number":1,' in request.body else 200)
        reader, told = FakeReader([event(1), event(2)]), account()
        async with to_receiver(receiver, reader, account=told):
            await until(lambda: reader.confirmed == ["door-2"], "the next one")
        assert (reader.refused, failures(told), receiver.requests) == (["door-1"], {"refused": 1}, 2)

    asyncio.run(run())


@pytest.mark.parametrize("status", [301, 302, 307, 308, 408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status):
    async def run():
        receiver = await Receiver(KEY).start()
        other = await Receiver(KEY).start()
        away = {"Location": f"http://127.0.0.1:{other.port}/"}
        receiver.judge = lambda _: Reply(status, away) if receiver.requests < 4 else Reply()
        reader, told = FakeReader([event(1)]), account()
        async with to_receiver(receiver, reader, account=told):
            await until(lambda: reader.confirmed == ["door-1"], "a confirmation")
        assert (receiver.requests, failures(told), other.requests) == (4, {"failed": 3}, 0)
        await other.stop()

    asyncio.run(run())


def test_one_connection_serves_many_events_with_answers_of_any_length():
    async def run():
        receiver = await Receiver(KEY).start()
        receiver.judge = lambda _: Reply(200, body=b"y" * 1000)
        reader = FakeReader([event(number) for number in range(1, 21)])
        async with to_receiver(receiver, reader):
            await until(lambda: len(reader.confirmed) == 20, "all")
        assert receiver.connections == 1

    asyncio.run(run())


def test_an_answer_without_end_is_not_read():
    async def run():
        receiver = await Receiver(KEY).start()
        receiver.judge = lambda _: Reply(200, body=b"y" * 2_000_000)
        reader = FakeReader([event(1), event(2)])
        async with to_receiver(receiver, reader):
            await until(lambda: len(reader.confirmed) == 2, "both")
        assert receiver.connections == 2

    asyncio.run(run())


def test_a_wait_that_is_asked_for_is_kept_within_bounds(monkeypatch):
    monkeypatch.setattr(webhook, "_MOST_ASKED_S", 0.2)

    async def run():
        receiver = await Receiver(KEY).start()
        asked = iter(["0", "100000", "9" * 30, "Wed, 21 Oct 2099 07:28:00 GMT"])
        receiver.judge = lambda _: (
            Reply(503, {"Retry-After": wait}) if (wait := next(asked, None)) else Reply()
        )
        reader = FakeReader([event(1)])
        start = time.monotonic()
        async with to_receiver(receiver, reader):
            await until(lambda: reader.confirmed == ["door-1"], "a confirmation")
        assert 0.2 <= time.monotonic() - start < 10
        assert receiver.requests == 5

    asyncio.run(run())


def test_silence_is_a_failure(monkeypatch):
    monkeypatch.setattr(webhook, "_PATIENCE_S", 0.05)

    async def run():
        receiver = await Receiver(KEY).start()
        receiver.judge = lambda _: Reply(wait_s=30 if receiver.requests < 3 else 0)
        reader, told = FakeReader([event(1)]), account()
        async with to_receiver(receiver, reader, account=told):
            await until(lambda: reader.confirmed == ["door-1"], "a confirmation")
        assert failures(told) == {"timeout": 2}

    asyncio.run(run())


def test_a_bounded_number_is_under_way():
    async def run():
        receiver = await Receiver(KEY).start()
        receiver.judge = lambda _: Reply(wait_s=30)
        reader = FakeReader([event(number) for number in range(1, 101)])
        async with to_receiver(receiver, reader):
            await until(lambda: len(reader._out) == 32, "32 under way")
            await asyncio.sleep(0.1)
            assert (len(reader._out), receiver.requests) == (32, 1)

    asyncio.run(run())


def test_a_proxy_is_gone_through_and_its_refusals_are_failures():
    async def run():
        receiver = await Receiver(KEY).start()
        reader, told = FakeReader([event(1), event(2)]), account()
        async with a_proxy() as proxy:
            proxy.refusal = b"407 Proxy Authentication Required"
            async with to_receiver(receiver, reader, account=told, proxy=proxy.url):
                await until(lambda: sum(failures(told).values()) or reader.refused, "a refusal")
                proxy.refusal = None
                await until(lambda: len(reader.confirmed) == 2, "both")
            assert proxy.asked[-1].startswith("POST http://127.0.0.1")
        assert not reader.refused, "what a proxy refuses, the receiver has not seen"

    asyncio.run(run())
