"""A request's body while it arrives: in pieces that are not copied again and again, and timed after the first one."""

from __future__ import annotations

from cloud.bodies import body as module
from cloud.bodies.body import Body


def test_the_bytes_are_those_that_came_in_pieces_of_about_one_size() -> None:
    body, chunk = Body(), bytes(range(256)) * 250  # 64,000 bytes
    for _ in range(20):
        body.add(chunk, 0.0)
    assert body.whole() == chunk * 20
    assert body.size == len(chunk) * 20
    sizes = [len(piece) for piece in body.pieces]
    assert all(module._PIECE_BYTES <= size < module._PIECE_BYTES + len(chunk) for size in sizes[:-1])
    assert len(sizes) == 4


def test_one_piece_is_not_copied() -> None:
    body = Body()
    body.add(b"ab", 0.0)
    body.add(b"cd", 0.0)
    assert body.whole() is body.pieces[0]
    assert body.whole() == b"abcd"


def test_what_was_received_does_not_count_the_first_piece_which_came_with_the_header() -> None:
    body = Body()
    assert body.received() == {"bytes": 0, "ms": 0.0}
    body.add(bytes(1000), 0.25)
    assert body.received() == {"bytes": 0, "ms": 0.0}
    body.add(bytes(500), 0.26)
    body.add(bytes(1500), 0.2755)
    assert body.received() == {"bytes": 2000, "ms": 25.5}


def test_a_released_body_holds_nothing_for_those_that_still_refer_to_it() -> None:
    body = Body()
    body.add(bytes(1000), 0.0)
    body.release()
    assert (body.size, body.pieces, body.whole()) == (0, [], b"")
    body.release()
