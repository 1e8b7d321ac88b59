"""From the encoding thread to the tasks that answer: in order for each camera, in turn between them, with slots for each."""

from __future__ import annotations

import asyncio
import threading

from edge.frames.allowance import Allowance
from edge.frames.outbox import Outbox


def within(check, *, slots=10**6):
    """Run `check(outbox)`; items are pairs of a camera and a number."""

    async def go():
        outbox = Outbox(asyncio.get_running_loop(), Allowance(slots), lambda item: item[0])
        await asyncio.wait_for(check(outbox), 30)

    asyncio.run(go())


async def settle():
    for _ in range(3):
        await asyncio.sleep(0)


def test_items_of_a_thread_come_in_order_and_then_the_end():
    async def check(outbox):
        def give():
            for number in range(100):
                outbox.put(("a", number))
            outbox.close()

        thread = threading.Thread(target=give)
        thread.start()
        found = []
        while (item := await outbox.get()) is not None:
            found.append(item[1])
        thread.join()
        assert found == list(range(100))
        assert outbox.depth() == 0
        assert await outbox.get() is None

    within(check)


def test_a_camera_whose_frames_hang_keeps_no_other_from_being_answered():
    async def check(outbox):
        for number in range(3):
            outbox.put(("hangs", number))
        for number in range(3):
            outbox.put(("goes", number))
        await settle()
        assert [await outbox.get() for _ in range(3)] == [("hangs", 0), ("goes", 0), ("hangs", 1)]
        outbox.done("goes")
        assert await outbox.get() == ("goes", 1), "hangs has its own slot and the shared one"
        waiting = asyncio.create_task(outbox.get())
        await settle()
        assert not waiting.done()
        assert outbox.depth() == 2
        outbox.done("hangs")
        assert await waiting == ("hangs", 2)
        outbox.done("goes")
        assert await outbox.get() == ("goes", 2)

    within(check, slots=1)


def test_the_end_comes_after_what_waits_for_a_slot():
    async def check(outbox):
        outbox.put(("a", 0))
        outbox.put(("a", 1))
        outbox.close()
        await settle()
        assert await outbox.get() == ("a", 0)
        waiting = asyncio.create_task(outbox.get())
        await settle()
        assert not waiting.done()
        outbox.done("a")
        assert await waiting == ("a", 1)
        assert await outbox.get() is None

    within(check, slots=0)
