"""`make_engine` with engines of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kits.edge import partition_of, tiny_model
from kits.engines import Fake

from shared.engines import Engine, choice, make_engine
from shared.engines.openvino import runtime
from shared.engines.workbench import Workbench

if TYPE_CHECKING:
    import pytest
    from kits.engines import Distort

    from shared.network.partition import SplitPoint


class Candidates:
    """`make_engine` with engines whose times and results the test sets, on a CPU of these precisions."""

    def __init__(
        self, patch: pytest.MonkeyPatch, precisions: tuple[str, ...] = ("bfloat16", "float32")
    ) -> None:
        self.seconds = {"openvino/bfloat16": 1.0, "openvino/float32": 2.0, "torch/float32": 3.0}
        self.distort: dict[str, Distort] = {}
        self.timed: list[str] = []
        self.built: list[str] = []
        self.checked: list[tuple[str, str, str]] = []
        patch.setattr(runtime, "precisions", lambda: list(precisions))
        patch.setattr(Workbench, "build", self._build)
        patch.setattr(choice, "_seconds", self._time)

    def _build(self, name: str, precision: str) -> Engine:
        candidates, called = self, f"{name}/{precision}"
        self.built.append(called)

        class Candidate(Fake):
            def check(self, kind: Any, point: SplitPoint, half: Any) -> None:
                candidates.checked.append((called, kind, point.name))
                super().check(kind, point, half)

        engine = Candidate(tiny_model(), self.distort.get(called))
        engine.name, engine.precision = name, precision
        return engine

    def _time(self, engine: Engine, *_: Any) -> float:
        self.timed.append(f"{engine.name}/{engine.precision}")
        return self.seconds[self.timed[-1]]

    def make(self, **options: Any) -> str:
        engine = make_engine(partition_of(tiny_model()), tiny_model(), **options)
        return f"{engine.name}/{engine.precision}"

    def forget(self) -> None:
        """Forget what was timed, built and checked so far."""
        for seen in (self.timed, self.built, self.checked):
            seen.clear()
