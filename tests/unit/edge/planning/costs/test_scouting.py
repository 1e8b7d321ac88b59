"""Which frame measures the link, on a thin one above all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kits.planner import AVGPOOL, MBIT, OUTPUT, PNG, RESNET50, conditions

from edge.planning.costs.scouting import pause_s, scout
from edge.planning.planner import Objective
from edge.uplink.link import LinkState

THIN = LinkState(0.05 * MBIT, 0.2, first_bytes=0)
SLOW = replace(OUTPUT, head_s=1.0)
SMALL = replace(AVGPOOL, frame_bytes=400.0, head_s=0.99)
VIDEO = replace(PNG, codec="h264:quality=33", frame_bytes=150.0, keyframe_bytes=3000.0, interval=50)
EXACT = Objective(min_agreement=0.95)


def found(options, in_force, link=THIN, *, lost_in_noise=0):
    telling_bytes = 2.5 * lost_in_noise if not link.first_bytes else 11_584
    return scout(options, replace(conditions(), link=link), EXACT, in_force, telling_bytes=telling_bytes)


def test_over_a_session_any_larger_frame_tells():
    options = [SMALL, replace(AVGPOOL, codec="float16+zstd", frame_bytes=1600.0), PNG, SLOW]
    assert found(options, SMALL).frame_bytes == 1600, (
        "2.5 times as large, and not 12 kB, which would take the link for two seconds"
    )
    assert found(options, SLOW).frame_bytes == 1600
    assert found(options, SLOW, lost_in_noise=1600) is PNG, "what came too soon to tell asks for more"
    by_http = LinkState(0.05 * MBIT, 0.2)
    assert found(options, SMALL, by_http) is PNG


def test_the_first_frame_of_a_stream_is_a_keyframe():
    assert found([SMALL, VIDEO, SLOW], SMALL) is VIDEO
    assert found([SMALL, VIDEO, PNG, SLOW], SMALL) is PNG, (
        "no decoder is begun for one frame if another tells as well"
    )
    now = replace(conditions(), link=THIN, frame_overhead_bytes=125.0)
    assert pause_s(VIDEO, now) == pytest.approx(3125 / (0.05 * MBIT) / 0.25)


def test_where_the_link_changes_nothing_none_is_sent():
    assert found([OUTPUT, AVGPOOL], OUTPUT) is None


def test_the_data_budget_is_spared():
    now = replace(conditions(100), bytes_per_s=1000.0)
    assert pause_s(PNG, now) == pytest.approx(33_700 / 1000 / 0.05)
    assert found(RESNET50, OUTPUT, conditions(100).link) is not None
