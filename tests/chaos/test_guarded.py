"""Faults over TLS, with a token that is replaced meanwhile: no frame is lost, and none is anybody else's."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from kits import chaos as chaos_kit
from kits.chaos import EDGE, check_waits, fallbacks, paced, stop, wait_for_cloud, wait_for_edge

from shared.security.rights import GROUPS
from shared.security.tokens.keyring import Grant, digest_of, new_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.harness.keys import Keys

CUTS, FPS = 3, 10
HEAD_BYTES, FRAME_BYTES = 400, 16_000
"""About how many bytes the edge sends before a frame, and the least that a frame has."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chaos_kit.Chaos]:
    with chaos_kit.running(tmp_path_factory.mktemp("guarded"), guarded=True) as found:
        yield found


def replace_token(keys: Keys, wait) -> None:
    """Another token for the edge as docs/access.md says it: both are let in until the edge shows the new one."""
    tokens, new = keys.folder / "tokens", new_token()
    before = tokens.read_text()
    line = f"{Grant(EDGE, GROUPS['edge'], None, digest_of(new))}\n"
    tokens.write_text(before + line)
    wait()
    keys.token_file(EDGE).write_text(f"{new}\n")
    wait()
    tokens.write_text(
        "".join(each for each in before.splitlines(keepends=True) if each.split()[0] != EDGE) + line
    )


def test_cuts_damage_another_token_and_another_cloud_over_tls_cost_no_frame(chaos):
    run = chaos.edge(paced(fps=FPS))
    chance = random.Random(4)
    wait_for_cloud(run)
    for _ in range(CUTS):
        chaos.link.cut(after_bytes=chance.randrange(HEAD_BYTES, FRAME_BYTES))
        wait_for_cloud(run, 5)
    for direction in ("up", "down"):  # within a record, whose seal then fits no more
        chaos.link.corrupt(1, direction=direction, skip=chance.randrange(HEAD_BYTES))
        wait_for_cloud(run, 5)
    replace_token(chaos.keys, lambda: wait_for_cloud(run, 3 * FPS))
    wait_for_cloud(run, 3 * FPS)
    chaos.cloud.kill()
    wait_for_edge(run)
    chaos.restart_cloud()
    wait_for_cloud(run)
    records = stop(run)
    lines = chaos.join(run)
    assert fallbacks(records) <= {"unreachable", "late", "circuit_open", None}
    assert {line["client"] for line in lines} == {EDGE}
    assert not [line for line in lines if line["outcome"] == "refused"], "TLS has let damage through"
    check_waits(records)
