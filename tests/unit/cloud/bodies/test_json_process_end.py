"""The process that reads large JSON bodies may die, hang or be ended: at most one request is lost, and nothing is left behind."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kits.json_bodies import (
    BABBLE,
    DIE,
    GOOD,
    HANG,
    MAX_TENSORS,
    SHAPES,
    WAIT_S,
    GatedReader,
    exists,
    first_time,
    is_good,
    pid,
    program,
    read,
    run,
)

from cloud.bodies.json.process import JsonProcess
from cloud.bodies.json.worker import ask
from shared.errors import DeadlineError, UnavailableError

if TYPE_CHECKING:
    from cloud.bodies.json.body import Tensors

ROOT = Path(__file__).resolve().parents[4]

# --- it dies or hangs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("harm", "status"), [(DIE, "-9"), (BABBLE, "3")], ids=["killed", "babbles"])
def test_a_death_while_reading_costs_one_request_and_the_next_has_a_fresh_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: str, status: str
) -> None:
    async def check(process: JsonProcess) -> None:
        answers = await asyncio.gather(*(read(process) for _ in range(3)), return_exceptions=True)
        lost = answers.pop(0)
        assert isinstance(lost, UnavailableError)
        assert lost.retryable
        assert "ended" in str(lost)
        assert all(is_good(answer) for answer in answers)

    run(check, *first_time(tmp_path / "marker", harm))
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    if status == "-9":
        assert warning.getMessage().endswith("exit status -9")


def test_a_death_while_idle_costs_no_request(caplog: pytest.LogCaptureFixture) -> None:
    async def check(process: JsonProcess) -> None:
        assert is_good(await read(process))
        old = process._process
        assert old
        old.kill()
        os.waitid(os.P_PID, old.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has noticed yet
        assert is_good(await read(process))
        assert pid(process) != old.pid
        assert old.returncode == -signal.SIGKILL

    run(check)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_program_that_cannot_be_started_is_unavailable(caplog: pytest.LogCaptureFixture) -> None:
    async def check(process: JsonProcess) -> None:
        with pytest.raises(UnavailableError):
            await read(process)

    run(check, "/nonexistent/python")
    assert "reading a JSON body failed" in caplog.text


def test_a_process_that_hangs_is_ended_with_the_time_of_its_request(tmp_path: Path) -> None:
    async def check(process: JsonProcess) -> None:
        marker = tmp_path / "marker"
        hanging = asyncio.create_task(read(process, timeout_s=WAIT_S))
        while not marker.exists():  # so that it is the hanging process whose time runs out
            await asyncio.sleep(0.005)
        hung = pid(process)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert is_good(await read(process))
        assert not exists(hung)  # ended, and reaped

    run(check, *first_time(tmp_path / "marker", HANG))


def test_a_request_whose_time_is_over_is_told_so() -> None:
    async def check(process: JsonProcess) -> None:
        for timeout_s in (0.0, 0.02):
            with pytest.raises(DeadlineError, match=f"within the {1e3 * timeout_s:.0f} ms that were left"):
                await read(process, timeout_s=timeout_s)

    run(check, *program("import threading; threading.Event().wait(3600)"))


def test_a_caller_that_leaves_as_the_answer_comes_does_no_harm_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def check(process: JsonProcess) -> None:
        answered = threading.Event()
        exchange = process._exchange

        def tell(*arguments: Any) -> Tensors:
            try:
                return exchange(*arguments)
            finally:
                answered.set()

        monkeypatch.setattr(process, "_exchange", tell)
        leaving = asyncio.create_task(read(process))
        await asyncio.sleep(0)
        assert answered.wait(WAIT_S)  # the loop does not know yet
        leaving.cancel()
        assert is_good(await read(process))
        assert leaving.cancelled()

    run(check)


def test_a_caller_that_waits_for_its_turn_in_vain_does_not_end_the_one_before(tmp_path: Path) -> None:
    async def check(process: JsonProcess) -> None:
        first = asyncio.create_task(read(process))
        await asyncio.sleep(0)
        with pytest.raises(DeadlineError):
            await read(process, timeout_s=0.01)
        gone = asyncio.create_task(read(process))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.to_thread(gate.open)
        assert is_good(await first)

    gate = GatedReader(tmp_path)
    run(check, *gate.command)


# --- the end ----------------------------------------------------------------------------------------------------------


def test_the_end_refuses_the_body_that_is_read_and_those_that_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def check(process: JsonProcess) -> None:
        marker = tmp_path / "marker"
        reading, waiting = asyncio.create_task(read(process)), asyncio.create_task(read(process))
        while not marker.exists():
            await asyncio.sleep(0.005)
        number = pid(process)
        await process.stop()
        assert not exists(number)
        for task in (reading, waiting):
            with pytest.raises(UnavailableError):
                await task
        with pytest.raises(UnavailableError, match="stopping"):
            await read(process)
        assert process._process is None

    async def main() -> None:
        await check(JsonProcess(first_time(tmp_path / "marker", HANG)))

    asyncio.run(main())
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


_PARENT = """
import asyncio, os, signal
from cloud.bodies.json.process import JsonProcess
from cloud.bodies.json.worker import ask
async def main():
    await JsonProcess().read([b'{"data": [[1, 2]]}'], {"tiny": ((2,),)}, "tiny", 4, 60)
    print("read", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


def test_it_does_not_outlive_a_parent_that_was_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as parent:
        # To the end of the pipe for complaints, which both hold.
        out, complaints = parent.communicate(timeout=WAIT_S)
    assert (out, complaints, parent.returncode) == (b"read\n", b"", -signal.SIGKILL)


def test_a_worker_that_hangs_ends_by_itself_if_the_cloud_has_gone() -> None:
    hanging = program(
        "import threading\nimport cloud.bodies.json.worker as worker\nworker._GRACE_S = 0.01\n"
        "worker.FORMS['tensors'] = lambda *_: threading.Event().wait(3600)\nworker.main()"
    )
    with subprocess.Popen(
        hanging, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as worker:
        with pytest.raises(EOFError):
            ask(worker.stdin, worker.stdout, [GOOD], SHAPES, "tiny", MAX_TENSORS, seconds=0.01)
        assert worker.wait(WAIT_S) == -signal.SIGALRM
