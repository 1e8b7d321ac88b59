"""The spool: what is appended is delivered in order, at least once, to every target, however often the process ends."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys

import pytest
from kits.events import MAX_BYTES, TARGET, Disk, event_of, kill, lost, rest_of, spool_of, told

from edge.output.events.spooling.waiting import Waiting
from shared.errors import SettingsError

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def append(spool, *numbers):
    for number in numbers:
        assert spool.append(event_of(number))


def close(spool):
    spool.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(spool._owned)


@pytest.mark.parametrize("max_bytes", [MAX_BYTES, 1 << 22])
def test_events_reach_readers_in_order_over_many_segments_and_restarts(tmp_path, max_bytes):
    spool = spool_of(tmp_path, max_bytes)
    readers = [spool.reader("one"), spool.reader("two")]
    append(spool, *range(1, 1501))
    spool.work()
    half = [readers[0].ready() for _ in range(700)]
    for entry in half:
        readers[0].done(entry.position)
    assert [each.event.number for each in half] == list(range(1, 701))
    close(spool)
    spool = spool_of(tmp_path, max_bytes)
    readers = [spool.reader("one"), spool.reader("two")]
    assert spool.numbers == {"door": 1500}
    append(spool, 1501)
    spool.work()
    assert rest_of(readers[0]) == list(range(701, 1502))
    assert rest_of(readers[1]) == list(range(1, 1502))
    assert readers[0].waiting == readers[1].waiting == 0
    assert lost(spool, "one") == lost(spool, "two") == {}
    close(spool)


def test_what_every_target_has_confirmed_is_removed(tmp_path):
    spool = spool_of(tmp_path)
    readers = [spool.reader("one"), spool.reader("two")]
    append(spool, *range(1, 2001))
    spool.work()
    full = spool._segments.size
    assert rest_of(readers[0])
    spool.work()
    assert spool._segments.size == full, "the other has not got them"
    assert rest_of(readers[1])
    spool.work()
    assert spool._segments.size < MAX_BYTES / 8
    close(spool)


def test_a_new_target_gets_what_happens_from_now_on(tmp_path):
    spool = spool_of(tmp_path)
    spool.reader("one")
    append(spool, 1, 2)
    close(spool)
    spool = spool_of(tmp_path)
    new = spool.reader("new")
    append(spool, 3)
    spool.work()
    assert rest_of(new) == [3]
    close(spool)


def test_a_target_that_is_given_up_holds_nothing_back_and_may_come_back(tmp_path):
    spool = spool_of(tmp_path)
    spool.reader("gone")
    stays = spool.reader("stays")
    append(spool, *range(1, 1001))
    spool.work()
    close(spool)
    spool = spool_of(tmp_path)
    stays = spool.reader("stays")
    assert len(rest_of(stays)) == 1000
    spool.work()
    assert spool._segments.size < MAX_BYTES / 8
    close(spool)
    spool = spool_of(tmp_path)
    back = spool.reader("gone")
    rest = rest_of(back)
    assert rest[-1] == 1000
    assert rest == list(range(rest[0], 1001)), "what is still there"
    close(spool)


def test_a_full_spool_loses_the_oldest_and_counts_them_for_each_target(tmp_path, caplog):
    spool = spool_of(tmp_path)
    quick, slow = spool.reader("quick"), spool.reader("slow")
    number = 0
    for _ in range(80):
        for _ in range(100):
            number += 1
            append(spool, number)
        spool.work()
        rest_of(quick)
    assert spool._segments.size <= MAX_BYTES
    left = rest_of(slow)
    assert left == list(range(left[0], number + 1))
    assert lost(spool, "slow") == {"full": left[0] - 1}
    assert lost(spool, "quick") == {}
    [line] = [each for each in told(caplog) if "lost" in each]
    assert "slow (full)" in line
    close(spool)


def test_two_processes_do_not_share_a_folder(tmp_path):
    spool = spool_of(tmp_path)
    with pytest.raises(SettingsError, match=r"another process keeps its events there; give --events-folder"):
        spool_of(tmp_path)
    code = (
        "import sys; from pathlib import Path; from edge.output.events.spooling.folder import take\n"
        "try: take(Path(sys.argv[1]))\nexcept Exception as error: print(type(error).__name__)"
    )
    said = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert said.stdout == "SettingsError\n"
    close(spool)
    close(spool_of(tmp_path))


def test_a_folder_that_cannot_be_made_is_said_at_the_start(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"file/events: .*; give --events-folder a folder"):
        spool_of(tmp_path / "file" / "events")


def test_a_full_disk_delivers_from_memory_and_writes_later(tmp_path, monkeypatch, caplog):
    now = [0.0]
    spool = spool_of(tmp_path, clock=lambda: now[0])
    reader, other = spool.reader(TARGET), spool.reader("other")
    with Disk(0, FULL).in_place(monkeypatch) as disk:
        append(spool, 1, 2)
        spool.work()
        assert rest_of(reader) == [1, 2], "although the disk is full"
        append(spool, 3)
        spool.work()
        assert list(tmp_path.glob("events-*")) == [], "a retry leaves nothing behind"
        disk.left = float("inf")
        spool.work()
        assert spool._segments.last == 0, "not before a second has passed"
        now[0] = 1.0
        spool.work()
    assert rest_of(reader) == [3]
    kill(spool)
    spool = spool_of(tmp_path)
    assert rest_of(spool.reader("other")) == [1, 2, 3]
    assert other.waiting == 3
    assert lost(spool) == {}
    said = told(caplog)
    assert len(said) == 2
    assert "No space left" in said[0]
    assert "written again" in said[1]
    close(spool)


def test_what_only_memory_held_is_lost_with_the_process_and_counted(tmp_path, monkeypatch, caplog):
    spool = spool_of(tmp_path)
    reader, other = spool.reader(TARGET), spool.reader("other")
    with Disk(0, FULL).in_place(monkeypatch):
        append(spool, 1, 2)
        spool.work()
        assert rest_of(reader) == [1, 2]
        append(spool, 3)
        spool.close()
    assert lost(spool) == {"disk": 1}
    assert lost(spool, "other") == {"disk": 3}
    assert other.waiting == 0
    assert any("3 were not written" in each for each in told(caplog))


def test_what_is_on_the_disk_is_not_lost_with_the_process(tmp_path, monkeypatch):
    spool = spool_of(tmp_path)
    reader, other = spool.reader(TARGET), spool.reader("other")
    append(spool, 1, 2, 3, 4)
    spool.work()
    assert reader.ready().event.number == 1
    with Disk(0, FULL).in_place(monkeypatch):
        append(spool, 5)
        spool.work()
        assert rest_of(other) == [1, 2, 3, 4, 5]
        append(spool, 6)
        spool.close()
    assert lost(spool) == {"disk": 2}
    assert lost(spool, "other") == {"disk": 1}
    spool = spool_of(tmp_path)
    assert rest_of(spool.reader(TARGET)) == [1, 2, 3, 4]
    close(spool)


def test_events_that_come_faster_than_they_are_written_are_lost_and_counted(tmp_path):
    spool = spool_of(tmp_path, waiting=Waiting(2000))
    reader = spool.reader(TARGET)
    taken = [number for number in range(1, 101) if spool.append(event_of(number))]
    assert 5 < len(taken) < 15
    assert lost(spool) == {"queue": 100 - len(taken)}
    spool.work()
    assert rest_of(reader) == taken
    close(spool)
    assert not spool.append(event_of(101))


def test_readers_wait_without_asking_and_wake_when_something_is_written(tmp_path):
    async def main():
        spool = spool_of(tmp_path)
        reader = spool.reader(TARGET)
        spool.start()
        waiting = asyncio.create_task(reader.next())
        await asyncio.sleep(0)
        append(spool, 1)
        entry = await asyncio.wait_for(waiting, 20)
        assert entry.event == event_of(1)
        reader.done(entry.position)
        spool.close()
        spool.close()
        return entry.position

    position = asyncio.run(main())
    spool = spool_of(tmp_path)
    assert spool.reader(TARGET).cursor == position, "what was confirmed is on the disk"
    close(spool)
