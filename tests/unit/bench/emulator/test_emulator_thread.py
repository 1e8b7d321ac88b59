"""The emulator for those that have no event loop, and scripted links."""

import asyncio
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from bench.emulator.link import Link
from bench.emulator.proxy import Emulator, play, read_trace
from bench.emulator.thread import EmulatorThread

SLOW = Link(up_bits_per_s=1e6)


@contextmanager
def echo():
    """A port where one connection after another is answered with what it says."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        while data := connection.recv(65536):
                            connection.sendall(data)
                    except ConnectionError:
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            assert not thread.is_alive()


@contextmanager
def connected(emulator):
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=5) as client:
        yield client


def exchange(client, data):
    client.sendall(data)
    answer = b""
    while len(answer) < len(data):
        got = client.recv(65536)
        assert got
        answer += got
    return answer


# --- in a thread ------------------------------------------------------------------------------------------------------


def test_it_works_without_a_loop():
    with echo() as port, EmulatorThread("127.0.0.1", port, SLOW, seed=3) as emulator:
        with connected(emulator) as client:
            assert exchange(client, b"hello") == b"hello"
            assert (emulator.connections, emulator.open_connections) == (1, 1)
            assert (emulator.up_bytes, emulator.down_bytes) == (5, 5)
            assert emulator.link == SLOW
            emulator.link = Link(delay_s=0.02)
            assert emulator.link == Link(delay_s=0.02)
            start = time.monotonic()
            exchange(client, b"hello")
            assert time.monotonic() - start >= 0.04
            emulator.corrupt(1)
            assert exchange(client, bytes(64)) != bytes(64)
            emulator.blackout(True)
            emulator.blackout(False)
            emulator.cut()
            with pytest.raises(ConnectionError):
                exchange(client, b"gone")
        emulator.refuse(True)
        with pytest.raises(ConnectionError), connected(emulator) as client:
            exchange(client, b"refused")
        emulator.refuse(False)
        emulator.retarget("127.0.0.1", port)
        emulator.black_hole(True)
        with connected(emulator) as client:
            client.settimeout(0.05)
            with pytest.raises(TimeoutError):
                exchange(client, b"swallowed")


def test_mistakes_come_back_to_the_caller():
    with EmulatorThread("127.0.0.1", 1) as emulator:
        with pytest.raises(ValueError, match="after_bytes"):
            emulator.cut(-1)
        with pytest.raises(RuntimeError, match="started already"):
            emulator.start()
        with pytest.raises(OSError, match="in use"):
            EmulatorThread("127.0.0.1", 1).start(emulator.port)
        emulator.stop()
        emulator.stop()
        with pytest.raises(RuntimeError, match="not running"):
            emulator.cut()


def test_a_port_that_is_none():
    with pytest.raises(OverflowError):
        EmulatorThread("127.0.0.1", 1).start(70_000)


def test_stopping_leaves_no_thread_and_no_connection():
    with echo() as port:
        with EmulatorThread("127.0.0.1", port, SLOW) as emulator, connected(emulator) as client:
            client.sendall(bytes(100_000))
            emulator.stop()
            with pytest.raises(ConnectionError):
                exchange(client, b"gone")
        assert emulator.open_connections == 0
    assert "emulator" not in {thread.name for thread in threading.enumerate()}


def test_a_script_in_the_thread():
    with EmulatorThread("127.0.0.1", 1) as emulator:
        emulator.play([(0.01, Link()), (0.01, SLOW)]).result(5)
        assert emulator.link == SLOW
        unfinished = emulator.play([(100, Link())])
    assert unfinished.cancelled()


# --- scripted links ---------------------------------------------------------------------------------------------------


def test_a_script_is_played_in_order_and_in_time():
    trace = [(0.02, Link(delay_s=1)), (0.03, Link(delay_s=2)), (0.0, SLOW)]
    seen = []

    class Recorder(Emulator):
        @property
        def link(self):
            return seen[-1][1]

        @link.setter
        def link(self, link):
            seen.append((time.monotonic(), link))

    asyncio.run(play(Recorder("127.0.0.1", 1), trace))
    assert [link for _, link in seen] == [link for _, link in trace]
    assert seen[1][0] - seen[0][0] >= 0.0199
    assert seen[2][0] - seen[0][0] >= 0.0499


def test_a_script_is_read():
    text = """
    # from the train
    5, 12.5, 40
    2.5,0.5,120,30,0.02   # in the tunnel
    0, inf, 0, 1
    """
    assert read_trace(text) == [
        (5.0, Link(up_bits_per_s=12.5e6, delay_s=0.04)),
        (2.5, Link(up_bits_per_s=0.5e6, delay_s=0.12, jitter_s=0.03, loss=0.02)),
        (0.0, Link(jitter_s=0.001)),
    ]
    assert read_trace("") == []


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("1, 2", "2 numbers"),
        ("1, 2, 3, 4, 0.5, 6", "6 numbers"),
        ("1, fast, 3", "'fast'|could not convert"),
        ("-1, 2, 3", "-1.0 seconds"),
        ("inf, 2, 3", "inf seconds"),
        ("1, 0, 3", "up_bits_per_s is 0.0"),
        ("1, 2, -3", "delay_s is -0.003"),
        ("1, 2, 3, 4, 5", "loss is 5.0"),
    ],
)
def test_what_is_no_script(line, what):
    with pytest.raises(ValueError, match=rf"line 2: .*({what}).*; a line is: seconds, up Mbit/s, delay ms\["):
        read_trace(f"1, 2, 3\n{line}")
