"""schemathesis asks a cloud on the loopback network all that its OpenAPI document says, and much that it forbids."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kits.common import ROOT
from kits.followed import Followed, followed
from kits.openapi_hooks import FINGERPRINT
from kits.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PROGRAM = Path(sys.executable).with_name("schemathesis")
CONFIG = ROOT / "tests/kits/schemathesis.toml"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    with followed(tmp_path_factory.mktemp("cloud") / "bundle", FINGERPRINT, serve_bundle=True) as running:
        yield running


def run(cloud: Followed, folder: Path, *options: str) -> str:
    """What schemathesis says; fails if it found something. One seed: the same requests every time."""
    url = f"http://127.0.0.1:{cloud.port}"
    command = [str(PROGRAM), "--config-file", str(CONFIG), "run", f"{url}/openapi.yaml", "--seed", "17"]
    command += ["--continue-on-failure", "--no-color", "--request-timeout", "120", *options]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "kits.openapi_hooks", "PYTHONPATH": f"{ROOT}/tests:{ROOT}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return done.stdout


def test_nothing_that_is_asked_is_answered_otherwise_than_described(cloud: Followed, tmp_path: Path) -> None:
    internal = cloud.metric("rejected_total", reason="internal")
    said = run(cloud, tmp_path, "--phases", "examples,coverage,fuzzing", "--max-examples", "8")
    assert "Tested: " in said
    assert cloud.metric("rejected_total", reason="internal") == internal == 0
    assert cloud.metric("requests_total", endpoint="/model", code="200") > 10


def test_nor_where_tokens_are_asked_for(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "tokens")
    with followed(tmp_path / "bundle", FINGERPRINT, token_file=str(tokens.path)) as guarded:
        run(guarded, tmp_path, "--phases", "fuzzing", "--max-examples", "3")
        assert guarded.metric("rejected_total", reason="unauthenticated") > 20
