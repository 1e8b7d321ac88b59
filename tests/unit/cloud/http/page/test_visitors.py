"""Clients by name: few, whoever comes, and nothing of what the others did is lost."""

from __future__ import annotations

from cloud.http.page.visitors import MOST, WINDOW, Visitors


def test_rates_are_those_of_full_seconds() -> None:
    gate = Visitors().of("gate")
    for second in range(100, 130):
        for _ in range(5):
            gate.ended(second, 2, 1000)
        said = gate.said(second)
        full = min(WINDOW, second - 100)
        assert (said["frames_per_s"], said["bytes_per_s"]) == (full, 500 * full), second
    assert (said["frames"], said["bytes"], said["quiet_s"]) == (300, 150_000, 0)
    later = gate.said(129 + WINDOW + 1)
    assert (later["frames_per_s"], later["bytes_per_s"], later["quiet_s"]) == (0, 0, WINDOW + 1)
    assert later["frames"] == 300


def test_refusals_are_counted_by_reason() -> None:
    visitors = Visitors()
    for reason in ("over_quota", "bad_frame", "over_quota"):
        visitors.of("yard").refused(7, reason)
    said = visitors.said(9)["known"]["yard"]
    assert (said["refused"], said["frames"], said["quiet_s"]) == ({"over_quota": 2, "bad_frame": 1}, 0, 2)


def test_the_others_are_counted_together() -> None:
    visitors = Visitors(most=3)
    for number in range(10):
        visitors.of(f"edge-{number}").ended(number, 1, 100)
        visitors.of(f"edge-{number}").refused(number, "deadline")
    said = visitors.said(10)
    assert list(said["known"]) == ["edge-7", "edge-8", "edge-9"]
    assert said["forgotten"] == 7
    others = said["others"]
    assert (others["frames"], others["bytes"], others["refused"]) == (7, 700, {"deadline": 7})
    assert others["quiet_s"] == 4


def test_strangers_who_are_refused_drive_no_edge_out() -> None:
    visitors = Visitors()
    visitors.of("gate").ended(1, 1, 100)
    for number in range(10 * MOST):
        visitors.of(f"10.0.{number // 256}.{number % 256}").refused(2, "unauthenticated")
    said = visitors.said(3)
    assert len(said["known"]) == MOST
    assert said["known"]["gate"]["frames"] == 1
    assert said["others"]["refused"] == {"unauthenticated": 9 * MOST + 1}
    assert said["forgotten"] == 9 * MOST + 1
