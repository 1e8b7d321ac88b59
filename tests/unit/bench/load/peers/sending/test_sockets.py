"""What the kernel says of this process's own connections."""

import os
import socket

from bench.harness.process import open_files
from bench.load.peers.sending.sockets import carried_bytes


def test_the_bytes_of_the_connections_to_one_port_and_nothing_is_left_open():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, server.accept()[0] as other:
            reader, writer = os.pipe()
            before = open_files(os.getpid())
            start = carried_bytes(port)  # its handshake may count
            client.sendall(b"hello")
            assert other.recv(5) == b"hello"
            other.sendall(b"hi")
            assert client.recv(2) == b"hi"
            assert carried_bytes(port) == start + 7
            assert open_files(os.getpid()) == before
            os.close(reader)
            os.close(writer)
