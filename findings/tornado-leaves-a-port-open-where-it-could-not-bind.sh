#!/usr/bin/env bash
# Tornado 6.6.1: `bind_sockets` that fails leaves what it has bound before open and listening: where a name has several addresses
# and the port is taken at one of them only, it raises OSError, and the others take connections that nobody will ever accept, for as
# long as somebody holds the error (a log, a debugger, a variable). Also the socket that could not be bound is left to the garbage collector.
# Expected: what a function has opened is closed when it raises.
# A client that connects meanwhile waits for an answer, in place of being refused.
# Matters to: cloud/workers/port.py, which keeps no such error, and its tests, which ignore the warnings.
# Seen 2026-11-29, Python 3.11, x86-64, Linux:
#   raised: Address already in use
#   while the error is held: 127.0.0.1 connects
#   afterwards: 127.0.0.1 refuses; ResourceWarnings: 2
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tornado==6.6.1
seen=$("$folder/venv/bin/python" - <<'PYTHON'
import os
import socket
import warnings
from unittest import mock

from tornado import netutil

warnings.simplefilter("always")
LOOPBACK = ("127.0.0.1", "127.0.0.2")  # in place of a name with two addresses


def addresses(_host, port, *_, **__):
    return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (each, port)) for each in LOOPBACK]


def answer(port):
    try:
        socket.create_connection((LOOPBACK[0], port), 1).close()
    except OSError:
        return f"{LOOPBACK[0]} refuses"
    return f"{LOOPBACK[0]} connects"


with socket.create_server((LOOPBACK[1], 0)) as taken, warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    port = taken.getsockname()[1]
    with mock.patch("socket.getaddrinfo", addresses):
        try:
            netutil.bind_sockets(port, "two-addresses")
        except OSError as error:
            held = error
    print("raised:", os.strerror(held.errno))
    print("while the error is held:", answer(port))
    del held
    print("afterwards:", f"{answer(port)}; ResourceWarnings:", sum(each.category is ResourceWarning for each in warned))
PYTHON
)
echo "$seen"
[ "$seen" = "raised: Address already in use
while the error is held: 127.0.0.1 connects
afterwards: 127.0.0.1 refuses; ResourceWarnings: 2" ] || { echo "finding no longer holds: $0" >&2; exit 1; }
