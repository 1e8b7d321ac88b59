"""CPU of a frame by each way: the table's arithmetic, and what there must be to measure it."""

import pytest

from bench.link.stream import cost
from bench.link.stream.choices import HTTP, SESSION
from bench.link.stream.cost import BEFORE, REST, WHOLE, CostOptions, rows
from bench.speed.steps import Costs


def costs(edge, cloud, head, tail):
    """One value for each round."""
    found = Costs()
    found.total["edge"], found.total["cloud"] = list(edge), list(cloud)
    found.cpu["edge", "head"], found.cpu["cloud", "tail"] = list(head), list(tail)
    return found


def test_ratios_are_between_the_runs_of_one_round():
    by = {
        HTTP: costs((30, 60), (14, 28), (24, 48), (10, 20)),
        SESSION: costs((28, 56), (12, 24), (24, 48), (10, 20)),
        BEFORE: costs((32, 64), (16, 32), (24, 48), (10, 20)),
    }
    found = {row["CPU ms/frame"]: row for row in rows(by)}
    assert found[WHOLE][f"{SESSION} / {HTTP}"].median == pytest.approx(40 / 44)
    rest = found[REST]
    assert (rest[HTTP].median, rest[SESSION].median) == (15, 9)
    assert (rest[HTTP].low, rest[HTTP].high) == (10, 20)
    assert rest[f"{SESSION} / {HTTP}"].median == pytest.approx(0.6)
    assert rest[f"{SESSION} / {BEFORE}"].median == pytest.approx(6 / 14)
    assert rest["target"] == "at most 0.8"
    assert found["edge"]["target"] is None


def test_without_sessions_there_is_nothing_to_compare(monkeypatch, capsys):
    monkeypatch.setattr(cost, "knows_sessions", lambda: False)
    with pytest.raises(SystemExit):
        CostOptions.read(["--session-cost"])
    assert "this checkout's edge has no sessions" in capsys.readouterr().err


def test_the_other_version_must_be_one(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(cost, "knows_sessions", lambda: True)
    with pytest.raises(SystemExit):
        CostOptions.read(["--session-cost", "--against", str(tmp_path)])
    assert "no version of this project lies there" in capsys.readouterr().err
