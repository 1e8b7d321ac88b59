"""deploy/swarm as users run it, on a swarm of one node that is made for it; and what its services wrote down."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

from kits.common import ROOT, STEP_S, wait_for

from bench.harness.process import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from bench.soak.ledger import Row

UP_S = 300.0
_IMAGE = "python:3.11-slim-bookworm"
"""Our images are made of it, so it is there."""


def docker(*arguments: str, seconds: float = STEP_S) -> str:
    done = subprocess.run(
        ["docker", *arguments], text=True, capture_output=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}:\n{(done.stdout + done.stderr)[-4000:]}"
    return done.stdout


def is_in_a_swarm() -> bool:
    return docker("info", "--format", "{{.Swarm.LocalNodeState}}").strip() != "inactive"


class Stack:
    """One stack in a swarm of its own, which ends with it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """`settings` are those of .env; whatever is published is at any free port."""
        self.folder = folder
        self.name = f"splitdnn-test-{os.getpid()}"
        self.port = free_port()
        for name in ("media", "weights"):
            (folder / name).mkdir(exist_ok=True)
        kept = ("SPLITDNN_PROMETHEUS_IMAGE",)  # where no registry is reached, only this release is at hand
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("SPLITDNN_") or name in kept
        } | {
            "WAIT_S": f"{UP_S:.0f}",
            "SPLITDNN_STACK": self.name,
            "SPLITDNN_SECRETS_DIR": str(folder / "secrets"),
            "SPLITDNN_MEDIA": str(folder / "media"),
            "SPLITDNN_WEIGHTS_DIR": str(folder / "weights"),
            "SPLITDNN_BALANCER_PORT": str(self.port),
        }  # fmt: skip
        docker("swarm", "init", "--advertise-addr", "127.0.0.1", "--dispatcher-heartbeat", "60s")
        try:
            self.up(**settings)
            self._said = (folder / "edges.log").open("w+")
            self._follower = subprocess.Popen(
                ["docker", "service", "logs", "--follow", "--no-trunc", self.service("edge")],
                stdout=self._said, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except BaseException:
            self.close()
            raise

    def up(self, **settings: str) -> str:
        """What a user calls, for the first time or after a change of settings."""
        self._environment |= {f"SPLITDNN_{name.upper()}": value for name, value in settings.items()}
        return self._called("up")

    def _called(self, script: str) -> str:
        done = subprocess.run(
            [str(ROOT / "deploy" / "swarm" / script)],
            env=self._environment, text=True, capture_output=True, timeout=UP_S + 60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}:\n{(done.stdout + done.stderr)[-4000:]}"
        return done.stdout

    def service(self, name: str) -> str:
        return f"{self.name}_{name}"

    def containers(self, name: str) -> list[str]:
        """The ids of a service's containers that run."""
        label = f"label=com.docker.swarm.service.name={self.service(name)}"
        return docker("ps", "--quiet", "--no-trunc", "--filter", label, "--filter", "status=running").split()

    def healthy(self, name: str) -> list[str]:
        label = f"label=com.docker.swarm.service.name={self.service(name)}"
        return docker("ps", "--quiet", "--no-trunc", "--filter", label, "--filter", "health=healthy").split()

    def scale(self, name: str, count: int) -> None:
        docker("service", "scale", "--detach", f"{self.service(name)}={count}")

    def inspected(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(docker("service", "inspect", self.service(name)))[0]
        return found

    def query(self, expression: str) -> dict[str, float]:
        """Prometheus' answer by target: it is asked where it runs, as nothing of it is published."""
        (prometheus,) = self.containers("prometheus")
        text = docker("exec", prometheus, "promtool", "query", "instant", "http://127.0.0.1:9090", expression)
        return {name: float(value) for name, value in re.findall(r"^(.*) => (\S+) @", text, re.MULTILINE)}

    def rows(self, volumes: str) -> dict[str, list[Row]]:
        """File -> complete JSON lines in the volumes whose names begin so: an edge's records, or clouds' ledgers."""
        names = docker("volume", "ls", "--quiet", "--filter", f"name={self.name}_{volumes}-").split()
        mounts = [f"--volume={name}:/v/{name}:ro" for name in names]
        code = (
            "import json, pathlib; print(json.dumps({str(p): p.read_text() for p in "
            "sorted(pathlib.Path('/v').glob('*/*.jsonl'))}))"
        )
        found = json.loads(docker("run", "--rm", "--network=none", *mounts, _IMAGE, "python", "-c", code))
        return {
            path.removeprefix("/v/"): [json.loads(line) for line in text.split("\n")[:-1] if line]
            for path, text in found.items()
        }

    def wait_for_records(self, edges: int, more: int) -> None:
        """Wait until each of so many edges has recorded so many frames from now on."""
        begin = self._recorded()

        def enough() -> bool:
            now = self._recorded()
            return len(now) == edges and all(
                count >= begin.get(each, 0) + more for each, count in now.items()
            )

        wait_for(enough, f"{more} records of {edges} edges")

    def _recorded(self) -> dict[str, int]:
        script = "cat /results/*.jsonl | wc -l"
        return {each: int(docker("exec", each, "sh", "-c", script)) for each in self.containers("edge")}

    def summaries(self, edges: int) -> dict[str, dict[str, int]]:
        """Slot -> the counts in an edge's closing summary, once so many edges have ended."""

        def all_said() -> dict[str, dict[str, int]]:
            self._said.seek(0)
            found: dict[str, dict[str, int]] = {}
            for slot, name, count in re.findall(
                rf"^{re.escape(self.service('edge'))}\.(\d+)\.\S+ +\| (frames in|answered by cloud|answered by edge|dropped) +(\d+)$",
                self._said.read(),
                re.MULTILINE,
            ):
                found.setdefault(slot, {})[name] = int(count)
            return found if len(found) == edges and all(len(each) == 4 for each in found.values()) else {}

        return wait_for(all_said, f"{edges} summaries", 60)

    def close(self) -> None:
        """End the stack, its volumes and the swarm."""
        try:
            self._called("down")
            docker(
                "volume", "rm", *docker("volume", "ls", "--quiet", "--filter", f"name={self.name}_").split()
            )
        finally:
            docker("swarm", "leave", "--force")
            if hasattr(self, "_follower"):
                self._follower.kill()
                self._follower.wait()
                self._said.close()
