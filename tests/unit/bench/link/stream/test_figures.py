"""The arithmetic of a cell: from records and counts to figures."""

from types import SimpleNamespace

import pytest

from bench.emulator.counts import Counts
from bench.link.stream.figures import Figures, figures, sent_of
from bench.link.stream.judge import Judged, Sent
from bench.link.stream.run import Stretch, answered_s


def record(frame, *, at_s, age_ms=100.0, by="cloud", payload=1000, top=(7, 0.5)):
    """`at_s`: when it was captured, in seconds after noon."""
    return {
        "frame": frame,
        "time": f"2026-11-29T12:00:{at_s:06.3f}+00:00",
        "latency_ms": age_ms,
        "answered_by": by,
        "payload_bytes": payload,
        "media_time_s": frame / 10,
        "top": [{"class_id": top[0], "probability": top[1]}] if top else [],
    }


def stretch(records, **changes):
    begin = answered_s(record(0, at_s=0.0, age_ms=0))
    given = {
        "records": records, "begin_s": begin + 1, "end_s": begin + 3, "counts": Counts(2500, 300, 4, 3),
        "before": Counts(100, 50, 1, 1, 1), "cpu_s": {"edge": 0.05, "cloud": 0.03}, "read": 6, "dropped": 1,
    }  # fmt: skip
    return Stretch(**given | changes)


RECORDS = [
    record(0, at_s=0.5),
    record(1, at_s=1.0, age_ms=200),
    record(3, at_s=1.5, age_ms=300),
    record(4, at_s=2.0, age_ms=600, by="edge", payload=900),
    record(5, at_s=2.95),
]
"""Answered 0.6, 1.2, 1.8, 2.6 and 3.05 s after noon; frame 2 was dropped."""


def judged(*found):
    return list(zip(RECORDS, found, strict=True))


ALL = judged(
    Judged(True, 0.9, False),
    Judged(True, 0.02, True),
    Judged(True, 0.04, False, wrong=True),
    Judged(True, 0.5, False),
    Judged(False),
)


def test_a_cell_as_figures():
    found = figures(stretch(RECORDS), ALL, macs=0.25)
    assert (found.answers, found.by_cloud, found.answers_per_s, found.cloud_per_s) == (3, 2, 1.5, 1.0)
    assert found.cloud_share == pytest.approx(2 / 3)
    assert found.macs_share == pytest.approx(0.25 * 2 / 3)
    assert (found.age_p50_ms, found.age_p95_ms) == (300, pytest.approx(570))
    assert (found.cloud_age_p50_ms, found.cloud_age_p95_ms) == (250, pytest.approx(295))
    assert found.divergence == pytest.approx(0.03), "of the cloud's answers in the stretch"
    assert found.agreement == 0.5
    assert found.payload_bytes == 2000, "what was sent in vain is overhead"
    assert found.over_payload == pytest.approx(2800 / 2000)
    assert found.overhead_bytes == pytest.approx((2800 - 2000) / 2)
    assert found.header_bytes == 7 * 52
    assert found.all_over_payload == pytest.approx((2800 + 7 * 52) / 2000)
    assert found.cpu_ms == pytest.approx(80 / 3)
    assert (found.lost, found.wrong, found.not_judged, found.before_bytes) == (0, 1, 1, 150)


def test_what_there_is_nothing_of_has_no_figure():
    found = figures(stretch([], read=0, dropped=0), [], macs=0.25)
    assert (found.answers, found.answers_per_s, found.macs_share) == (0, 0, 0)
    for name in ("cloud_share", "age_p95_ms", "divergence", "over_payload", "overhead_bytes", "frame_bytes"):
        assert getattr(found, name) is None, name


def test_a_frame_is_lost_if_it_has_no_record_or_two_or_one_by_nobody():
    for lost, changes in {
        0: {},
        2: {"read": 8},
        1: {"records": [*RECORDS, RECORDS[-1]], "read": 7},
        3: {"records": [*RECORDS[:-1], record(5, at_s=2, by="nobody")], "read": 8},
    }.items():
        assert stretch(**{"records": RECORDS} | changes).lost == lost, changes


def test_figures_are_kept_as_json_and_read_again():
    found = figures(stretch(RECORDS), ALL, macs=0.25)
    assert Figures(**found.kept()) == found


def test_only_what_was_encoded_is_judged_and_only_the_clouds_answers_are_compared():
    clip = SimpleNamespace(picture_at=lambda time_s, fps: round(time_s * fps))
    given = [
        record(0, at_s=0),
        record(1, at_s=0, by="edge"),
        record(2, at_s=0, by="edge", payload=0),
        record(3, at_s=0, top=None),
    ]
    assert [each for _, each in sent_of(given, clip, 10.0)] == [
        Sent(0, 1000, (7, 0.5)),
        Sent(1, 1000),
        Sent(3, 1000),
    ]
