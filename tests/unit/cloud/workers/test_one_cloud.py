"""The workers of a cloud are one cloud to whoever asks."""

from __future__ import annotations

from kits import virtual_time
from kits.workers import Run

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
