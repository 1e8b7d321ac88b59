"""What became of each request, and which status of gRPC means what."""

import asyncio
import struct

import pytest

from bench.load.connection import ExchangeError
from bench.load.generator import OK
from bench.load.peers.sending.answer import RAW
from bench.load.peers.sending.body import GOOD, POISONED, Body, read_bodies, write_bodies
from bench.load.peers.sending.carriers import UnreachableError, _status_of
from bench.load.peers.sending.log import (
    ANSWERED,
    LOST,
    OPEN,
    REFUSED,
    UNREACHABLE,
    WRONG,
    WRONG_STATUS,
    Log,
    Logged,
)

RIGHT = struct.pack("<2f", 0.0, 1.0)
GOOD_BODY, BAD_BODY = Body(b"x", 1), Body(b"x")


class FakeCarrier:
    """Answers with what it was given, or raises it."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.closed = False

    async def ask(self, data, timeout_s):
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        self.closed = True


def fate(answer, body=GOOD_BODY):
    log = Log()
    logged = Logged(log, FakeCarrier(answer), RAW)
    try:
        status = asyncio.run(logged.ask(body, 1.0))
    except ExchangeError:
        status = None
    (entry,) = log.entries
    assert entry.done >= entry.sent
    return entry.fate, status


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((OK, RIGHT), (ANSWERED, OK)),
        ((OK, RIGHT[::-1]), (WRONG, WRONG_STATUS)),
        ((OK, b"?"), (WRONG, WRONG_STATUS)),
        ((503, b""), (REFUSED, 503)),
        (ExchangeError("reset"), (LOST, None)),
        (UnreachableError("refused"), (UNREACHABLE, None)),
    ],
)
def test_every_request_has_a_fate(answer, expected):
    assert fate(answer) == expected


def test_any_answer_to_poison_is_one():
    assert fate((OK, b"?"), BAD_BODY) == (ANSWERED, OK)
    assert fate((400, b"?"), BAD_BODY) == (REFUSED, 400)


def test_a_request_under_way_is_open_and_counted():
    log = Log()

    async def look():
        never = asyncio.Event()

        class Hanging(FakeCarrier):
            async def ask(self, data, timeout_s):
                await never.wait()

        task = asyncio.create_task(Logged(log, Hanging(), RAW).ask(GOOD_BODY, 1.0))
        await asyncio.sleep(0)
        assert (len(log.under_way()), log.done()) == (1, 0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(look())
    assert log.fates() == {OPEN: 1}


def test_errors_are_counted_by_what_they_say():
    log = Log()
    logged = Logged(log, FakeCarrier((400, b""), (400, b""), ExchangeError("y" * 500)), RAW)

    async def ask():
        for _ in range(2):
            await logged.ask(BAD_BODY, 1.0)
        with pytest.raises(ExchangeError):
            await logged.ask(BAD_BODY, 1.0)

    asyncio.run(ask())
    assert log.errors == {"status 400": 2, "y" * 100: 1}


@pytest.mark.parametrize(
    ("code", "details", "expected"),
    [
        ("INVALID_ARGUMENT", "shape", 400),
        ("UNAVAILABLE", "the server is stopping", 503),
        ("RESOURCE_EXHAUSTED", "queue", 503),
        ("INTERNAL", "failed", 500),
        (
            "UNAVAILABLE",
            "failed to connect to all addresses; last error: Connection refused",
            UnreachableError,
        ),
        ("UNAVAILABLE", "recvmsg:Connection reset by peer", ExchangeError),
        ("UNAVAILABLE", "Socket closed", ExchangeError),
        ("UNAVAILABLE", "GOAWAY received", ExchangeError),
        ("CANCELLED", "", ExchangeError),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", ExchangeError),
    ],
)
def test_grpc_statuses_of_servers_and_of_the_client_itself(code, details, expected):
    if isinstance(expected, int):
        assert _status_of(code, details) == expected
    else:
        with pytest.raises(expected):
            _status_of(code, details)


def test_bodies_come_back_in_order(tmp_path):
    given = {GOOD: [Body(b"a", 3), Body(b"b", 0)], POISONED: [Body(b"\xff")]}
    write_bodies(tmp_path / "raw", given)
    for kind, bodies in given.items():
        assert read_bodies(tmp_path / "raw", kind) == bodies
