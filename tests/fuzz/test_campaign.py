"""The fuzzing itself: an input can be made again, and what is wrong is found and told."""

from __future__ import annotations

import itertools
import json
import random

import pytest
from hypothesis import strategies as st
from kits.fuzz import campaign, properties
from kits.fuzz.mutations import as_json, bent, damaged
from kits.fuzz.properties import fuzzed

SEED = {"a": [1, 2, {"b": "text"}], "c": 0.5, "d": True}


def test_the_same_seed_makes_the_same_inputs_and_others_make_others():
    def inputs(seed):
        chance = random.Random(seed)
        return [damaged(chance, b"0123456789" * 10) + as_json(chance, SEED) for _ in range(50)]

    assert inputs(1) == inputs(1)
    assert len({*inputs(1), *inputs(2)}) > 90


def test_a_seed_is_left_as_it_was_and_what_is_bent_differs():
    chance, before = random.Random(3), json.dumps(SEED)
    found = {json.dumps(bent(chance, SEED)) for _ in range(300)}
    assert json.dumps(SEED) == before
    assert len(found) > 150


def test_a_fault_is_told_with_what_makes_it_again(monkeypatch):
    monkeypatch.setattr(campaign, "SEED", "77")
    monkeypatch.setattr(campaign, "ROUNDS", 1.0)

    def check(data):
        assert data[0] != 3, "a three"

    with pytest.raises(AssertionError, match="a three") as caught:
        campaign.try_out("bytes", 5000, lambda chance: bytes([chance.randrange(10)]), check, seconds=1)
    (note,) = caught.value.__notes__
    assert "make fuzz SEED=77" in note
    assert repr(b"\3") in note


def test_an_input_that_takes_too_long_is_a_fault(monkeypatch):
    monkeypatch.setattr(campaign, "ROUNDS", 1.0)
    monkeypatch.setattr(campaign, "_MAX_CPU_S", -1.0)
    with pytest.raises(AssertionError, match="of computing for one input"):
        campaign.try_out("bytes", 1, lambda _: b"", lambda _: None, seconds=1)


def test_the_share_that_was_taken_is_told(monkeypatch):
    monkeypatch.setattr(campaign, "ROUNDS", 1.0)
    assert campaign.try_out("a", 100, lambda _: b"", lambda _: None, seconds=1) == 0.0
    assert campaign.try_out("a", 100, lambda _: b"", lambda data: data, seconds=1) == 1.0


def test_a_campaign_ends_by_its_count_or_its_time_and_tells_what_it_left_out(monkeypatch):
    monkeypatch.setattr(campaign, "ROUNDS", 1.0)
    monkeypatch.setattr(campaign, "REPEATED", False)
    monkeypatch.setattr(campaign, "NOTES", notes := [])
    limit_s = 3 * campaign._PROCESSES * campaign._MOST_S / campaign._QUIET_S
    for step_s, expected in ((0.0, 40), (limit_s / 10, 10), (9 * limit_s, 1)):
        ticks = itertools.count()
        allowance = campaign.Allowance("headers", 40, 3, lambda: next(ticks) * step_s)  # noqa: B023 - called within the round
        while allowance.next():
            pass
        allowance.end()
        assert allowance.tried == expected, step_s
    assert [note.partition(" in the ")[0] for note in notes] == [
        "headers: 10 of 40 inputs",
        "headers: 1 of 40 inputs",
    ]


def test_a_seed_that_was_asked_for_is_never_cut_short(monkeypatch):
    monkeypatch.setattr(campaign, "ROUNDS", 1.0)
    monkeypatch.setattr(campaign, "REPEATED", True)
    ticks = itertools.count()
    allowance = campaign.Allowance("headers", 40, 3, lambda: 1e9 * next(ticks))
    assert sum(1 for _ in iter(allowance.next, False)) == 40


def test_a_property_is_tried_with_the_same_examples_for_the_same_seed(monkeypatch):
    monkeypatch.setattr(campaign, "ROUNDS", 1.0)

    def seen():
        found = []

        @fuzzed(30, 1e6, number=st.integers())
        def keep(number):
            found.append(number)

        keep()
        return found

    assert len(first := seen()) == 30
    assert seen() == first
    monkeypatch.setattr(properties, "SEED", f"{campaign.SEED}0")
    assert seen() != first


def test_a_fault_of_a_property_is_told_with_its_smallest_example_and_the_seed():
    @fuzzed(500, 1e6, number=st.integers(0, 10**6))
    def small(number):
        assert number < 1000, "large"

    with pytest.raises(AssertionError, match="large") as caught:
        small()
    notes = "\n".join(caught.value.__notes__)
    assert "number=1000" in notes
    assert f"make fuzz SEED={campaign.SEED}" in notes


def test_a_property_without_time_left_is_no_fault(monkeypatch):
    monkeypatch.setattr(campaign, "NOTES", notes := [])
    monkeypatch.setattr(campaign, "REPEATED", False)
    fuzzed(500, 0, number=st.integers())(lambda number: None)()
    assert "1 of" in notes[0]
