"""The emulator for callers that have no event loop."""

import socket
import threading
import time
from contextlib import contextmanager

import pytest

from bench.emulator.link import Link
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
            thread.join(60)
            assert not thread.is_alive()


@contextmanager
def connected(emulator):
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=60) as client:
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
            assert (emulator.emulator.connections, emulator.emulator.open_connections) == (1, 1)
            assert (emulator.emulator.up.forwarded_bytes, emulator.emulator.down.forwarded_bytes) == (5, 5)
            assert emulator.emulator.link == SLOW
            emulator.change(Link(delay_s=0.02))
            assert emulator.emulator.link == Link(delay_s=0.02)
            start = time.monotonic()
            exchange(client, b"hello")
            assert time.monotonic() - start >= 0.04  # a lower bound: a busy machine only adds to it
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
        assert emulator.emulator.open_connections == 0
    assert "emulator" not in {thread.name for thread in threading.enumerate()}


def test_a_script_in_the_thread():
    with EmulatorThread("127.0.0.1", 1) as emulator:
        emulator.play([(0.01, Link()), (0.01, SLOW)]).result(60)
        assert emulator.emulator.link == SLOW
        unfinished = emulator.play([(100, Link())])
    assert unfinished.cancelled()
