"""HAProxy and Envoy as deploy/balancer has them, before clouds of this machine, as processes that end with the test."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from kits.common import ROOT, wait_for

from bench.harness.process import free_port
from bench.harness.scrape import Metrics, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

FILES = ROOT / "deploy" / "balancer"
HAPROXY = shutil.which("haproxy", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")
ENVOY = shutil.which("envoy") or next(
    (
        str(Path(place) / "bin" / "envoy")
        for spec in [importlib.util.find_spec("envoy")]
        for place in (spec.submodule_search_locations if spec else None) or []
    ),
    None,
)
_FOUND_BY_NAME = "    server-template cloud "


def haproxy_text(file: str, ports: Sequence[int]) -> str:
    """The shipped file with a line for each cloud, as for clouds that no name resolves to."""
    text = (FILES / file).read_text(encoding="utf-8")
    (line,) = [each for each in text.splitlines() if each.startswith(_FOUND_BY_NAME)]
    servers = "\n".join(f"    server cloud{number} 127.0.0.1:{port}" for number, port in enumerate(ports, 1))
    return text.replace(line, servers).replace('"0.0.0.0:', '"127.0.0.1:')


def envoy_text(ports: Sequence[int], port: int, admin_port: int, certificate: str | None) -> str:
    """The same of envoy.yaml, which is also told where to listen, and of which certificate (of `tls.crt` and `tls.key` in a folder)."""
    text = (FILES / "envoy.yaml").read_text(encoding="utf-8")
    for old, new in (
        ("port_value: 9901", f"port_value: {admin_port}"),
        ("0.0.0.0, port_value: 8881", f"127.0.0.1, port_value: {port}"),
    ):
        assert old in text
        text = text.replace(old, new)
    (line,) = [each for each in text.splitlines() if "address: cloud, port_value: 8881" in each]
    each = line.replace("address: cloud", "address: 127.0.0.1")
    text = text.replace(line, "\n".join(each.replace("8881", str(cloud)) for cloud in ports))
    if certificate:
        text = text.replace("#TLS# ", "").replace("/run/secrets", certificate)
    return text


class Balancer:
    """A process; `url` is what edges are given."""

    def __init__(self, folder: Path, command: Sequence[str], *, tls: bool, **variables: str) -> None:
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._log = (folder / "balancer.log").open("ab+")
        self._process = subprocess.Popen(
            command, env={"PATH": os.environ["PATH"]} | variables, stdout=self._log, stderr=self._log
        )

    port: int

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def takes(self, number: int) -> bool:
        """Whether this cloud, from 1 on, is given requests."""
        raise NotImplementedError

    def under_way(self) -> float | None:
        """Requests that clouds have not answered yet."""
        raise NotImplementedError

    def wait_for_clouds(self, *numbers: int, count: int) -> None:
        """Wait until these and no others of `count` are given requests."""

        def so() -> bool:
            assert self._process.poll() is None, self.said()
            return {each for each in range(1, count + 1) if self.takes(each)} == set(numbers)

        wait_for(so, f"clouds {numbers} and no others")

    def said(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-4000:]


class HAProxy(Balancer):
    """With one of its two files."""

    def __init__(
        self, folder: Path, ports: Sequence[int], *, file: str = "haproxy.cfg", **variables: str
    ) -> None:
        """`ports`: the clouds', in order; `variables` are the file's."""
        (folder / file).write_text(haproxy_text(file, ports), encoding="utf-8")
        self.port, self._metrics_port = free_port(), free_port()
        variables |= {"PORT": str(self.port), "METRICS_PORT": str(self._metrics_port)}
        tls = "CERTIFICATE" in variables or "passed" in file
        super().__init__(folder, [str(HAPROXY), "-db", "-f", str(folder / file)], tls=tls, **variables)

    def metrics(self) -> Metrics:
        return parse(_asked(self._metrics_port, "/metrics"))

    def takes(self, number: int) -> bool:
        name = f"cloud{number}"
        return self.metrics().value("haproxy_server_status", proxy="clouds", server=name, state="UP") == 1

    def under_way(self) -> float | None:
        return self.metrics().value("haproxy_backend_current_sessions", proxy="clouds")


class Envoy(Balancer):
    """With envoy.yaml; `certificate` is a folder, without which it speaks no TLS."""

    def __init__(self, folder: Path, ports: Sequence[int], *, certificate: str | None = None) -> None:
        self.port, self._admin_port = free_port(), free_port()
        self._ports = list(ports)
        text = envoy_text(ports, self.port, self._admin_port, certificate)
        (folder / "envoy.yaml").write_text(text, encoding="utf-8")
        command = [
            str(ENVOY),
            "-c",
            str(folder / "envoy.yaml"),
            "--concurrency",
            "2",
            "--log-level",
            "warning",
        ]
        super().__init__(folder, [*command, "--disable-hot-restart"], tls=bool(certificate))

    def takes(self, number: int) -> bool:
        (cluster,) = json.loads(_asked(self._admin_port, "/clusters?format=json"))["cluster_statuses"]
        found: dict[int, Any] = {
            host["address"]["socket_address"]["port_value"]: host["health_status"]
            for host in cluster["host_statuses"]
        }
        return found[self._ports[number - 1]] == {"eds_health_status": "HEALTHY"}

    def under_way(self) -> float | None:
        text = _asked(self._admin_port, "/stats?filter=^cluster.clouds.upstream_rq_active$")
        return float(text.partition(": ")[2])


def _asked(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
        text: str = response.read().decode()
    return text
