"""Loops over many cases in one test: which case failed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from _pytest.outcomes import OutcomeException

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def naming(*case: object) -> Iterator[None]:
    """Whatever fails in the block says that it was this case."""
    try:
        yield
    except (Exception, OutcomeException) as error:
        error.add_note(f"case: {', '.join(map(str, case))}")
        raise
