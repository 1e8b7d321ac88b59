"""The spool while its thread writes, others append, and the disk fails now and then: readers miss nothing."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import threading
from collections import defaultdict

import pytest
from kits.events import TARGET, Disk, event_of, lost, rest_of, spool_of

from edge.output.events import spool as module

CAMERAS, EACH = 3, 400


def test_a_reading_that_is_given_up_while_the_disk_is_slow_and_the_next_one_lose_nothing(
    tmp_path, monkeypatch
):
    spool = spool_of(tmp_path)
    reader = spool.reader(TARGET)
    for number in (1, 2, 3):
        spool.append(event_of(number))
    spool.work()
    read, begun, go_on = spool.read, threading.Event(), threading.Event()

    def slow(asking):
        found = read(asking)
        if not begun.is_set():
            begun.set()
            assert go_on.wait(20)
        return found

    monkeypatch.setattr(spool, "read", slow)
    given_up, second = (threading.Thread(target=reader.fill, daemon=True) for _ in range(2))
    given_up.start()
    assert begun.wait(20)
    second.start()
    second.join(0.2)
    go_on.set()
    for each in (given_up, second):
        each.join(20)
    assert rest_of(reader) == [1, 2, 3]
    assert lost(spool) == {}
    spool.close()


@pytest.mark.parametrize("fails", [False, True])
def test_every_event_comes_once_and_in_the_order_of_its_camera(tmp_path, monkeypatch, fails):
    monkeypatch.setattr(module, "_RETRY_S", 0.01)
    monkeypatch.setattr(module, "_PERIOD_S", 0.001)
    rng = random.Random(5)
    disk = Disk(then=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    found = {"one": defaultdict(list), "two": defaultdict(list)}

    def tell(spool, camera):
        for number in range(1, EACH + 1):
            assert spool.append(event_of(number, camera))
            if fails and number % 40 == 0:
                disk.left = 100 if number % 80 else float("inf")

    async def take(reader):
        out = []
        for _ in range(CAMERAS * EACH):
            entry = await reader.next()
            found[reader.target][entry.event.camera].append(entry.event.number)
            out.append(entry)
            while len(out) > 5:
                reader.done(out.pop(rng.randrange(len(out))).position)
        for entry in out:
            reader.done(entry.position)

    async def main():
        spool = spool_of(tmp_path)
        readers = [spool.reader(target) for target in found]
        spool.start()
        tellers = [threading.Thread(target=tell, args=(spool, f"camera{each}")) for each in range(CAMERAS)]
        for teller in tellers:
            teller.start()
        async with asyncio.timeout(60):
            await asyncio.gather(*map(take, readers))
        for teller in tellers:
            teller.join()
        disk.left = float("inf")
        assert [reader.waiting for reader in readers] == [0, 0]
        spool.close()
        assert lost(spool, "one") == lost(spool, "two") == {}

    with disk.in_place(monkeypatch):
        asyncio.run(main())
    expected = {f"camera{each}": list(range(1, EACH + 1)) for each in range(CAMERAS)}
    assert found == {"one": expected, "two": expected}
