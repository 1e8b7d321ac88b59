"""Three clouds get another network one after the other, while frames flow: the edge switches once, and no frame is lost."""

from __future__ import annotations

import asyncio
import contextlib

from kits.edge import pictures, settings_of
from kits.switching import A, B, Edge, Pictures, SwitchingCloud, fingerprint, serving, until

from edge.metrics import EdgeMetrics
from edge.uplink.clouds.addresses import name_of
from edge.uplink.clouds.opening import make_line

PAUSE_S = 0.05
"""So that a cloud of which a busy machine has made a slow one is forgiven for it before the pictures are used up."""


@contextlib.asynccontextmanager
async def three():
    clouds, metrics = [SwitchingCloud() for _ in range(3)], EdgeMetrics()
    async with contextlib.AsyncExitStack() as ends:
        urls = [await ends.enter_async_context(serving(cloud)) for cloud in clouds]
        text = ",".join(urls)
        line = make_line(settings_of(cloud_url=text), metrics, in_flight=4, deadline_s=60.0, bearer=None)
        await ends.enter_async_context(line)
        edge = Edge(clouds[0], text, line, metrics, "float32")
        try:
            yield edge, clouds, [name_of(url) for url in urls]
        finally:
            await edge.switch.close()
            edge.slow.shutdown()


async def all_answer(edge, source, names):
    """Frames until each of these clouds has answered some: how many that takes depends on how fast each was lately."""
    left = set(names)
    while left:
        answered = {each.cloud for each in await more(edge, source, 5)}
        assert answered <= set(names)
        left -= answered
        await asyncio.sleep(PAUSE_S)


async def more(edge, source, count):
    """So many more frames, to their answers."""
    source.allow(count)
    await until(lambda: len(edge.records) == source._allowed)
    return edge.records[-count:]


def test_the_edge_stays_with_most_of_them_switches_once_and_takes_the_last_one_when_it_comes():
    async def check():
        async with three() as (edge, clouds, names):
            await edge.switch.open("A")
            await until(lambda: all(seat.joined for seat in edge.switch._uplink._seats))
            source = Pictures(list(pictures(4000)))
            running = asyncio.create_task(edge.pipeline(source).run())
            following = asyncio.create_task(edge.line.heard.other_than(fingerprint(A)))
            await all_answer(edge, source, names)

            clouds[0].serves = [B]  # started anew: it does not serve A any more
            while edge.line.members[0].state != "other_network":
                await more(edge, source, 5)
                await asyncio.sleep(PAUSE_S)
            await all_answer(edge, source, names[1:])
            assert not following.done(), "two of three run A"

            clouds[1].serves = [A, B]  # its folder has changed, and it still answers frames of A
            while not following.done():
                await more(edge, source, 5)
                await asyncio.sleep(PAUSE_S)
            assert following.result() == fingerprint(B)
            await edge.switch.take("B")
            source_after = await more(edge, source, 20)
            assert {each.network for each in source_after} == {fingerprint(B)}
            assert names[2] not in {each.cloud for each in source_after}, "which runs A"

            clouds[2].serves = [B]
            while names[2] not in {each.cloud for each in await more(edge, source, 5)}:
                await asyncio.sleep(PAUSE_S)
            source.end()
            await running
            assert {each.answered_by for each in edge.records} == {"cloud"}
            assert [each.frame for each in edge.records] == list(range(len(edge.records)))
            sent = [frame.frame_id for cloud in clouds for frame in cloud.frames]
            assert len(sent) - len(edge.records) <= 6, (
                "refused once or twice, and a copy to each that came back"
            )

    asyncio.run(asyncio.wait_for(check(), 200))
