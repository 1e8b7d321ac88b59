"""`make_engine` with engines and times of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kits.bundles import tiny
from kits.engines import Fake

from shared.engines import Engine, make_engine
from shared.engines.choosing.timing import Measurement, Times
from shared.engines.openvino import runtime
from shared.engines.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest
    from kits.engines import Distort

    from shared.network.bundle import Bundle
    from shared.network.partition import SplitPoint


class Candidates:
    """`make_engine` with engines whose times and results the test sets, on a CPU of these precisions."""

    def __init__(
        self, patch: pytest.MonkeyPatch, precisions: tuple[str, ...] = ("bfloat16", "float16", "float32")
    ) -> None:
        self.ms = {"openvino/bfloat16": 1.0, "openvino/float16": 2.0, "openvino/float32": 3.0}
        """By engine: the minimum; the median is a tenth more unless the test says it."""
        self.medians: dict[str, float] = {}
        self.busy = False
        self.distort: dict[str, Distort] = {}
        self.timed: list[str] = []
        self.built: list[str] = []
        self.checked: list[tuple[str, str, str]] = []
        patch.setattr(runtime, "precisions", lambda: list(precisions))
        patch.setattr(Workbench, "build", self.build)

    def build(self, name: str, precision: str) -> Engine:
        """Stands for `Workbench.build`."""
        candidates, called = self, f"{name}/{precision}"
        self.built.append(called)

        class Candidate(Fake):
            def check(self, kind: Any, point: SplitPoint, half: Any) -> None:
                candidates.checked.append((called, kind, point.name))
                super().check(kind, point, half)

        engine = Candidate(self.distort.get(called))
        engine.name, engine.precision = name, precision
        return engine

    def measure(self, runs: Mapping[str, Callable[[], object]], threads: int) -> Measurement:
        """Stands for `Timer.measure`."""
        assert threads >= 1
        for name, run in runs.items():
            run()
            self.timed.append(name)
        return Measurement(
            {name: Times(self.ms[name], self.medians.get(name, 1.1 * self.ms[name])) for name in runs},
            self.busy,
        )

    def engine(self, bundle: Bundle | None = None, **options: Any) -> Engine:
        return make_engine(bundle or tiny(), timer=self, **options)  # type: ignore[arg-type]

    def make(self, bundle: Bundle | None = None, **options: Any) -> str:
        engine = self.engine(bundle, **options)
        return f"{engine.name}/{engine.precision}"

    def forget(self) -> None:
        """Forget what was timed, built and checked so far."""
        for seen in (self.timed, self.built, self.checked):
            seen.clear()
