"""The queue from the encoding thread to the tasks that send."""

from __future__ import annotations

import asyncio
import threading

from edge.frames.queues import Handover


def test_items_come_in_order_and_the_end_reaches_everybody():
    async def go():
        handover = Handover(2, asyncio.get_running_loop(), lambda: False)
        taken = []

        async def take():
            while (item := await handover.get()) is not None:
                taken.append(item)

        def give():
            for number in range(100):
                handover.put(number)
            handover.close()

        thread = threading.Thread(target=give)
        thread.start()
        await asyncio.wait_for(asyncio.gather(take(), take(), take()), 30)
        thread.join()
        assert taken == list(range(100))
        assert handover.depth() == 0

    asyncio.run(go())


def test_the_thread_waits_for_a_place():
    async def go():
        handover = Handover(2, asyncio.get_running_loop(), lambda: False)
        put = []

        def give():
            for number in range(5):
                handover.put(number)
                put.append(number)

        thread = threading.Thread(target=give)
        thread.start()
        while handover.depth() < 2:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert put == [0, 1]
        assert [await handover.get() for _ in range(5)] == [0, 1, 2, 3, 4]
        thread.join(30)
        assert put == [0, 1, 2, 3, 4]

    asyncio.run(go())


def test_a_thread_whose_items_nobody_takes_gives_up():
    async def go():
        nobody = threading.Event()
        handover = Handover(1, asyncio.get_running_loop(), nobody.is_set)
        handover.put("taken by nobody")
        thread = threading.Thread(target=handover.put, args=("given up",))
        thread.start()
        await asyncio.sleep(0.02)
        assert thread.is_alive()
        nobody.set()
        await asyncio.to_thread(thread.join, 30)
        assert not thread.is_alive()
        assert handover.depth() == 1

    asyncio.run(go())
