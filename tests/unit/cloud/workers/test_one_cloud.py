"""The workers of a cloud are one cloud to whoever asks."""

from __future__ import annotations

import json

from kits import virtual_time
from kits.workers import Run

from cloud.workers.channel import Message
from shared.wire.cloud_id import cloud_id_in


def test_all_workers_are_one_cloud_by_its_id() -> None:
    """Those that are started later, too; another start of the cloud is another."""

    async def scenario() -> set[str]:
        run = Run()
        _, second = await run.serving()
        second.ends(1)
        await run.started(3)
        assert len(run.clouds) == 1
        run.stop.set()
        await run.ended
        return run.clouds

    first, again = virtual_time.run(scenario()), virtual_time.run(scenario())
    assert cloud_id_in(next(iter(first)))
    assert first != again


def test_the_page_of_one_shows_all_and_who_is_silent_or_gone() -> None:
    async def scenario() -> None:
        run = Run(3)
        await (await run.started(1)).takes_frames()
        await run.started(3)
        first, second, _ = run.workers
        await second.takes_frames()
        wanted = Message("page", {"since": 7})
        answer = await first.handle(first, wanted)
        assert json.loads(answer.body) == {"1": {"worker": 1}, "2": {"worker": 2}, "3": None}
        assert first.asked[-1] == second.asked[-1] == wanted
        second.answers = False
        answer = await second.handle(second, wanted)
        assert json.loads(answer.body) == {"1": {"worker": 1}, "2": None, "3": None}
        run.stop.set()
        await run.ended

    virtual_time.run(scenario())
