"""The links of the report on streams, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from bench.emulator.link import Link
from bench.emulator.traces import KINDS, stall_s

if TYPE_CHECKING:
    from collections.abc import Sequence

FREE = "free"
"""No limits: for what does not depend on the link."""


@dataclass(frozen=True)
class Condition:
    """One link, or a kind of links that change."""

    name: str
    link: Link | None = None
    """None: one of `bench.emulator.traces`."""

    @classmethod
    def read(cls, text: str, loss: float = 0.0, stall: float | None = None) -> Self:
        """`50/200` (kbit/s each way, round trip in ms), `free`, or the name of a trace. Raises ValueError.

        `loss` is a share of segments, each of which costs `stall` seconds (None: as Linux, a round trip and 200 ms).
        """
        if text == FREE:
            return cls(text, Link())
        if text in KINDS:
            return cls(text)
        kbit, slash, milliseconds = text.partition("/")
        try:
            bits, round_trip_s = 1e3 * float(kbit), float(milliseconds) / 1e3
            lost = stall_s(round_trip_s) if stall is None else stall
            return cls(text, Link(bits, bits, round_trip_s / 2, loss=loss, stall_s=lost))
        except ValueError as error:
            wrong = f" ({error})" if slash and "float" not in str(error) else ""
            raise ValueError(
                f"{text!r}{wrong}: accepted are KBIT/MS, {FREE} and {', '.join(KINDS)}"
            ) from None

    def trace(self, seconds: float, seed: int) -> Sequence[tuple[float, Link]]:
        """As `Emulator.play` takes it."""
        return [(seconds, self.link)] if self.link else KINDS[self.name].trace(seconds, seed)

    @property
    def about(self) -> str:
        """For people."""
        if self.link is None:
            return f"{self.name}, which changes"
        if self.name == FREE:
            return "without limits"
        stalls = f", {100 * self.link.loss:g} % of segments late by {1e3 * self.link.stall_s:.0f} ms"
        return f"{self.link.up_bits_per_s / 1e3:g} kbit/s, {2e3 * self.link.delay_s:g} ms{stalls if self.link.loss else ''}"
