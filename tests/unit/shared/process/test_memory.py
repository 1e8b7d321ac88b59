"""What is no longer needed is collected, also where the collector was told to leave alone what there was at the start."""

from __future__ import annotations

import gc
import weakref

from shared.process.memory import give_back


class Circle:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


def test_circles_are_collected_even_if_they_are_frozen() -> None:
    for freeze in (False, True):
        gc.disable()
        try:
            seen = weakref.ref(Circle())
            before = gc.get_freeze_count()
            if freeze:
                gc.freeze()
            assert seen() is not None
            give_back()
            assert seen() is None, freeze
            assert (gc.get_freeze_count() > 0) == (freeze or before > 0)
        finally:
            gc.enable()
            gc.unfreeze()
