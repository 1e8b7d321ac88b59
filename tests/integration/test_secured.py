"""compose.tokens.yaml and compose.tls.yaml as the pages tell to use them: nobody in without a key, keys change while frames flow."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from kits import deployments
from kits.common import wait_for
from kits.readme import ROOT, commands_of

from shared.security.tls.context import TLSFiles, client_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)

MAKE, REPLACE = commands_of(ROOT / "docs/access.md", "Compose")
ENCRYPT, CERTIFY = commands_of(ROOT / "docs/tls.md", "Compose")


class Secured:
    """A system with tokens, without TLS at first, and the folder of its user."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.compose = deployments.ComposeDeployment(
            overrides=("compose.tokens.yaml",), built=self._make_tokens, secrets_dir=f"{folder}/secrets",
            model="resnet18", weights="random", precision="float32", source="synthetic:fps=3", queue_size="64", ledger="/cache/ledger.jsonl",
        )  # fmt: skip
        self.environment = self.compose._environment

    def _make_tokens(self) -> None:
        assert (MAKE[0], MAKE[-1]) == (
            "docker compose build",
            "docker compose --file compose.yaml --file compose.tokens.yaml up",
        )
        self.typed(MAKE[1:-1], dict(os.environ))

    def typed(self, lines: list[str], environment: dict[str, str] | None = None) -> None:
        """What a user types in the folder, who stands beside the files of Compose."""
        script = "\n".join(["umask 022", *lines]).replace("--file ", f"--file {ROOT}/")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=self.folder, env=environment or self.environment,
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"

    def token(self, name: str) -> str:
        return (self.folder / "secrets" / f"{name}.token").read_text().strip()

    def ask(self, path: str, token: str | None = None, context: ssl.SSLContext | None = None) -> int:
        """The status of the cloud's answer."""
        url = self.compose.cloud_url if context is None else self.compose.cloud_url.replace("http:", "https:")
        shown = {} if token is None else {"Authorization": f"Bearer {token}"}
        body = b'{"number": 7}' if path == "/compute" else None
        request = urllib.request.Request(url + path, body, shown | {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30, context=context) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def up(self, *services: str) -> None:
        self.compose._compose("up", "--detach", "--wait", *services, seconds=240)

    def wait_for_frames(self, more: int) -> None:
        expression = 'sum(splitdnn_edge_frames_total{outcome="cloud"})'

        def frames() -> float:
            return float(self.compose.query(expression)[0]["value"][1])

        goal = wait_for(frames, "frames of the cloud, seen by Prometheus") + more
        wait_for(lambda: frames() >= goal, f"{more} more of them")

    def wait_for_log(self, service: str, pattern: str) -> None:
        wait_for(
            lambda: re.search(pattern, self.compose._compose("logs", "--no-log-prefix", service)),
            f"{service}: {pattern}",
        )

    def end_edge(self) -> list[dict[str, Any]]:
        """The records of all frames until now, each of which the cloud must have answered by its own account."""
        self.compose._compose("stop", "edge")
        self.compose._compose("cp", "edge:/results", str(self.folder))
        self.compose._compose("cp", "cloud:/cache/ledger.jsonl", str(self.folder))
        lines = [json.loads(line) for line in (self.folder / "ledger.jsonl").read_text().splitlines()]
        records = [
            json.loads(line)
            for path in sorted((self.folder / "results").iterdir())
            for line in path.read_text().splitlines()
        ]
        assert [each for each in records if each["answered_by"] != "cloud"] == []
        assert {line["outcome"] for line in lines} == {"answered"}
        assert {line["client"] for line in lines} == {"edge"}
        assert {each["frame_id"] for each in records} <= {line["frame_id"] for line in lines}
        assert len({each["frame_id"] for each in records}) == len(records)
        return records

    def check_complete(self, records: list[dict[str, Any]]) -> None:
        """These are all that an edge has read since it began, but for what it says that it dropped to keep up with its camera."""
        said = self.compose._compose("logs", "--no-log-prefix", "edge")
        found = re.findall(r"(?:frames in|dropped) {5,}(\d+)\b", said)
        read, dropped = (int(each) for each in found[-2:])
        assert len(records) == read - dropped, said
        numbers = [record["frame"] for record in records]
        assert numbers == sorted(set(numbers))


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    if not deployments.docker_answers():
        pytest.skip("no Docker engine answers; test_renewal.py does the same with processes")
    found = Secured(tmp_path_factory.mktemp("secured"))
    try:
        yield found
    finally:
        found.compose.close()


def test_tokens_let_in_whom_they_are_for_and_change_without_a_lost_frame(secured):
    secured.up("edge")
    edge, prometheus = secured.token("edge"), secured.token("prometheus")
    assert [secured.ask(path) for path in ("/", "/healthz", "/readyz")] == [200] * 3
    assert [secured.ask(path) for path in ("/model", "/metrics", "/compute")] == [401] * 3
    assert [secured.ask(path, edge) for path in ("/model", "/metrics", "/compute")] == [200, 403, 403]
    assert [secured.ask(path, prometheus) for path in ("/model", "/metrics")] == [403, 200]
    secured.wait_for_frames(10)
    secured.typed(REPLACE)
    wait_for(lambda: secured.ask("/model", edge) == 401, "a refusal of the old token")
    assert secured.ask("/model", secured.token("edge")) == 200
    secured.wait_for_frames(10)
    assert secured.compose.query('min_over_time(up{job="cloud"}[30s]) == 1'), "Prometheus shows its token"
    secured.check_complete(secured.end_edge())


def test_with_tls_it_takes_a_certificate_too_and_those_change_without_a_lost_frame(secured):
    assert ENCRYPT[0].startswith("docker compose --file compose.yaml --file compose.tls.yaml up")
    secured.environment["COMPOSE_FILE"] += ":compose.tls.yaml"
    before = secured.end_edge()
    secured.up("cloud", "edge", "prometheus")
    secured.wait_for_frames(10)
    # Those that lack a name are made anew, as those are that end soon.
    secured.typed(CERTIFY[:-1])
    others = ("edge,edges,renewed", "prometheus,renewed")
    secured.compose._compose(
        "run", "--rm", "authority", "python", "-m", "splitdnn", "authority", "--group", "/tls", *others
    )
    for side in ("cloud", "edge"):
        secured.wait_for_log(side, r"tls\.crt.*: taken, for every connection from now on")
    secured.wait_for_frames(20)
    files = [f"{secured.folder}/{name}" for name in ("tls.crt", "tls.key", "ca.crt")]
    known, stranger = client_context(TLSFiles(*files)), client_context(TLSFiles(authority=files[2]))
    token = secured.token("edge")
    assert secured.ask("/healthz", context=stranger) == 200
    assert [secured.ask("/model", each, stranger) for each in (None, token)] == [401, 401]
    assert [secured.ask("/model", each, known) for each in (None, token)] == [401, 200]
    for job in ("cloud", "edge"):
        wait_for(
            lambda job=job: secured.compose.query(f'min_over_time(up{{job="{job}"}}[20s]) == 1'),
            f"no failed scrape of the {job}",
        )
    secured.check_complete(secured.end_edge()[len(before) :])
