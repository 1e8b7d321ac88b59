"""The processes of a server, in a made-up /proc and in the real one."""

import os
import subprocess
import sys
import uuid

import pytest

from bench.load.peers.marked import MARK, cpu_s, end, marked, proportional


@pytest.fixture
def proc(tmp_path):
    """Writes processes: pid, parent, mark, state, ticks of CPU, kB."""

    def write(pid, parent, mark="", state="S", ticks=(0, 0, 0, 0), size=0):
        folder = tmp_path / str(pid)
        folder.mkdir()
        fields = [state, str(parent), *["0"] * 9, *map(str, ticks), *["0"] * 30]
        (folder / "stat").write_text(f"{pid} (a (strange) name) {' '.join(fields)}")
        (folder / "environ").write_bytes(f"HOME=/\0{MARK}={mark}\0A=b\0".encode() if mark else b"HOME=/\0")
        (folder / "smaps_rollup").write_text(f"Rss: 999 kB\nPss:      {size} kB\nPss_Dirty: 1 kB\n")

    (tmp_path / "self").mkdir()
    return tmp_path, write


def test_whoever_inherited_the_mark_belongs_to_the_server(proc):
    folder, write = proc
    write(10, 1, "mine")
    write(11, 10, "mine")
    write(12, 1, "mine")  # its parent has ended
    write(13, 1, "mine and more")
    write(14, 1)
    assert marked("mine", folder) == [10, 11, 12]


def test_a_child_that_has_written_over_its_environment_belongs_to_it_too(proc):
    folder, write = proc
    write(10, 1, "mine")
    write(20, 10)
    write(30, 20)
    write(40, 1)
    assert marked("mine", folder) == [10, 20, 30]


def test_one_that_has_ended_and_is_not_waited_for_is_none(proc):
    folder, write = proc
    write(10, 1, "mine", state="Z")
    assert marked("mine", folder) == []


def test_cpu_and_memory_are_sums(proc):
    folder, write = proc
    tick = os.sysconf("SC_CLK_TCK")
    write(10, 1, "mine", ticks=(tick, 2 * tick, 3 * tick, 4 * tick), size=5)
    write(11, 10, "mine", ticks=(tick, 0, 0, 0), size=7)
    assert cpu_s([10, 11, 99], folder) == pytest.approx(11)
    assert proportional([10, 11, 99], folder) == 12 * 1024


@pytest.mark.slow
def test_what_is_left_is_ended_and_nothing_else():
    mark, other = uuid.uuid4().hex, uuid.uuid4().hex
    code = (
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print(flush=True); child.wait()"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=os.environ | {MARK: each})
        for each in (mark, other)
    ]
    try:
        for each in processes:
            each.stdout.readline()
        assert len(marked(mark)) == 2
        assert end(mark, patience_s=1.0) == 2
        assert marked(mark) == []
        assert len(marked(other)) == 2
        assert end(uuid.uuid4().hex) == 0
    finally:
        end(other, patience_s=0.1)
        for each in processes:
            each.wait()
            each.stdout.close()
