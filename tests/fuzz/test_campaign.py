"""The fuzzing itself: an input can be made again, and what is wrong is found and told."""

from __future__ import annotations

import json
import random

import pytest
from kits.fuzz import campaign
from kits.fuzz.mutations import as_json, bent, damaged

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
        campaign.try_out("bytes", 5000, lambda chance: bytes([chance.randrange(10)]), check)
    (note,) = caught.value.__notes__
    assert "make fuzz SEED=77" in note
    assert repr(b"\3") in note


def test_an_input_that_takes_too_long_is_a_fault(monkeypatch):
    monkeypatch.setattr(campaign, "ROUNDS", 1.0)
    monkeypatch.setattr(campaign, "_MAX_CPU_S", -1.0)
    with pytest.raises(AssertionError, match="of computing for one input"):
        campaign.try_out("bytes", 1, lambda _: b"", lambda _: None)


def test_the_share_that_was_taken_is_told(monkeypatch):
    monkeypatch.setattr(campaign, "ROUNDS", 1.0)
    assert campaign.try_out("a", 100, lambda _: b"", lambda _: None) == 0.0
    assert campaign.try_out("a", 100, lambda _: b"", lambda data: data) == 1.0
