"""The doctor beside real clouds."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from kits import bundles
from kits.certificates import Certificates
from kits.cloud_process import ROOT, Process, small

pytestmark = pytest.mark.slow


def examined(*flags: str) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit status, and the findings by what they are about."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPLITDNN_")}
    done = subprocess.run(
        [
            sys.executable, "-m", "splitdnn", "doctor", "--json", "--seconds", "0.2", "--engine", "openvino", "--precision", "float32",
            "--cache-dir", "", "--source", "synthetic", "--model", str(bundles.tiny().folder), *flags,
        ],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, {each["about"]: each for each in json.loads(done.stdout)}


def test_all_is_well_and_then_one_thing_after_another_is_not(tmp_path):
    with Process(*small()) as cloud:
        cloud.ready()
        url = f"http://127.0.0.1:{cloud.port}"
        status, found = examined("--cloud-url", url)
        assert status == 0, found
        assert (found["network"]["state"], "random" in found["network"]["todo"]) == ("doubtful", True)
        for about in ("engine", "camera", "cloud", "round trip", "clock", "link", "answers"):
            assert found[about]["state"] == "good", found[about]
        assert "12 frames of" in found["link"]["found"]
        assert "100% of the same answer" in found["answers"]["found"]

        status, found = examined("--cloud-url", url, "--model", str(bundles.tiny(seed=6).folder))
        assert (status, found["cloud"]["state"], found["link"]["state"]) == (1, "wrong", "unknown")
        assert "give both the same --model" in found["cloud"]["found"]

        (tmp_path / "no.token").write_text("nonsense\n")
        status, found = examined("--cloud-url", url, "--cloud-token-file", str(tmp_path / "no.token"))
        assert (status, found["cloud"]["state"]) == (1, "wrong")
        assert found["camera"]["state"] == "good"


def test_a_cloud_that_is_away_and_a_network_that_is_its_own():
    status, found = examined("--cloud-url", "http://127.0.0.1:1", "--model", "cloud", "--deadline-s", "1")
    assert status == 1
    assert (found["network"]["state"], found["cloud"]["state"], found["link"]["state"]) == (
        "unknown",
        "wrong",
        "unknown",
    )
    assert "check the address" in found["cloud"]["todo"]


def test_certificates_that_end_soon_or_are_not_believed(tmp_path):
    made = Certificates.at(tmp_path)
    made.issue("cloud", days=3)
    certificate, key, authority = (
        str(tmp_path / "cloud" / name) for name in ("tls.crt", "tls.key", "ca.crt")
    )
    with Process(*small(), "--certificate", certificate, "--key", key) as cloud:
        cloud.port = int(cloud.logged(r"listening on https://127\.0\.0\.1:(\d+)")[1])
        cloud.logged("ready$")
        url = f"https://127.0.0.1:{cloud.port}"
        status, found = examined("--cloud-url", url, "--ca", authority)
        assert status == 0, found
        assert found["certificate"]["state"] == "doubtful"
        assert "renew it" in found["certificate"]["todo"]
        status, found = examined("--cloud-url", url)
        assert (status, found["cloud"]["state"]) == (1, "wrong")
        assert "--ca" in found["cloud"]["todo"]
