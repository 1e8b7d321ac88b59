"""A change is taken at the second look that finds it, and once."""

from shared.process.settled import Settled


def test_a_change_is_taken_once_it_has_stayed():
    settled = Settled("old")
    looks = ["old", "half", "whole", "whole", "whole", "old", "whole", "old", "old"]
    taken = [settled.has_changed(state) for state in looks]
    assert taken == [False, False, False, True, False, False, False, False, True]
