"""What was said last in a session."""

from __future__ import annotations

from cloud.frames.sessions.kept import _OVERHEAD_BYTES, Kept


def test_the_oldest_go_where_there_are_too_many() -> None:
    kept = Kept(3)
    for number in range(5):
        kept.put(number, bytes(10))
    assert list(kept.keep(range(9))) == [2, 3, 4]
    assert len(kept) == 3


def test_or_too_many_bytes() -> None:
    kept = Kept(100, 10_000)
    for number in range(5):
        kept.put(number, bytes(4000))
    assert list(kept.keep(range(9))) == [3, 4]
    assert kept.size == 2 * (_OVERHEAD_BYTES + 4000)
    kept.put(7, bytes(20_000))  # alone it is too long
    assert len(kept) == 0
    assert kept.size == 0


def test_what_the_edge_does_not_wait_for_is_dropped() -> None:
    kept = Kept(10)
    for number in range(4):
        kept.put(number, bytes(10))
    assert list(kept.keep((1, 3, 8))) == [1, 3]
    kept.drop(1)
    kept.drop(1)
    assert len(kept) == 1
    kept.put(3, bytes(50))  # another one by this number
    assert kept.keep((3,)) == {3: bytes(50)}
    kept.keep(())
    assert kept.size == 0
