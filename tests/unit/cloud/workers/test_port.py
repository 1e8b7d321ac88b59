"""A port that the workers of one cloud share, and nobody else."""

from __future__ import annotations

import contextlib
import socket

import pytest

from cloud.workers.port import HeldPort, bind
from shared.errors import StartupError

# Tornado leaves the socket that it could not bind to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@contextlib.contextmanager
def bound(*arguments, **more):
    sockets = bind(*arguments, **more)
    try:
        yield sockets
    finally:
        for each in sockets:
            each.close()


def test_two_workers_listen_on_a_held_port_and_a_third_party_cannot():
    with HeldPort("127.0.0.1", 0) as held:
        with (
            pytest.raises(StartupError, match=f"cannot listen on 127.0.0.1:{held.port}"),
            bound("127.0.0.1", held.port),
        ):
            pass
        with pytest.raises(StartupError):
            HeldPort("127.0.0.1", held.port)  # another cloud, before a worker of the first one listens
        with bound("127.0.0.1", held.port, shared=True), bound("127.0.0.1", held.port, shared=True):
            with pytest.raises(StartupError):
                HeldPort("127.0.0.1", held.port)
            with pytest.raises(StartupError), bound("127.0.0.1", held.port):
                pass
            socket.create_connection(("127.0.0.1", held.port)).close()
        # The held socket takes no connections itself.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", held.port))
    with bound("127.0.0.1", held.port):
        pass  # it is free again


def test_connections_that_linger_from_an_earlier_process_do_not_matter():
    with bound("127.0.0.1", 0) as (listener,):
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = listener.accept()
            accepted.close()  # first, so that it lingers here
            client.recv(1)
    with HeldPort("127.0.0.1", port) as held, bound("127.0.0.1", held.port, shared=True):
        pass


def test_without_sharing_a_second_process_is_refused():
    with bound("127.0.0.1", 0) as (listener,):
        port = listener.getsockname()[1]
        for shared in (False, True):
            with (
                pytest.raises(StartupError, match="stop what listens there"),
                bound("127.0.0.1", port, shared=shared),
            ):
                pass
