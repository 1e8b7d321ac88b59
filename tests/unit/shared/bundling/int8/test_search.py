"""The search for what of a network has to stay in float."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.bundling.int8.search import Setting, Trial, search

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST, LAST = ("stem",), ("fc",)
STRETCHES = [(f"{letter}1", f"{letter}2") for letter in "abcdefgh"]


class Network:
    """Loses for each layer that is not left in float, what `hurts` says of it."""

    def __init__(self, hurts: Mapping[str, float]) -> None:
        self._hurts = hurts
        self.tried: list[Setting] = []

    def __call__(self, setting: Setting) -> Trial:
        self.tried.append(setting)
        lost = sum(loss for name, loss in self._hurts.items() if name not in setting.in_float)
        return Trial(setting, max(0.0, 1 - lost), lost)


def test_a_network_that_is_good_at_once_takes_one_trial() -> None:
    network = Network({"stem": 0.2, "a1": 0.01})
    best, trials = search(FIRST, LAST, STRETCHES, network, 0.98)
    assert best.setting.in_float == FIRST
    assert trials == [best]


def test_the_layers_that_give_the_outputs_are_the_next_to_be_left() -> None:
    network = Network({"fc": 0.1, "a1": 0.01})
    best, trials = search(FIRST, LAST, STRETCHES, network, 0.98)
    assert best.setting.in_float == (*FIRST, *LAST)
    assert len(trials) == 2


def test_where_they_help_they_stay_in_float_beside_the_stretches() -> None:
    network = Network({"fc": 0.05, "d2": 0.1})
    best, trials = search(FIRST, LAST, STRETCHES, network, 0.99)
    assert best.setting.in_float == (*FIRST, *LAST, "d1", "d2")
    assert best.setting.what == "the first and the last layers and stretch 4 of 8"
    assert len(trials) == 2 + 4


def test_one_bad_stretch_is_found_and_no_other_is_left_in_float() -> None:
    network = Network({"d2": 0.1, "a1": 0.005})
    best, trials = search(FIRST, LAST, STRETCHES, network, 0.99)
    assert best.setting.in_float == (*FIRST, "d1", "d2")
    assert [trial.setting for trial in trials] == network.tried
    assert len(trials) == 2 + 4


def test_the_worst_stretches_go_together_and_no_more_than_are_needed() -> None:
    network = Network({"b1": 0.05, "g2": 0.04, "e1": 0.01, "h1": 0.005})
    best, trials = search(FIRST, LAST, STRETCHES, network, 0.98)
    assert best.setting.in_float == (*FIRST, "b1", "b2", "g1", "g2")
    assert best.agreement >= 0.98
    assert len(trials) == 2 + 8 + 1


def test_the_search_ends_where_half_of_the_network_is_in_float() -> None:
    network = Network({name: 0.05 for stretch in STRETCHES for name in stretch})
    best, trials = search(FIRST, LAST, STRETCHES, network, 0.9)
    assert len(trials) == len(network.tried) == 2 + 8 + 3
    assert best.agreement == max(trial.agreement for trial in trials) < 0.9
    assert len(best.setting.in_float) == 1 + 4 * 2


def test_of_equal_agreements_the_one_that_is_nearer_is_taken() -> None:
    trials = iter([(0.5, 3.0), (0.6, 2.0), (0.6, 1.0), (0.6, 1.5)])

    def network(setting: Setting) -> Trial:
        return Trial(setting, *next(trials, (0.6, 9.0)))

    best, found = search(FIRST, LAST, STRETCHES[:3], network, 0.9)
    assert best is found[2]


def test_a_network_without_stretches_is_tried_once() -> None:
    best, trials = search((), (), [], Network({"a": 0.5}), 0.9)
    assert trials == [best]
