"""The clients against servers of this process, on 127.0.0.1."""

import asyncio
import os
import struct

import pytest

from bench.load.peers.sending.answer import RAW
from bench.load.peers.sending.body import GOOD, POISONED, Body, write_bodies
from bench.load.peers.sending.clients import Clients
from bench.load.peers.sending.job import FIRST, LOAD, POISON, TERMINATE, Job

pytestmark = pytest.mark.slow
LOGITS = struct.pack("<2f", 0.0, 1.0)
GOOD_DATA = b"good"


@pytest.fixture
def bodies(tmp_path):
    write_bodies(tmp_path, {GOOD: [Body(GOOD_DATA, 1)], POISONED: [Body(b"bad!")]})
    return str(tmp_path)


async def answering(answer, told=None):
    """A server that reads requests of four bytes; `answer` is given the body, once `told` is set."""

    async def serve(reader, writer):
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                given = await reader.readexactly(4)
                if told:
                    await told.wait()
                status, body = answer(given)
                head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


def run(kind, bodies, answer, told=None, **how):
    async def both():
        server = await answering(answer, told)
        port = server.sockets[0].getsockname()[1]
        try:
            job = Job(kind, RAW, port, bodies, "no such mark", timeout_s=60.0, **how)
            return await Clients(Job.read(job.text())).run()
        finally:
            server.close()

    return asyncio.run(both())


def test_the_first_right_answer_ends_the_start(bodies, capsys):
    answers = iter([(503, b""), (200, b"?"), (200, LOGITS)])
    found = run(FIRST, bodies, lambda _: next(answers))
    assert found["answered_at"] > 0
    assert capsys.readouterr().out == "asking\n"


def test_load_counts_answers_bytes_and_cpu(bodies):
    found = run(LOAD, bodies, lambda _: (200, LOGITS), clients=2, seconds=1.0, warm_s=0.1)
    assert found["done"] > 0
    assert found["fates"] == {"answered": found["fates"]["answered"]}
    request = (
        len("POST / HTTP/1.1\r\nHost: 127.0.0.1:12345\r\nContent-Type: \r\nContent-Length: 4\r\n\r\n") + 4
    )
    reply = len("HTTP/1.1 200 X\r\nContent-Length: 8\r\n\r\n") + 8
    assert found["bytes"] == pytest.approx(request + reply, rel=0.2)
    assert found["client_cpu_s"] > 0
    assert found["server_cpu_s"] == 0, "nothing has the mark"


def test_good_requests_are_told_from_poisoned_ones(bodies):
    found = run(
        POISON, bodies, lambda body: (200, LOGITS) if body == GOOD_DATA else (400, b""),
        clients=2, seconds=1.0, warm_s=0.0, poison_rate=40.0,
    )  # fmt: skip
    assert set(found["good"]) == {"answered"}
    assert set(found["poisoned"]) == {"refused"}
    assert 38 <= found["poisoned"]["refused"] <= 42


def test_nobody_there_is_no_answer(bodies):
    job = Job(FIRST, RAW, 9, bodies, "no such mark", timeout_s=0.2)  # the port of discard: nothing listens
    found = asyncio.run(Clients(job).run())
    assert found["answered_at"] is None
    assert set(found["fates"]) == {"unreachable"}


def test_a_signal_goes_to_the_process_that_was_named(bodies, monkeypatch):
    sent, told = [], asyncio.Event()

    def kill(pid, number):
        sent.append((pid, int(number)))
        told.set()

    monkeypatch.setattr(os, "kill", kill)
    given = {"clients": 3, "seconds": 0.2, "warm_s": 0.1, "pid": 12345}
    found = run(TERMINATE, bodies, lambda _: (200, LOGITS), told, **given)
    assert sent == [(12345, 15)]
    assert found["under_way"] == found["before"] == {"answered": 3}
    assert set(found["after"]) <= {"answered"}
