"""An edge, a balancer and three real clouds with a real profile: it is sent to each at most once, and every frame is a cloud's."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from kits.cloud import Server
from kits.edge import value
from kits.per_request import balancer, chance, turns
from kits.profiles import features, make_profile
from kits.tiny import residual
from kits.uplink import make_uplink

from bench.harness.process import free_port
from shared.codecs import encode_frame
from shared.codecs.calibrated.codec import Calibrated
from shared.tasks.spec import Wanted
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

POINT, SHAPE = "flatten", (512,)
FRAMES = 80


@pytest.fixture(scope="module")
def ports() -> Iterator[list[int]]:
    with ExitStack() as running:
        yield [running.enter_context(Server()).port for _ in range(3)]


def _run(
    ports: Sequence[int],
    choose: Callable[[], int],
    *,
    heeds: bool = False,
    uploads: Callable[[], int] | None = None,
    seed: int,
    at_once: int,
) -> tuple[list[int], Any]:
    """FRAMES frames of a profile that no cloud has; the clouds that it was sent to, and the edge's metrics."""
    model = residual()
    codec = Calibrated(make_profile(model.fingerprint, POINT, SHAPE, seed=seed))
    tensors = features(SHAPE, 8, seed=7)

    async def go() -> tuple[list[int], Any]:
        async with AsyncExitStack() as stack:
            proxy = await stack.enter_async_context(balancer(ports, choose, heeds=heeds, uploads=uploads))
            uplink = make_uplink(
                f"http://127.0.0.1:{proxy.port}",
                model=model,
                wanted=Wanted(3),
                deadline_s=20.0,
                profiles=[codec.profile],
            )
            await stack.enter_async_context(uplink)
            await uplink.check()
            left = iter(range(FRAMES))

            async def send() -> None:
                for number in left:
                    frame = encode_frame(
                        [tensors[number % 8]],
                        codec,
                        split_point=POINT,
                        fingerprint=model.fingerprint,
                        frame_id=number,
                    )
                    await uplink.ask(wire.pack(frame), codec.profile)  # raises if no cloud answers

            await asyncio.gather(*(send() for _ in range(at_once)))
            return proxy.uploads(), uplink._metrics

    return asyncio.run(go())


def test_by_strict_turns(ports: list[int]) -> None:
    for at_once in (1, 4):
        uploads, metrics = _run(ports, turns(), seed=10 + at_once, at_once=at_once)
        assert sorted(uploads) == [0, 1, 2], at_once
        assert value(metrics, "profile_uploads_total") == 3, at_once
        assert value(metrics, "profile_shortages_total") == 0, at_once


def test_at_random(ports: list[int], expect_log: pytest.LogCaptureFixture) -> None:
    for seed in range(2):
        for at_once in (1, 4):
            # Not all to one cloud, whatever the order in which frames come: then some would meet twelve that lack it.
            to = chance(1000 + seed)
            uploads, _ = _run(ports, chance(seed), uploads=to, seed=20 + 2 * seed + at_once, at_once=at_once)
            assert len(uploads) <= 3, (seed, at_once)
    assert all("as often as there are clouds" in line for line in expect_log.messages)


def test_with_a_balancer_that_heeds_the_header(ports: list[int]) -> None:
    for seed in range(3):
        uploads, metrics = _run(ports, chance(seed), heeds=True, seed=30 + seed, at_once=4)
        assert len(set(uploads)) == len(uploads), seed
        assert value(metrics, "profile_shortages_total") == 0, seed


def test_a_cloud_that_was_asked_before_anybody_had_it_looks_again_for_the_first_frame() -> None:
    """The edge asked it before the upload, which another one got; what follows looks like strict turns, and is none."""
    ports = [free_port() for _ in range(3)]
    siblings = ",".join(f"http://127.0.0.1:{port}" for port in ports)
    greeting, question, upload, first_frame = 0, 1, 2, 1
    order = itertools.chain([greeting, question, upload, first_frame], itertools.cycle([2, 0, 1]))
    with ExitStack() as running:
        clouds = [running.enter_context(Server(at=port, siblings=siblings)) for port in ports]
        uploads, _ = _run(ports, order.__next__, seed=50, at_once=1)
        assert uploads == [upload]
        assert clouds[question].metric("rejected_total", reason="profile_missing") == 0


def test_clouds_that_share_are_sent_it_once(tmp_path: Path) -> None:
    for seed, sharing in enumerate(("folder", "siblings")):
        ports = [free_port() for _ in range(3)]
        siblings = ",".join(f"http://127.0.0.1:{port}" for port in ports)
        settings = {"profile_folder": str(tmp_path)} if sharing == "folder" else {"siblings": siblings}
        with ExitStack() as running:
            for port in ports:
                running.enter_context(Server(at=port, **settings))
            for choose in (turns(), chance(seed)):
                seed += 40  # noqa: PLW2901 - another profile
                uploads, metrics = _run(ports, choose, seed=seed, at_once=4)
                assert len(uploads) == 1, (sharing, seed)
                assert value(metrics, "profile_uploads_total") == 1, (sharing, seed)
