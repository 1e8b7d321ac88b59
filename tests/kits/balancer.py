"""HAProxy as deploy/balancer has it, before clouds of this machine, as a process that ends with the test."""

from __future__ import annotations

import shutil
import subprocess
import urllib.request
from typing import TYPE_CHECKING, Self

from kits.common import ROOT, free_port, wait_for

from bench.harness.scrape import Metrics, parse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILES = ROOT / "deploy" / "balancer"
HAPROXY = shutil.which("haproxy", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")
_FOUND_BY_NAME = "    server-template cloud "


def haproxy_text(file: str, ports: Sequence[int]) -> str:
    """The shipped file with a line for each cloud, as for clouds that no name resolves to."""
    text = (FILES / file).read_text(encoding="utf-8")
    (line,) = [each for each in text.splitlines() if each.startswith(_FOUND_BY_NAME)]
    servers = "\n".join(f"    server cloud{number} 127.0.0.1:{port}" for number, port in enumerate(ports, 1))
    return text.replace(line, servers)


class HAProxy:
    """One process; `url` is what edges are given."""

    kind = "haproxy"

    def __init__(
        self, folder: Path, ports: Sequence[int], *, file: str = "haproxy.cfg", **variables: str
    ) -> None:
        """`ports`: the clouds', in order; `variables` are the file's."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(haproxy_text(file, ports), encoding="utf-8")
        self.port, self._metrics_port = free_port(), free_port()
        scheme = "https" if "CERTIFICATE" in variables or "passed" in file else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        given = {
            "PORT": str(self.port),
            "METRICS_PORT": str(self._metrics_port),
            "PATH": "/usr/sbin:/usr/bin",
        }
        self._log = (folder / "haproxy.log").open("ab+")
        assert HAPROXY
        self._process = subprocess.Popen(
            [HAPROXY, "-db", "-f", str(folder / file)],
            env=given | variables,
            stdout=self._log,
            stderr=self._log,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def metrics(self) -> Metrics:
        return parse(self.asked("/metrics"))

    def asked(self, path: str) -> str:
        """What it answers itself. Raises HTTPError."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}{path}", timeout=5) as response:
            return response.read().decode()

    def takes(self, number: int) -> bool:
        """Whether this cloud, from 1 on, is given requests."""
        return (
            self.metrics().value("haproxy_server_status", proxy="clouds", server=f"cloud{number}", state="UP")
            == 1
        )

    def under_way(self) -> float:
        """Requests that clouds have not answered yet."""
        return self.metrics().value("haproxy_backend_current_sessions", proxy="clouds")

    def wait_for_clouds(self, *numbers: int, count: int) -> None:
        """Wait until these and no others of `count` are given requests."""

        def so() -> bool:
            assert self._process.poll() is None, self.said()
            return {each for each in range(1, count + 1) if self.takes(each)} == set(numbers)

        wait_for(so, f"clouds {numbers} and no others", 30)

    def said(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-4000:]
