"""Cloud and edge with certificates of one's own and a token, as processes: every key is renewed while frames flow, and none is lost."""

from __future__ import annotations

import json
import os
import re
import sys

from kits.cloud_process import Process, small
from kits.common import wait_for
from kits.edge_run import EdgeRun

from shared.security.tls.authority_command import main as authority
from shared.security.tokens.command import main as token

FRAMES = 150


def test_frames_flow_while_every_certificate_and_the_token_are_renewed(tmp_path, capsys):
    machines = [str(tmp_path), "cloud,127.0.0.1", "edge"]
    assert authority(machines) == 0
    tokens, shown, ledger = (tmp_path / name for name in ("cloud.tokens", "edge.token", "ledger.jsonl"))

    def new_token() -> tuple[str, str]:
        """Its line, and itself."""
        capsys.readouterr()
        assert token(["new", "gate", "--rights", "edge"]) == 0
        said = capsys.readouterr()
        return said.out, said.err

    def files(name, *flags):
        paths = (f"{tmp_path}/{name}/{file}" for file in ("tls.crt", "tls.key", "ca.crt"))
        return [word for pair in zip(flags, paths, strict=True) for word in pair]

    (line, key), (next_line, next_key) = new_token(), new_token()
    tokens.write_text(line)
    shown.write_text(key)
    with Process(
        *small(), *files("cloud", "--certificate", "--key", "--client-ca"), "--token-file", str(tokens), "--ledger", str(ledger)
    ) as cloud:  # fmt: skip
        port = cloud.logged(r"listening on https://127.0.0.1:(\d+)")[1]
        cloud.logged(r"\bready$")
        flags = [word for word in small() if word not in ("--port", "0")]
        command = [
            sys.executable, "-m", "edge", *flags, "--cloud-url", f"https://127.0.0.1:{port}", "--results", "-", "--show", "quiet",
            "--deadline-s", "30", "--status-port", "0", "--source", f"synthetic:fps=5,frames={FRAMES}", "--queue-size", "64", "--cache-dir", "",
            "--cloud-token-file", str(shown), *files("edge", "--client-certificate", "--client-key", "--ca"),
        ]  # fmt: skip
        edge = EdgeRun(
            command, {name: text for name, text in os.environ.items() if not name.startswith("SPLITDNN_")}
        )
        try:
            edge.wait_for_records(5)
            for name in ("cloud", "edge"):
                (tmp_path / name / "tls.crt").unlink()
            assert authority(machines) == 0
            # As docs/access.md has it: both are let in, the edge changes over, the old one goes.
            tokens.write_text(line + next_line)
            cloud.logged(r"cloud\.tokens: 2 tokens")
            shown.write_text(next_key)
            edge.wait_for_records(len(edge.records) + 15)
            tokens.write_text(next_line)
            cloud.logged(r"cloud\.tokens: 1 tokens")
            wait_for(
                lambda: any("taken, for every connection" in line for line in edge.errors),
                "the edge's own renewal",
            )
            wait_for(
                lambda: any(re.search("tls.crt.*: taken, for every connection", line) for line in cloud.log),
                "the cloud's renewal",
            )
            records = edge.finish()
        finally:
            edge.end()
    assert [record["frame"] for record in records] == list(range(FRAMES))
    assert {record["answered_by"] for record in records} == {"cloud"}, edge.said()
    lines = [json.loads(text) for text in ledger.read_text(encoding="utf-8").splitlines()]
    assert {(each["outcome"], each["client"]) for each in lines} == {("answered", "gate")}
    assert {each["frame_id"] for each in lines} == {record["frame_id"] for record in records}
