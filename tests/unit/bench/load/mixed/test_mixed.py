"""The report on several split points, from loads that are made up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench.load.generator import OK, Load, Request, Run
from bench.load.mixed.options import MixedOptions
from bench.load.mixed.report import tables
from bench.load.mixed.trial import Trial
from bench.load.result import result_of
from bench.report.spread import Spread

if TYPE_CHECKING:
    from pathlib import Path

LOAD = Load(clients=4, seconds=1.0, warm_s=0.0)
RUN = Run(LOAD, [Request(client, 0.1, 0.2 + 0.1 * (client % 2), OK) for client in range(4)])


def test_each_kind_of_client_has_figures_of_its_own() -> None:
    even, odd = result_of(RUN, kinds=2).by_kind
    assert even == {"throughput_per_s": 2.0, "p50_ms": pytest.approx(100), "p99_ms": pytest.approx(100)}
    assert odd["p50_ms"] == pytest.approx(200)
    (_, nobody) = result_of(Run(LOAD, RUN.requests[:1]), kinds=2).by_kind
    assert nobody == {"throughput_per_s": 0.0, "p50_ms": None, "p99_ms": None}


def test_ratios_are_of_this_to_the_other_checkout() -> None:
    options = MixedOptions.read(["--split-points", "input+layer3", "--rounds", "1"])
    (mix,) = options.mixes
    this = Trial(result_of(RUN, kinds=2), 10.0, 4.0)
    base = replace(this, cpu_ms=20.0, batch=2.0)
    whole, parts = tables({(mix, 4, "against"): [base], (mix, 4, "this"): [this]}, options)
    (row,) = whole.rows
    ratio = row["CPU ms a frame, ratio"]
    assert isinstance(ratio, Spread)
    assert ratio.median == 0.5
    assert row["not answered"] == 0
    assert [each["split point"] for each in parts.rows] == ["input", "layer3"]


def test_both_checkouts_are_given_the_same(tmp_path: Path) -> None:
    (tmp_path / "edge").mkdir()
    (tmp_path / "edge" / "__main__.py").touch()
    options = MixedOptions.read(["--against", str(tmp_path), "--flags", "max-batch=16"])
    base, this = options.contenders()
    assert (base.name, this.name) == ("against", "this")
    assert base.flags == this.flags
    assert "--max-batch=16" in this.flags
    assert MixedOptions.read([]).contenders()[0].name == "this"
    with pytest.raises(SystemExit):
        MixedOptions.read(["--against", str(tmp_path / "edge")])
