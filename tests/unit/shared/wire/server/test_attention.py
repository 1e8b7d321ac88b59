"""The event loop's attention: short turns, shared between owners whatever they have waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.wire.server.attention import EVENT, REQUEST, Attention

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


class Loop:
    """Turns of a loop that are taken by hand, and the attention that lives in it."""

    def __init__(self) -> None:
        self.next: list[Callable[[], object]] = []
        self.attention = Attention(self.next.append)
        self.begun: list[str] = []

    def ask(self, owner: str, cost: float = EVENT) -> bool:
        """Whether it is handled at once."""
        if self.attention.take(owner, cost):
            self.begun.append(owner)
            return True
        self.attention.wait(owner, cost, lambda: self.begun.append(owner))
        return False

    def turn(self) -> list[str]:
        """What a turn takes up of what waited."""
        self.begun.clear()
        now, self.next[:] = list(self.next), []
        for function in now:
            function()
        return list(self.begun)


def test_a_turn_handles_little_of_one_owner_and_the_rest_in_later_turns_in_order() -> None:
    loop = Loop()
    at_once = sum(loop.ask("a") for _ in range(100))
    assert 0 < at_once < 50
    assert loop.attention.waiting() == 100 - at_once
    turns = []
    while loop.attention.waiting():
        turns.append(len(loop.turn()))
    assert max(turns) * EVENT <= 10
    assert sum(turns) == 100 - at_once


def test_an_owner_with_little_is_handled_at_once_beside_one_with_much() -> None:
    loop = Loop()
    for _ in range(200):
        loop.ask("greedy", REQUEST)
    for _ in range(10):
        assert loop.ask("honest", REQUEST)
        assert "honest" not in loop.turn()


def test_many_greedy_owners_cannot_make_a_turn_long_and_one_that_waits_goes_before_them() -> None:
    loop = Loop()
    at_once = sum(loop.ask(f"greedy {number % 50}", REQUEST) for number in range(500))
    assert at_once * REQUEST <= 50
    for _ in range(20):
        assert len(loop.turn()) * REQUEST <= 10
    loop.attention.wait("honest", REQUEST, lambda: loop.begun.append("honest"))
    for number in range(50):  # whatever came before it, all of them owe more
        loop.ask(f"greedy {number}", REQUEST)
    waited = 0
    while "honest" not in loop.turn():
        waited += 1
    assert waited <= 50


def test_what_fails_holds_nothing_else_up(caplog: pytest.LogCaptureFixture) -> None:
    loop = Loop()
    while loop.ask("a"):
        pass
    loop.attention.wait("a", EVENT, lambda: 1 / 0)
    loop.ask("a")
    assert loop.turn() == ["a", "a"]
    assert "was not handled" in caplog.text


def test_nothing_is_remembered_once_nothing_waits_and_no_turn_is_asked_for() -> None:
    loop = Loop()
    for number in range(1000):
        loop.ask(str(number))
    while loop.next:
        loop.turn()
    assert loop.attention.waiting() == 0
    assert loop.next == []
    assert len(vars(loop.attention)["_used"]) == 0
