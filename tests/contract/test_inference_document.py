"""docs/inference-protocol.md: every example runs against a cloud, and its table names the endpoints that there are."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import Mock

import numpy as np
import pytest
from kits.cloud import Server
from kits.stock_clients import KSERVE, run_block
from PIL import Image

from cloud.http.app import make_app

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).resolve().parents[2] / "docs" / "inference-protocol.md"
TEXT = PAGE.read_text(encoding="utf-8")
CLOUD = "127.0.0.1:8881"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)


def shown(block: str) -> list[str]:
    """What the comments beside `print` say that it prints."""
    return re.findall(r"^\s*print\(.*\)  # (.*)$", block, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def cloud(resnet18_bundle) -> Iterator[str]:
    with Server(model=str(resnet18_bundle.folder), weights="auto", precision="float32") as server:
        yield f"127.0.0.1:{server.port}"


@pytest.fixture
def _at_home(home, resnet18_bundle, tmp_path, monkeypatch) -> None:
    """Default folders are those of the test run, where the network of the examples has been made; here lies a picture."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    picture = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    Image.fromarray(picture).save("dog.jpg")


@pytest.mark.slow
@pytest.mark.usefixtures("_at_home")
def test_the_python_examples_run(cloud: str) -> None:
    code = "".join(blocks("python"))
    assert code.count(CLOUD) == 1
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code.replace(CLOUD, cloud), {"__name__": "__main__"})
    assert out.getvalue().splitlines() == shown(code)


@pytest.mark.slow
@pytest.mark.usefixtures("_at_home")
def test_the_commands_run(cloud: str) -> None:
    commands = [line for block in blocks("bash") for line in block.splitlines()]
    answers = []
    for command in commands:
        ran = subprocess.run(
            ["bash", "-c", command.replace(CLOUD, cloud).replace("curl ", "curl --silent --fail ", 1)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        answers.append(json.loads(ran.stdout))
    (answer,) = answers[0]["outputs"]
    assert len(json.loads(answer["data"][0])["top"]) == 1
    assert answers[1]["ready"] is True


@pytest.mark.slow
@pytest.mark.skipif(not KSERVE, reason="KServe's client is not installed: make kserve-test does that")
def test_the_example_for_kserve_runs(cloud: str) -> None:
    (block,) = blocks("kserve")
    assert run_block(block.replace(CLOUD, cloud)).splitlines() == shown(block)


def test_the_table_has_the_endpoints_that_there_are() -> None:
    named = {
        re.sub(r"/versions.*|NAME", "", path)
        for path in re.findall(r"`(/v2[\w/]*)`", TEXT.split("## Inputs")[0])
    }
    patterns = [rule.matcher.regex for rule in make_app(Mock()).default_router.rules[0].target.rules]
    ours = [pattern for pattern in patterns if pattern.pattern.startswith("/v2")]
    assert len(ours) == 6
    paths = ["/v2", "/v2/", "/v2/health/live", "/v2/health/ready"]
    paths += [
        f"/v2/models/NAME{version}{what}"
        for version in ("", "/versions/0f")
        for what in ("", "/ready", "/infer")
    ]
    for path in paths:
        assert any(pattern.match(path) for pattern in ours), path
    assert named >= {
        "/v2",
        "/v2/",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models//infer",
        "/v2/models//ready",
    }


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!http)([^)#]+)", TEXT)
    assert targets
    assert [target for target in targets if not (PAGE.parent / target).exists()] == []
