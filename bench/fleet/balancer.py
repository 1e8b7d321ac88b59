"""The balancer before the clouds: HAProxy with the configuration that is shipped, or our own stand-in where it is not installed."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import time
from typing import TYPE_CHECKING, Protocol

from bench.fleet.stand_in import StandIn
from bench.harness.process import environment, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from bench.fleet.options import FleetOptions

_START_S = 10.0
_POLL_S = 0.05
_TEMPLATE = re.compile(r"^(?P<indent>[ \t]*)server-template .*$", re.MULTILINE)


class Balancer(Protocol):
    """What edges are told the address of."""

    port: int
    name: str
    """For people, with its version."""


class HAProxy:
    """The program, with a configuration file of its own, in the foreground."""

    def __init__(self, program: str, text: str, folder: Path) -> None:
        """Raises RuntimeError if it does not take the configuration."""
        self.port = free_port()
        file = folder / "haproxy.cfg"
        file.write_text(text, encoding="utf-8")
        variables = environment() | {"PORT": str(self.port), "METRICS_PORT": str(free_port())}
        said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stdout
        self.name = "HAProxy " + (re.findall(r"version (\S+)", said) or ["of an unknown version"])[0]
        command = [program, "-db", "-f", str(file)]
        checked = subprocess.run([*command, "-c"], capture_output=True, text=True, check=False, env=variables)
        if checked.returncode:
            raise RuntimeError(f"haproxy does not take {file.name}:\n{checked.stdout}{checked.stderr}")
        with (folder / "haproxy.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=variables)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def with_servers(text: str, ports: Sequence[int]) -> str:
    """A configuration that finds clouds by name, for clouds at these ports of this machine: a line for each. All else stays.

    Raises RuntimeError if it has no line, or several, that finds them.
    """
    lines = list(_TEMPLATE.finditer(text))
    if len(lines) != 1:
        raise RuntimeError(
            f"the balancer's configuration has {len(lines)} lines with server-template; one is expected"
        )
    (line,) = lines
    servers = [
        f"{line['indent']}server cloud{number} 127.0.0.1:{port}" for number, port in enumerate(ports, 1)
    ]
    return text[: line.start()] + "\n".join(servers) + text[line.end() :]


@contextlib.asynccontextmanager
async def balancing(options: FleetOptions, clouds: Sequence[int], folder: Path) -> AsyncIterator[Balancer]:
    """The balancer that the options ask for, listening, before clouds at these ports. Raises RuntimeError."""
    if not options.haproxy:
        async with StandIn(clouds).serving() as stand_in:
            yield stand_in
        return
    text = with_servers(options.configuration.read_text(encoding="utf-8"), clouds)
    haproxy = HAProxy(options.haproxy, text, folder)
    try:
        await _listens(haproxy.port)
        yield haproxy
    finally:
        haproxy.close()


async def _listens(port: int) -> None:
    until = time.monotonic() + _START_S
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        if time.monotonic() > until:
            raise RuntimeError(f"the balancer does not listen within {_START_S:g} s")
        await asyncio.sleep(_POLL_S)
