"""When an attack counts as withstood, and what the table says of it."""

from __future__ import annotations

import math

import pytest

from bench.attack.verdict import Outcome, Spell, told


def spell(
    latencies_ms: list[float],
    *,
    refused: int = 0,
    seconds: float = 6.0,
    megabytes: int = 100,
    logged: int = 0,
) -> Spell:
    answered = [(each / 1e3, True) for each in latencies_ms]
    return Spell(seconds, answered + [(9.0, False)] * refused, megabytes * 10**6, logged)


def outcome(*, turn_s: float = 0.02, quiet_megabytes: int = 100, **attacked: object) -> Outcome:
    latencies = attacked.pop("latencies_ms", [20.0] * 50)
    assert isinstance(latencies, list)
    return Outcome(
        "flood",
        [spell([10.0] * 50, megabytes=quiet_megabytes)],
        [spell(latencies, **attacked)],  # type: ignore[arg-type]
        turn_s=turn_s,
        sent={"503": 7, "200": 3},
    )


def test_what_is_just_within_the_targets_is_withstood() -> None:
    held = outcome(megabytes=130, logged=2000)  # 20 kB a minute
    assert held.missed() == []
    assert held.row()["missed"] == "-"
    assert told([held]) == "1 of 1 attacks withstood"


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("p99", {"latencies_ms": [20.1] * 50}),
        ("refused", {"refused": 1}),
        ("memory", {"megabytes": 131}),
        ("turn", {"turn_s": 0.0201}),
        ("log", {"logged": 2001}),
    ],
)
def test_each_target_is_missed_alone(what: str, changes: dict[str, object]) -> None:
    missed = outcome(**changes)  # type: ignore[arg-type]
    assert missed.missed() == [what]
    assert missed.row()["missed"] == what
    assert told([outcome(), missed]) == f"1 of 2 attacks withstood; missed by flood ({what})"


def test_a_client_that_has_no_answer_at_all_is_no_success() -> None:
    nothing = outcome(latencies_ms=[], refused=50)
    assert math.isnan(nothing.p99_ratio)
    assert nothing.missed() == ["p99", "refused"]


def test_spells_count_together_and_memory_from_before_the_first_attack() -> None:
    both = Outcome(
        "flood",
        [spell([10.0] * 99, megabytes=100), spell([10.0], megabytes=300)],
        [spell([10.0] * 99, megabytes=110, logged=600), spell([50.0], megabytes=120, seconds=30.0)],
    )
    assert both.memory_ratio == 1.2
    assert both.p99_ratio == pytest.approx(1.04)  # between the slowest and the next one
    assert both.logged_a_minute == 1000
    assert both.refused == 0


def test_the_table_names_units_and_what_the_attacker_was_answered() -> None:
    row = outcome(refused=2).row()
    assert row["attack"] == "flood"
    assert row["p50 attacked, ms"] == pytest.approx(20.0)
    assert row["p99 quiet, ms"] == pytest.approx(10.0)
    assert (row["frames"], row["refused"]) == (52, 2)
    assert row["turn, ms"] == pytest.approx(20.0)
    assert row["attacker's answers"] == "3 x 200, 7 x 503"
    assert "p99 ratio: 2.00; frames: 52" in outcome(refused=2).line()
