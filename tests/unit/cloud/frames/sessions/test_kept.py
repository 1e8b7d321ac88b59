"""The last answers of a session."""

from __future__ import annotations

from cloud.frames.sessions.kept import Kept
from shared.errors import ContentError
from shared.wire.session.messages import Answered


def _answer(number: int, size: int = 10) -> Answered:
    return Answered(number, bytes(size), is_json=False)


def test_the_oldest_go_where_there_are_too_many() -> None:
    kept = Kept(3)
    for number in range(5):
        kept.put(_answer(number))
    kept.put((5, ContentError("no")))
    assert [each if isinstance(each, tuple) else each.number for each in kept.keep(range(9))][:2] == [3, 4]
    assert len(kept) == 3


def test_or_too_many_bytes() -> None:
    kept = Kept(100, 10_000)
    for number in range(5):
        kept.put(_answer(number, 4000))
    assert [each.number for each in kept.keep(range(9)) if isinstance(each, Answered)] == [3, 4]
    kept.put(_answer(7, 20_000))  # alone it is too long
    assert len(kept) == 0
    assert kept.size == 0


def test_what_the_edge_does_not_wait_for_is_dropped() -> None:
    kept = Kept(10)
    for number in range(4):
        kept.put(_answer(number))
    assert [each.number for each in kept.keep((1, 3, 8)) if isinstance(each, Answered)] == [1, 3]
    kept.drop(1)
    kept.drop(1)
    assert len(kept) == 1
    kept.put(_answer(3, 50))  # another one by this number
    assert [len(each.body) for each in kept.keep((3,)) if isinstance(each, Answered)] == [50]
    kept.keep(())
    assert kept.size == 0
