"""An edge whose cloud lies, in every way that was thought of: each frame is answered once, and nothing else happens."""

from __future__ import annotations

import json

import pytest
from kits.bundles import tiny
from kits.edge_main import LOG_LINE, SMALL, send_when
from kits.evil_cloud import BELIEVED, CLASS, EvilCloud

pytestmark = pytest.mark.slow  # a network is compiled, and silence is waited for


def test_a_cloud_that_lies(edge, tmp_path):
    results = tmp_path / "out.jsonl"
    with EvilCloud(tiny().model.fingerprint.hex()) as cloud:
        ended = send_when(lambda: cloud.finished)
        status, out, errors = edge(
            *SMALL, "--cloud-url", cloud.url, "--split-point", "pool", "--in-flight", 1, "--queue-size", 1, "--verify-share", 1,
            "--deadline-s", 2.0, "--source", "synthetic:fps=25,width=64,height=48", "--results", results, "--show", "frames",
        )  # fmt: skip
        ended.join(60)
    assert (status, errors) == (0, [])
    assert cloud.finished, "it came to the last way"
    assert cloud.elsewhere == [], "nobody else was asked"
    assert max(cloud.heads) < 1000, "no cookie came back"

    lines = results.read_bytes().decode().splitlines()
    records = {each["frame_id"]: each for each in map(json.loads, lines)}
    assert len(records) == len(lines), "each frame is answered once"
    for frame_id, way in cloud.asked.items():
        record = records[frame_id]
        trial = record["fallback"] == "circuit_open"
        if way == "good" or way in BELIEVED:
            assert trial or record["answered_by"] == "cloud", way
            assert trial or record["top"] == [CLASS | {"label": tiny().model.labels[1]}], way
        else:
            assert record["answered_by"] == "edge", way
            assert len(record["top"]) == len(tiny().model.labels), way
    assert sum(each["answered_by"] == "cloud" for each in records.values()) > len(cloud.asked) / 3

    told = [line for line in edge.log if "is another than this edge's to the same frame" in line]
    assert len(told) == 1, "what could be true is found to be wrong, and said once a minute"

    for text in (out, "\n".join(edge.log), "\n".join(lines)):
        assert text.replace("\n", "").isprintable()
        assert "\nframe 0 FORGED" not in text
    assert all(LOG_LINE.fullmatch(line) for line in edge.log)
    assert sum(map(len, edge.log)) < 20_000
