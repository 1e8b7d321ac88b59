"""Properties that hypothesis tries within a campaign: it makes texts of a grammar, and the smallest example of a fault."""

from __future__ import annotations

import functools
import random
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import HealthCheck, given, settings
from kits.fuzz.campaign import SEED, Allowance

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy


class _OverError(KeyboardInterrupt):
    """No more examples: hypothesis lets only this kind through at once, and would take another for a fault."""


def fuzzed(
    count: int, seconds: float, **strategies: SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """A test that is called with `count` examples of these strategies, the same ones for the same seed.

    `seconds` is what this takes on an idle core.
    """

    def decorate(test: Callable[..., None]) -> Callable[[], None]:
        @functools.wraps(test)
        def run() -> None:
            allowance = Allowance(test.__name__, count, seconds)

            @hypothesis.seed(random.Random(f"{SEED} {test.__name__}").randrange(2**32))
            @settings(
                max_examples=allowance.count, deadline=None, database=None,
                suppress_health_check=list(HealthCheck), print_blob=False,
            )  # fmt: skip
            @given(**strategies)
            def examples(**values: Any) -> None:
                if not failed and not allowance.next():
                    raise _OverError
                try:
                    test(**values)
                except BaseException:
                    failed.append(True)  # what it tries from now on makes the example smaller
                    raise

            failed: list[bool] = []
            try:
                examples()
            except _OverError:
                pass
            except BaseException as error:
                error.add_note(f"again: make fuzz SEED={SEED}")
                raise
            allowance.end()

        del run.__wrapped__  # type: ignore[attr-defined]  # pytest would take its arguments for fixtures
        return run

    return decorate
