"""Edges and a cloud with real profiles: no frame is lost because a profile is missing."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.cloud import Server, until
from kits.codecs import changed
from kits.edge import FakeSource, Run, pictures, value
from kits.profiles import features, make_profile
from kits.tiny import plan_of, residual
from kits.uplink import make_uplink

from shared.codecs import encode_frame
from shared.codecs.calibrated.codec import Calibrated
from shared.tasks.classify import Classify
from shared.tasks.spec import Wanted
from shared.wire import frame as wire
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from edge.uplink.uplink import Uplink
    from shared.network.model import Model
    from shared.network.partition import Partition

POINT, SHAPE = "flatten", (512,)


@pytest.fixture(scope="module")
def model(model: Model) -> Model:
    """The edge's own: the same network as the cloud's."""
    assert residual().fingerprint == model.fingerprint
    return residual()


@pytest.fixture(scope="module")
def codecs(model: Model) -> list[Calibrated]:
    """Two that were fitted to different frames."""
    return [Calibrated(make_profile(model.fingerprint, POINT, SHAPE, seed=seed)) for seed in (1, 2)]


@contextlib.asynccontextmanager
async def edge(server: Server, model: Model, codec: Calibrated) -> AsyncIterator[Uplink]:
    url = f"http://127.0.0.1:{server.port}"
    async with make_uplink(
        url, model=model, wanted=Wanted(3), deadline_s=20.0, profiles=[codec.profile]
    ) as uplink:
        await uplink.check()
        yield uplink


def uploads(uplink: Uplink) -> float:
    return value(uplink._metrics, "profile_uploads_total")


class Frames:
    """Frames of a codec, and what the cloud must say to them."""

    def __init__(self, model: Model, partition: Partition, codec: Calibrated) -> None:
        self._model, self._codec = model, codec
        self._tail = plan_of(model, POINT, "float32").tail
        self._tensors = features(SHAPE, 8, seed=7)
        assert partition.point(POINT).shape == SHAPE

    async def ask(self, uplink: Uplink, number: int) -> None:
        tensor = self._tensors[number % len(self._tensors)]
        frame = encode_frame(
            [tensor], self._codec, split_point=POINT, fingerprint=self._model.fingerprint, frame_id=number
        )
        reply = await uplink.ask(wire.pack(frame), self._codec.profile)
        (sent,) = frame.tensors
        decoded = self._codec.decode(sent.params, sent.payload, sent.shape)
        (logits,) = self._tail((decoded[None],))
        expected = Classify(self._model.labels, 3).answer((logits[0],)).top
        assert [each["class_id"] for each in reply.answer.top] == [each["class_id"] for each in expected]
        np.testing.assert_allclose(
            [each["probability"] for each in reply.answer.top],
            [each["probability"] for each in expected],
            atol=1e-5,
        )


def test_two_edges_with_different_profiles_are_answered_at_the_same_time(
    model: Model, partition: Partition, codecs: list[Calibrated]
) -> None:
    async def go(server: Server) -> None:
        async with contextlib.AsyncExitStack() as stack:
            uplinks = [await stack.enter_async_context(edge(server, model, codec)) for codec in codecs]
            frames = [Frames(model, partition, codec) for codec in codecs]
            for first in range(0, 12, 4):
                await asyncio.gather(
                    *(
                        mine.ask(uplink, first + number)
                        for mine, uplink in zip(frames, uplinks, strict=True)
                        for number in range(4)
                    )
                )
            assert [uploads(uplink) for uplink in uplinks] == [1, 1]
        async with edge(server, model, codecs[0]) as third:
            await frames[0].ask(third, 0)
            assert uploads(third) == 0, "it is there already"

    with Server() as server:
        asyncio.run(go(server))
        assert set(server.ask("GET", "/model").json["profiles"]) == {codec.profile.name for codec in codecs}
        assert server.metric("rejected_total", reason="profile_missing") == 0
        assert server.metric("payload_bytes_count", codec="calibrated") == 25


@pytest.mark.usefixtures("expect_log")  # it refuses another session while it stops
def test_a_cloud_that_was_restarted_answers_the_next_frame(
    model: Model, partition: Partition, codecs: list[Calibrated]
) -> None:
    """At the same address and without the profile: the frame that finds out is answered by the cloud as well."""

    frames = Frames(model, partition, codecs[0])

    async def go(ends: contextlib.ExitStack) -> None:
        first = Server()
        with contextlib.ExitStack() as life:
            life.enter_context(first)
            async with edge(first, model, codecs[0]) as uplink:
                await frames.ask(uplink, 0)
                await asyncio.to_thread(life.close)
                second = ends.enter_context(Server(at=first.port))
                await asyncio.gather(*(frames.ask(uplink, number) for number in range(1, 5)))
                assert uploads(uplink) == 2
                assert uplink.circuit.era == 0, "the circuit never opened"
                assert second.ask("GET", "/model").json["profiles"] == [codecs[0].profile.name]
                assert second.metric("profiles_received_total") == 1
                assert second.metric("rejected_total", reason="profile_missing") >= 1

    with contextlib.ExitStack() as ends:
        asyncio.run(go(ends))


def test_a_run_loses_no_frame_to_a_cloud_that_forgets(model: Model, codecs: list[Calibrated]) -> None:
    """The whole edge: the profile is dropped between frames again and again, and every frame is the cloud's."""
    with Server() as server:
        runs: list[Run] = []

        def forgetful() -> Any:
            for number, picture in enumerate(pictures(12)):
                if number in (3, 4, 9):
                    # Twice while one frame is under way would be a cloud that keeps dropping it.
                    until(lambda wanted=number: len(runs[0].records) == wanted)
                    server.service.profiles.keep(())
                yield picture

        async def go() -> Run:
            async with edge(server, model, codecs[0]) as uplink:
                run = Run(
                    FakeSource(forgetful()),
                    uplink,
                    model=model,
                    plan=replace(plan_of(model, POINT), codec=codecs[0], label="calibrated"),
                    in_flight=4,
                    deadline_s=20.0,
                )
                runs.append(run)
                await run.within()
                assert uploads(uplink) == 4
                return run

        run = asyncio.run(go())
        assert [(each.frame, each.answered_by, each.fallback) for each in run.records] == [
            (number, "cloud", None) for number in range(12)
        ]
        assert {each.codec for each in run.records} == {"calibrated"}
        until(server.is_empty)


def test_damaged_frames_of_a_calibrated_codec_are_refused_and_nothing_else(
    model: Model, codecs: list[Calibrated], expect_log: pytest.LogCaptureFixture
) -> None:
    codec = codecs[0]
    tensor = features(SHAPE, 1, seed=3)[0]
    frame = encode_frame([tensor], codec, split_point=POINT, fingerprint=model.fingerprint, frame_id=1)
    generator = np.random.default_rng(0)
    with Server() as server, server.connect() as connection:
        put = connection.ask("PUT", f"/profiles/{codec.profile.name}", codec.profile.data)
        assert put.status == 201
        for size in (0, 1, 3, 4, 8, frame.payload_bytes, 4000):
            damaged = changed(frame, payload=generator.bytes(size))
            answer = connection.ask("POST", "/model", wire.pack(damaged), {"Content-Type": CONTENT_TYPE})
            assert answer.status in (200, 422), answer.body
        assert server.metric("rejected_total", reason="internal") == 0
    assert not [record for record in expect_log.records if record.exc_info]
