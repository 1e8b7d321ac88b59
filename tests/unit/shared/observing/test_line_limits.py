"""A file that is followed by another when it is complete."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kits.json_lines import lines_of
from kits.line_file import line

from shared.observing import line_file as module
from shared.observing.line_file import LineFile, set_aside


def test_no_file_gets_longer_than_its_limit_and_no_line_is_lost_or_doubled(kit, path):
    file = kit.open(max_bytes=1000, keep=1000)
    for number in range(300):
        file.write(line(number, 10 + number % 50))
    assert kit.numbers() == list(range(300))
    sizes = [each.stat().st_size for each in kit.complete()]
    assert len(sizes) > 10
    assert all(900 < size <= 1000 for size in sizes), "as full as lines allow"
    assert kit.count(kit.metrics.rotations, result="rotated") == len(sizes)
    assert kit.count(kit.metrics.written) == sum(sizes) + path.stat().st_size


def test_what_is_kept_is_bounded_and_counted(kit, path):
    file = kit.open(max_bytes=100, keep=3)
    for number in range(100):
        file.write(line(number))
    assert len(kit.complete()) == 3
    numbers = kit.numbers()
    assert numbers == list(range(100))[-len(numbers) :], "the oldest have gone"
    on_disk = sum(each.stat().st_size for each in [*kit.complete(), path])
    assert on_disk <= 400
    assert kit.count(kit.metrics.removed) == kit.count(kit.metrics.written) - on_disk
    kit.now += 100
    file.tend()
    assert kit.count(kit.metrics.size) == on_disk
    assert kit.count(kit.metrics.free) > 0


def test_a_file_is_complete_when_it_is_old_even_if_no_line_comes(kit, path):
    file = kit.open(max_age_s=3600, keep=9)
    kit.now += 5000
    file.tend()
    assert kit.complete() == [], "an empty file has no age"
    file.write(line(0))
    kit.now += 3599
    file.write(line(1))
    assert kit.complete() == []
    kit.now += 61
    file.tend()
    assert [lines_of(each) for each in kit.complete()] == [[{"n": 0}, {"n": 1}]]
    file.write(line(2))
    kit.now += 3600
    file.write(line(3))
    assert [len(lines_of(each)) for each in (*kit.complete(), path)] == [2, 1, 1]


def test_the_age_goes_on_over_a_restart(kit, path):
    for ago, complete in ((3700, True), (3500, False), (-9000, False)):
        time = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat(timespec="milliseconds")
        path.write_text(json.dumps({"n": 0, "time": time}) + "\n")
        before = len(kit.complete())
        kit.open(max_age_s=3600).write(line(1))
        assert len(kit.complete()) - before == complete, ago
        path.unlink()


def test_a_replaced_file_takes_its_complete_ones_along(kit, path):
    file = kit.open(max_bytes=100, keep=9)
    for number in range(20):
        file.write(line(number))
    file.close()
    kit.open(append=False, max_bytes=100, keep=9).write(line(20))
    assert (kit.numbers(), kit.complete()) == ([20], [])
    kit.files[-1].close()
    set_aside(path, "results")
    kit.open(append=False)
    assert len(kit.complete()) == 1, "without limits there are none but those that people put there"


def test_two_writers_of_one_file_complete_it_together(kit):
    first, second = (kit.open(max_bytes=500, keep=1000) for _ in range(2))
    for number in range(0, 200, 2):
        first.write(line(number))
        second.write(line(number + 1))
    assert sorted(kit.numbers()) == list(range(200))
    sizes = [each.stat().st_size for each in kit.complete()]
    assert min(sizes) > 450, "none was complete twice"
    assert max(sizes) <= 500


@pytest.mark.slow
def test_processes_that_write_one_file_lose_and_double_nothing(path):
    script = (
        "import sys\nfrom pathlib import Path\nfrom shared.observing.line_file import LineFile\n"
        "from shared.observing.rotation import Rotation\n"
        "file = LineFile(Path(sys.argv[1]), what='results', rotation=Rotation(max_bytes=5000, keep=9999))\n"
        "file.open(append=True)\n"
        'for n in range(2000): file.write(b\'{"n":%d,"by":%d}\\n\' % (n, int(sys.argv[2])))'
    )
    root = Path(__file__).parents[4]
    writers = [
        subprocess.Popen([sys.executable, "-c", script, path, str(each)], cwd=root) for each in range(3)
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    found = [line for each in (*path.parent.glob("out-*"), path) if each.exists() for line in lines_of(each)]
    assert sorted((line["by"], line["n"]) for line in found) == [
        (by, number) for by in range(3) for number in range(2000)
    ]


def test_while_another_process_completes_it_lines_go_on(kit, path):
    file = kit.open(max_bytes=10, keep=9)
    with module.alone(path):
        for number in range(3):
            file.write(line(number))
    assert (kit.numbers(), kit.complete()) == ([0, 1, 2], [])
    file.write(line(3))
    assert (kit.numbers(), len(kit.complete())) == ([0, 1, 2, 3], 1)


def test_where_none_can_be_begun_the_file_goes_on_and_that_is_said_once(kit, caplog, monkeypatch):
    """A file that is mounted by itself cannot be renamed."""
    file = kit.open(max_bytes=10, keep=9)

    def refuse(_path):
        raise OSError(errno.EBUSY, "Device or resource busy")

    with monkeypatch.context() as patch:
        patch.setattr(module, "complete", refuse)
        for number in range(10):
            file.write(line(number))
            kit.now += 30
    assert kit.numbers() == list(range(10))
    (record,) = caplog.records
    assert record.getMessage() == (
        f"results {kit.path}: no other file can be begun: Device or resource busy; this one grows beyond its limit"
    )
    assert kit.count(kit.metrics.rotations, result="failed") == 5, "it is tried once a minute"
    kit.now += 60
    file.write(line(10))
    assert (kit.numbers(), len(kit.complete())) == (list(range(11)), 1)


def test_of_a_link_the_file_is_renamed(kit, path, tmp_path):
    (tmp_path / "disk").mkdir()
    path.symlink_to(tmp_path / "disk" / "real.jsonl")
    file = kit.open(max_bytes=10, keep=9)
    for number in range(3):
        file.write(line(number))
    assert path.is_symlink()
    assert len(list((tmp_path / "disk").glob("real-*.jsonl"))) == 2
    assert kit.complete() == []
    assert lines_of(path) == [{"n": 2}]


def test_pipes_and_devices_have_no_limits(kit):
    kit.path = Path("/dev/null")
    file = kit.open(max_bytes=10, max_age_s=1, keep=1)
    for number in range(3):
        kit.now += 100
        file.write(line(number))
        file.tend()
    assert not file.regular
    assert kit.complete() == []


def test_the_room_that_a_folder_needs_is_that_of_all_its_files(kit, tmp_path):
    """Two files of one process, as with a file for each camera."""
    other = LineFile(tmp_path / "other.jsonl", what="results", metrics=kit.metrics)
    other.open(append=True)
    file = kit.open()
    for each in (file, other):
        each.write(line(0))
    kit.now += 100
    file.tend()
    other.tend()
    assert kit.count(kit.metrics.size) == 2 * len(line(0))
    other.close()
    shutil.rmtree(tmp_path)
    kit.now += 100
    file.tend()
