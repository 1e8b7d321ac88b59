"""What the tests of frames' ways share: a server of the small network, and frames for it."""

from __future__ import annotations

from kits.served import _loaded, _quiet, crossing, expect_log, framed, fresh, gained, make, pack, server

__all__ = [
    "_loaded",
    "_quiet",
    "crossing",
    "expect_log",
    "framed",
    "fresh",
    "gained",
    "make",
    "pack",
    "server",
]
