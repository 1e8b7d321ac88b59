"""The kinds of messages and their flags, as SESSION.md lists them."""

from __future__ import annotations

from enum import IntEnum


class Kind(IntEnum):
    """The lower four bits of a message's first byte. Those of the edge are below 8, those of the cloud are not."""

    HELLO = 1
    STREAM = 2
    FRAME = 3
    CANCEL = 4
    BYE = 5
    WELCOME = 8
    ANSWER = 9
    REFUSAL = 10
    KEYFRAME = 11
    GO_AWAY = 12


# The upper four bits; those that a kind does not have are 0.
GOES_ON = 0x10
"""HELLO: a session follows, and the numbers of its unanswered frames. WELCOME: that session goes on."""
TIMINGS = 0x10
"""FRAME: its answer is to say what the cloud's steps took. ANSWER: it does."""
DEADLINE = 0x20
"""FRAME: it has a deadline other than the one in HELLO."""
JSON = 0x20
"""ANSWER: its body is JSON."""
ACCEPTED = 0x10
"""REFUSAL: it says what would be accepted."""
RETRY_AFTER = 0x20
"""REFUSAL: it says after how many seconds the same may succeed."""
