"""The process that reads large JSON bodies: the same answers as in this one, and no harm when it dies or hangs."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.json_bodies import BABBLE, DIE, HANG, GatedReader, first_time, program

from cloud.bodies.json_body import read_tensors
from cloud.bodies.json_process import JsonProcess
from cloud.bodies.json_worker import ask
from shared.errors import DeadlineError, RequestError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cloud.bodies.json_body import Tensors
    from shared.wire import frame as wire

ROOT = Path(__file__).resolve().parents[4]
WAIT_S = 60.0
SHAPES: dict[str, tuple[int, ...]] = {"tiny": (2,), "cube": (3, 4, 5), "deep": (64, 512)}
MOST = 4


def body_of(data: Any, **fields: Any) -> bytes:
    return json.dumps({"data": data, "split_point": "tiny"} | fields).encode()


GOOD = body_of([[1.5, -2]], count=7)


def run(test: Callable[[JsonProcess], Awaitable[None]], *command: str) -> None:
    """With a process that is ended after the test, however the test ends."""

    async def main() -> None:
        process = JsonProcess(command) if command else JsonProcess()
        try:
            await test(process)
        finally:
            await process.stop()

    asyncio.run(main())


async def read(process: JsonProcess, body: bytes = GOOD, timeout_s: float = WAIT_S) -> Tensors:
    return await process.read([body], SHAPES, "tiny", MOST, timeout_s)


def is_good(tensors: Tensors) -> bool:
    return (tensors.split_point, tensors.array.tolist(), tensors.count) == ("tiny", [[1.5, -2.0]], 7)


def pid(process: JsonProcess) -> int:
    assert process._process
    return process._process.pid


def exists(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


# --- the same as in this process --------------------------------------------------------------------------------------

BODIES = {
    "one": GOOD,
    "several": body_of(np.arange(240).reshape(4, 3, 4, 5).tolist(), split_point="cube", count=2.5),
    "larger than a pipe": body_of(np.linspace(-1, 1, 2 * 64 * 512).reshape(2, 64, 512).tolist(), split_point="deep"),
    "huge count": body_of([[0, 1]], count=10**40),
    "no count": json.dumps({"data": [[0, 1]]}).encode(),
    "false": body_of([[0, 1]], count=False),
    "subnormal": b'{"data": [[1e-45, 0.1]]}',
    "nothing": b"",
    "no JSON": b'{"data": [1,]}',
    "no object": b"[1]",
    "no data": b"{}",
    "nested": b'{"data":' + b"[" * 100_000,
    "too many lists": b'{"data": [' + b"[]," * 2_000_000 + b"0]}",
    "ragged": body_of([[1, 2], [3]]),
    "strings": body_of([["1", "2"]]),
    "other shape": body_of([[1, 2, 3]]),
    "too many": body_of([[1, 2]] * (MOST + 1)),
    "not finite": body_of([[1e39, 2]]),
    "count": body_of([[1, 2]], count="7"),
    "name": body_of([[1, 2]], split_point=["tiny"]),
    "unknown": body_of([[1, 2]], split_point="tinny"),
    "surrogate": body_of([[1, 2]], split_point="\ud800"),
}  # fmt: skip


def test_every_answer_and_every_refusal_is_the_one_that_this_process_would_give() -> None:
    async def check(process: JsonProcess) -> None:
        refused = 0
        for name, body in BODIES.items():
            try:
                here = read_tensors(bytearray(body), SHAPES, "tiny", MOST)
            except RequestError as error:
                with pytest.raises(RequestError) as there:
                    await read(process, body)
                assert type(there.value) is type(error), name
                assert str(there.value) == str(error), name
                assert there.value.accepted == error.accepted, name
                refused += 1
            else:
                tensors = await read(process, body)
                assert (tensors.split_point, tensors.count) == (here.split_point, here.count), name
                assert tensors.cpu_s > here.cpu_s == 0, name
                assert type(tensors.count) is type(here.count), name
                assert tensors.array.dtype == np.float32
                np.testing.assert_array_equal(tensors.array, here.array, strict=True)
        assert refused == 15
        first = pid(process)
        assert is_good(await read(process))
        assert pid(process) == first  # one process for all of them; a refusal does not cost it

    run(check)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_kind_of_bytes_is_read_in_pieces(kind: Callable[[bytes], wire.Bytes]) -> None:
    async def check(process: JsonProcess) -> None:
        assert is_good(await process.read([kind(GOOD[:9]), kind(GOOD[9:])], SHAPES, "tiny", MOST, WAIT_S))

    run(check)


def test_nothing_is_started_before_the_first_body() -> None:
    async def check(process: JsonProcess) -> None:
        assert process._process is None

    run(check)


def test_each_caller_gets_the_answer_to_his_own_body() -> None:
    async def check(process: JsonProcess) -> None:
        bodies = [body_of([[number, number / 2]], count=number) for number in range(20)]
        bodies[7] = b"{"
        answers = await asyncio.gather(*(read(process, body) for body in bodies), return_exceptions=True)
        assert isinstance(answers.pop(7), RequestError)
        numbers = [number for number in range(20) if number != 7]
        assert [answer.count for answer in answers] == numbers
        assert [answer.array.tolist() for answer in answers] == [[[n, n / 2]] for n in numbers]

    run(check)


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


def test_a_death_while_idle_costs_nobody_anything(caplog: pytest.LogCaptureFixture) -> None:
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


def test_who_leaves_as_the_answer_comes_does_no_harm_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_who_waits_for_a_turn_in_vain_does_not_end_the_one_before(tmp_path: Path) -> None:
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


def test_the_end_refuses_who_is_being_read_and_who_waits(
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
from cloud.bodies.json_process import JsonProcess
from cloud.bodies.json_worker import ask
async def main():
    await JsonProcess().read([b'{"data": [[1, 2]]}'], {"tiny": (2,)}, "tiny", 4, 60)
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


def test_a_worker_that_hangs_ends_by_itself_should_nobody_else() -> None:
    hanging = program(
        "import threading\nimport cloud.bodies.json_worker as worker\nworker._GRACE_S = 0.01\n"
        "worker.read_tensors = lambda *_: threading.Event().wait(3600)\nworker.main()"
    )
    with subprocess.Popen(
        hanging, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as worker:
        with pytest.raises(EOFError):
            ask(worker.stdin, worker.stdout, [GOOD], SHAPES, "tiny", MOST, seconds=0.01)
        assert worker.wait(WAIT_S) == -signal.SIGALRM
