"""The edge shows its token with every request to its cloud, and to nobody else."""

from __future__ import annotations

import asyncio
import logging

import pytest
from aiohttp import web
from kits.uplink import FRAME, GOOD, HERE, fake_cloud, make_uplink, metric, refusal, with_cloud

from edge.network.agreed_weights import agreed_weights
from edge.network.download import get, open_session
from edge.uplink.profiles.sending import put
from shared.errors import FetchError, MismatchError, UplinkError
from shared.security.tokens.bearer import Bearer
from shared.security.tokens.keyring import new_token

OLD, NEW = new_token(), new_token()
UNKNOWN = {"error": "this token is not known here", "reason": "unauthenticated", "accepted": "a header"}
FORBIDDEN = {"error": "the token of gate does not give the right frames", "reason": "forbidden"}


class Guard:
    """Answers by the tokens that are let in at the moment, and notes what was shown."""

    def __init__(self, answer, *tokens):
        self.tokens = set(tokens)
        self.shown = []
        self._answer = answer

    async def __call__(self, request):
        self.shown.append(request.headers.getall("Authorization", []))
        known = self.shown[-1] in [[f"Bearer {token}"] for token in self.tokens]
        return web.json_response(self._answer if known else UNKNOWN, status=200 if known else 401)


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "token"
    file.write_text(OLD)
    return file


@pytest.fixture
def bearer(path):
    return Bearer.of_file(str(path), clock=lambda: 0.0)


def test_every_request_shows_it(bearer):
    guards = {
        name: Guard(answer, OLD)
        for name, answer in [("model", HERE), ("answer", GOOD), ("put", {}), ("tail_times", {})]
    }

    async def check(cloud, uplink):
        for name, guard in guards.items():
            setattr(cloud, name, guard)
        await uplink.check()
        await uplink.ask(FRAME)
        await uplink.tail_times()
        await put(uplink._client, "0" * 32, (b"x", "identity"), 1.0)

    with_cloud(check, bearer=bearer)
    assert {name: guard.shown for name, guard in guards.items()} == {
        key: [[f"Bearer {OLD}"]] for key in guards
    }


def test_without_one_nothing_is_shown():
    guard = Guard(GOOD)

    async def check(cloud, uplink):
        cloud.answer = guard
        await refusal(uplink)

    with_cloud(check)
    assert guard.shown == [[]]


def test_one_token_replaces_another_without_a_lost_frame(path, bearer):
    """Even if the cloud forgets the old one before the edge has looked at its file again."""
    guard = Guard(GOOD, OLD)

    async def check(cloud, uplink):
        cloud.answer = guard
        await uplink.ask(FRAME)
        path.write_text(NEW)
        guard.tokens = {NEW}
        for _ in range(3):
            assert (await uplink.ask(FRAME)).answer
        assert cloud.frames == [FRAME] * 5
        assert metric(uplink, "circuit_state", state="closed") == 1

    with_cloud(check, bearer=bearer)
    assert guard.shown == [[f"Bearer {token}"] for token in (OLD, OLD, NEW, NEW, NEW)]


def test_a_refused_token_is_a_reason_of_its_own_and_not_shown(bearer, caplog):
    async def check(cloud, uplink):
        for status, body in ((401, UNKNOWN), (403, FORBIDDEN)):
            cloud.answer = (status, body)
            error = await refusal(uplink)
            assert error.reason == "unauthorized", status
            assert str(error) == f"{status} {body['error']}"

    caplog.set_level(logging.DEBUG)
    with_cloud(check, bearer=bearer)
    assert OLD not in caplog.text


def test_an_edge_starts_without_being_let_in_and_goes_on_once_it_is(path, bearer):
    guard = Guard(HERE, NEW)

    async def check(cloud, uplink):
        cloud.model = guard
        await uplink.check()
        assert uplink.circuit.is_open
        with pytest.raises(UplinkError) as caught:
            await uplink.greet()
        assert caught.value.reason == "unauthorized"
        path.write_text(NEW)
        await uplink.greet()

    with_cloud(check, bearer=bearer)


def test_what_refuses_and_is_no_splitdnn_cloud_is_told_as_before(bearer):
    async def check(cloud, uplink):
        cloud.model = (401, {"error": "proxy"})
        with pytest.raises(MismatchError, match="not as a SplitDNN cloud"):
            await uplink.check()

    with_cloud(check, bearer=bearer)


def test_a_redirection_is_not_followed_with_it(bearer):
    async def go():
        async with fake_cloud() as cloud, fake_cloud() as other:
            seen = other.answer = Guard(GOOD)

            async def elsewhere(_request):
                raise web.HTTPTemporaryRedirect(f"{other.url}/model")

            cloud.answer = elsewhere
            async with make_uplink(cloud.url, bearer=bearer) as uplink:
                assert (await refusal(uplink)).reason == "refused"
            assert seen.shown == []

    asyncio.run(go())


def test_bundles_are_fetched_with_it(path, bearer):
    async def go():
        async with fake_cloud() as cloud, open_session(bearer) as session:
            cloud.model = guard = Guard(HERE, OLD)
            async with get(session, f"{cloud.url}/model") as response:
                assert response.status == 200
            guard.tokens = {NEW}
            with pytest.raises(FetchError, match="401 this token is not known here") as caught:
                async with get(session, f"{cloud.url}/model"):
                    pass
            assert caught.value.passing, "the token may just have been replaced"
            path.write_text(NEW)
            async with get(session, f"{cloud.url}/model") as response:
                assert response.status == 200
            assert guard.shown == [[f"Bearer {token}"] for token in (OLD, OLD, OLD, NEW)]

    asyncio.run(go())


def test_the_choice_of_weights_is_asked_for_with_it(bearer):
    async def go():
        async with fake_cloud() as cloud:
            cloud.model = guard = Guard(HERE | {"weights": "random:7"}, OLD)
            for given, agreed in ((bearer, ("random", 7)), (None, ("auto", 0))):
                found = await asyncio.to_thread(agreed_weights, cloud.url, "resnet18", "auto", 0, given)
                assert found == agreed
            assert guard.shown == [[f"Bearer {OLD}"], []]

    asyncio.run(go())
