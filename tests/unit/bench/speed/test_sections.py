"""The sums of the sections: which way a ratio goes, and what is taken from what."""

import pytest

from bench.harness.scrape import parse
from bench.report.report import Table
from bench.report.spread import Spread
from bench.speed import engines, split, steps
from bench.speed.command import SECTIONS
from bench.speed.options import SpeedOptions
from bench.speed.window import Window


def sample(edge_cpu_s, cloud_cpu_s, **step_cpu_s):
    def metrics(side):
        lines = [
            f'splitdnn_{side}_stage_cpu_seconds_total{{stage="{name.partition("_")[2]}"}} {seconds}'
            for name, seconds in step_cpu_s.items()
            if name.startswith(side)
        ]
        kind = f"# TYPE splitdnn_{side}_stage_cpu_seconds counter"
        block = f"# TYPE x gauge\nsplitdnn_{side}_event_loop_longest_block_seconds 0.012"
        return parse("\n".join([kind, *lines, block, ""]))

    return steps.Sample(
        {"edge": edge_cpu_s, "cloud": cloud_cpu_s}, {"edge": metrics("edge"), "cloud": metrics("cloud")}
    )


@pytest.fixture
def window():
    """Two frames: of the edge 100 ms each, 60 of them in its steps; of the cloud 50 each, 40 of them in the tail."""
    record = {"stages_ms": {"head": 70.0, "send": 50.0, "cloud.tail": 42.0, "cloud.queue": 3.0}}
    before = sample(10.0, 20.0, edge_head=1.0, edge_encode=0.5, cloud_tail=2.0)
    after = sample(10.2, 20.1, edge_head=1.1, edge_encode=0.52, cloud_tail=2.08)
    return Window([record, record], 0.3, before, after)


def rows_of(window):
    costs = steps.Costs()
    costs.add(window)
    return {(row["side"], row["step"]): row for row in steps.rows(costs)}


def test_what_no_step_accounts_for_is_the_machinery(window):
    rows = rows_of(window)
    assert rows["edge", "head"]["CPU ms/frame"].median == pytest.approx(50)
    assert rows["edge", "whole process"]["CPU ms/frame"].median == pytest.approx(100)
    assert rows["edge", steps.REST]["CPU ms/frame"].median == pytest.approx(100 - 50 - 10)
    assert rows["cloud", steps.REST]["CPU ms/frame"].median == pytest.approx(50 - 40)


def test_overhead_is_both_processes_less_head_and_tail(window):
    rows = rows_of(window)
    assert rows["both", "overhead: all but head and tail"]["CPU ms/frame"].median == pytest.approx(
        150 - 50 - 40
    )


def test_the_way_there_and_back_is_send_less_the_clouds_steps(window):
    rows = rows_of(window)
    assert rows["edge", steps.ON_THE_WAY]["wall ms"].median == pytest.approx(50 - 42 - 3)
    assert rows["cloud", "tail"]["wall ms"].median == pytest.approx(42)


def test_a_side_that_exports_nothing_has_empty_cells(window):
    silent = steps.Sample({"edge": 1.0, "cloud": 1.0}, {"edge": parse(""), "cloud": parse("")})
    rows = rows_of(Window(window.records, 0.3, silent, silent))
    assert rows["edge", "head"]["CPU ms/frame"] is None
    assert ("edge", steps.REST) not in rows
    assert steps.event_loops(silent).rows[0]["longest block ms"] is None
    assert steps.event_loops(window.after).rows[1]["longest block ms"] == pytest.approx(12)


def test_an_engine_of_half_the_time_is_twice_as_fast():
    times = {
        "torch float32": [[(80.0, 160.0)] * 3, [(120.0, 240.0)] * 3],
        "openvino bfloat16": [[(40.0, 80.0)] * 3, [(60.0, 120.0)] * 3],
    }
    row = engines._row("openvino bfloat16", ("whole", 1), times)
    assert row["times faster"] == Spread(2.0, 2.0, 2.0, 2)
    assert row["ms/call"].median == 50
    assert row["CPU ms/call"].median == 100


def test_a_split_system_of_half_the_rate_is_half_of_unsplit():
    same = {"latency p50 ms": 1.0, "latency p95 ms": 2.0}
    run = same | {"frames/s": 10.0, "CPU ms/frame": 90.0, "bytes/frame": 512.0}
    unsplit = same | {"frames/s": 20.0, "CPU ms/frame": 60.0, "bytes/frame": 0.0}
    row = split._row("layer3", "int8+zstd", [run], [unsplit])
    assert row["of unsplit"].median == 0.5
    assert row["CPU of unsplit"].median == pytest.approx(1.5)
    assert row["CPU ms/frame"].median == pytest.approx(90)


@pytest.mark.parametrize("arguments", [[], ["--quick"]])
def test_every_section_says_beforehand_what_it_will_do(arguments):
    options = SpeedOptions.read(arguments)
    for section in SECTIONS.values():
        outline = section.outline(options)
        assert outline.steps >= 2
        assert outline.seconds > 0


def test_columns_are_those_of_all_rows():
    table = Table("t", "T", "n", [{"a": 1}, {"a": 2, "b": 3}])
    assert table.columns() == ["a", "b"]
