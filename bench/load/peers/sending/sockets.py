"""What this process's own TCP connections have carried, from the kernel: whatever library opened them."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from pathlib import Path

_ACKNOWLEDGED_AT = 120
"""In `tcp_info` (linux/tcp.h): tcpi_bytes_acked, then tcpi_bytes_received, each of 64 bits."""


def carried_bytes(port: int) -> int:
    """Bytes sent and received, without TCP's and IP's headers, on all open connections to this port."""
    total = 0
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if str(entry.readlink()).startswith(
                "socket:"
            ):  # of anything else Python would leave the copy open
                total += _carried(int(entry.name), port)
    return total


def _carried(descriptor: int, port: int) -> int:
    with socket.socket(fileno=os.dup(descriptor)) as own:
        if own.type != socket.SOCK_STREAM or own.family not in (socket.AF_INET, socket.AF_INET6):
            return 0
        if own.getpeername()[1] != port:
            return 0
        found = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED_AT + 16)
    sent, received = struct.unpack_from("<QQ", found, _ACKNOWLEDGED_AT)
    return int(sent) + int(received)
