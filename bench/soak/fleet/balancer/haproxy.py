"""HAProxy with the configuration that is shipped, before clouds of this machine."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from bench.harness.process import environment, free_port

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TEMPLATE = re.compile(r"^(?P<indent>[ \t]*)server-template .*$", re.MULTILINE)


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
