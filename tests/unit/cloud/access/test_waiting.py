"""Each client waits with a few, and nobody is remembered who does not wait."""

from __future__ import annotations

import contextlib

import pytest

from cloud.access.refusals import OverQuotaError
from cloud.access.waiting import Waiting


def test_a_client_has_its_places_and_others_theirs() -> None:
    waiting = Waiting(2, "profiles that wait")
    with contextlib.ExitStack() as stack:
        for client in ("a", "a", "b"):
            stack.enter_context(waiting.place(client))
        with pytest.raises(OverQuotaError, match="2 profiles that wait") as refused, waiting.place("a"):
            pass
        assert (refused.value.status, refused.value.retryable) == (429, True)
        with waiting.place("b"):
            assert len(waiting) == 2
    assert len(waiting) == 0


def test_a_place_is_given_back_whatever_happens() -> None:
    waiting = Waiting(1, "of these")
    for _ in range(3):
        with pytest.raises(KeyError), waiting.place("a"):
            raise KeyError
    assert len(waiting) == 0
