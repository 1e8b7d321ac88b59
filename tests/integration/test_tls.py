"""Cloud and edge with certificates of one's own: as processes, renewed while frames flow, and as compose.tls.yaml starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from kits import deployments
from kits.cloud_process import Process, small
from kits.common import wait_for
from kits.edge_run import EdgeRun

from shared.security.tls.authority_command import main as authority
from shared.security.tls.context import TLSFiles, client_context

FRAMES = 120


def test_frames_flow_while_every_certificate_is_renewed(tmp_path):
    machines = [str(tmp_path), "cloud,127.0.0.1", "edge"]
    assert authority(machines) == 0

    def files(name, *flags):
        paths = (f"{tmp_path}/{name}/{file}" for file in ("tls.crt", "tls.key", "ca.crt"))
        return [word for pair in zip(flags, paths, strict=True) for word in pair]

    with Process(*small(), *files("cloud", "--certificate", "--key", "--client-ca")) as cloud:
        port = cloud.logged(r"listening on https://127.0.0.1:(\d+)")[1]
        cloud.logged(r"\bready$")
        flags = [word for word in small() if word not in ("--port", "0")]
        command = [
            sys.executable, "-m", "edge", *flags, "--cloud-url", f"https://127.0.0.1:{port}", "--results", "-", "--show", "quiet",
            "--status-port", "0", "--source", f"synthetic:fps=5,frames={FRAMES}", "--cache-dir", "",
            *files("edge", "--client-certificate", "--client-key", "--ca"),
        ]  # fmt: skip
        edge = EdgeRun(
            command, {name: text for name, text in os.environ.items() if not name.startswith("SPLITDNN_")}
        )
        try:
            edge.wait_for_records(5)
            for name in ("cloud", "edge"):
                (tmp_path / name / "tls.crt").unlink()
            assert authority(machines) == 0
            cloud.logged("tls.crt.*: taken, for every connection from now on")
            wait_for(
                lambda: any("taken, for every connection" in line for line in edge.errors),
                "the edge's own renewal",
            )
            records = edge.finish()
        finally:
            edge.end()
    assert len(records) == FRAMES
    assert {record["answered_by"] for record in records} == {"cloud"}, edge.said()


@pytest.fixture
def encrypted(monkeypatch, weights):
    if not deployments.docker_answers():
        pytest.skip("no Docker engine answers")
    monkeypatch.setenv("COMPOSE_FILE", "compose.yaml:compose.tls.yaml")
    deployment = deployments.ComposeDeployment(model="resnet50", weights=weights, precision="float32")
    try:
        yield deployment
    finally:
        deployment.close()


def test_compose_with_its_own_ca(encrypted, tmp_path):
    records = encrypted.edge(source="synthetic:fps=5,frames=10").finish()
    assert {record["answered_by"] for record in records} == {"cloud"}
    wait_for(lambda: encrypted.query('up{job="cloud"} == 1'), "a cloud that Prometheus reads")
    run = ("run", "--rm", "--no-TTY", "authority")
    said = encrypted._compose(*run)
    assert said.count("holds until") == 3, "what is there is left alone"
    encrypted._compose(*run, "python", "-m", "splitdnn", "authority", "/tls", "me")
    packed = subprocess.run(
        ["docker", "compose", *run, "tar", "-C", "/tls/me", "-c", "."],
        env=encrypted._environment, cwd=deployments.ROOT, capture_output=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    subprocess.run(["tar", "-x", "-C", tmp_path], input=packed, check=True, timeout=30)
    url = encrypted.cloud_url.replace("http:", "https:")
    files = TLSFiles(*(f"{tmp_path}/{name}" for name in ("tls.crt", "tls.key", "ca.crt")))
    with urllib.request.urlopen(f"{url}/model", timeout=30, context=client_context(files)) as answer:
        assert json.load(answer)["model"] == "resnet50"
    stranger = client_context(TLSFiles(authority=f"{tmp_path}/ca.crt"))
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}/model", timeout=30, context=stranger)
    with refused.value as error:
        assert error.code == 401
