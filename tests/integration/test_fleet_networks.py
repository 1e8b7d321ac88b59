"""A cloud of several processes that lacks a network, and a sibling that serves it: both as users start them."""

from __future__ import annotations

import json
import re
import time
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits import bundles
from kits.cloud_process import WAIT_S, Process, get
from kits.codecs import frame_of

from shared.codecs import NAMES
from shared.wire import frame as wire
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OURS, THEIRS = 5, 6
"""Seeds of two networks of one shape."""
WORKERS = 2


def started(seed: int, *flags: str) -> Process:
    return Process(
        *("--model", str(bundles.tiny(seed).folder), "--port", "0", "--engine", "openvino", "--precision", "float32"),
        *("--log-level", "info", *flags),
    )  # fmt: skip


def asking_for(giver: Process, cache: Path) -> tuple[str, ...]:
    return (
        *("--workers", str(WORKERS), "--threads", str(WORKERS), "--cache-dir", str(cache)),
        *("--siblings", f"http://127.0.0.1:{giver.port}", "--sibling-bundles"),
    )


def asked(process: Process, number: int) -> tuple[int, dict[str, object]]:
    """The answer to a frame of the other network, over a connection of its own, which any worker may take."""
    array = np.random.default_rng(number).random((6, 4, 4), np.float32)
    fingerprint = bytes.fromhex(bundles.fingerprint(THEIRS))
    frame = frame_of(NAMES["float32"], array, split_point="pool", fingerprint=fingerprint, deadline_ms=0)
    with closing(process.connect()) as connection:
        connection.request("POST", "/model?top=3", wire.pack(frame), {"Content-Type": CONTENT_TYPE})
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def brought(process: Process) -> dict[str, float]:
    lines = re.findall(
        rb'^splitdnn_cloud_networks_brought_total\{result="(\w+)"\} (.+)$',
        get(process, "/metrics")[1],
        re.MULTILINE,
    )
    return {name.decode(): float(value) for name, value in lines}


def all_answered(process: Process) -> bool:
    return all(asked(process, number)[0] == 200 for number in range(8 * WORKERS))


def until_all_answered(process: Process) -> set[str]:
    """Until every worker answers; the reasons of the refusals on the way."""
    reasons: set[str] = set()
    until = time.monotonic() + WAIT_S
    row = 0
    while row < 8 * WORKERS:
        assert time.monotonic() < until, process.log
        status, said = asked(process, row)
        row = row + 1 if status == 200 else 0
        if status != 200:
            reasons.add(f"{status} {said['reason']}")
    return reasons


def test_its_workers_bring_it_once_answer_as_the_sibling_does_and_keep_it_when_that_is_gone(tmp_path):
    cache = tmp_path / "cache"
    with started(THEIRS, "--serve-bundle") as giver:
        giver.ready()
        flags = asking_for(giver, cache)
        right = [asked(giver, number)[1]["top"] for number in range(4)]
        with started(OURS, *flags) as asking:
            asking.ready()
            assert until_all_answered(asking) <= {"503 unavailable"}, (
                "a balancer asks another cloud meanwhile"
            )
            found = [asked(asking, number)[1]["top"] for number in range(4)]
            assert found == right
            assert brought(asking)["taken"] == WORKERS
            assert brought(asking)["failed"] == brought(asking)["missing"] == 0
            giver.signal()
            giver.ended_well()
            assert all_answered(asking)
            asking.signal()
            asking.ended_well()
    kept = list(cache.rglob("bundle.json"))
    assert len(kept) == 1, "fetched once for all workers"
    with started(OURS, *flags) as again:
        again.ready()
        until_all_answered(again)
        assert [asked(again, number)[1]["top"] for number in range(4)] == right
