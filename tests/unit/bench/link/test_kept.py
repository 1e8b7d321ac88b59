"""Cells that are measured already."""

import pytest

from bench.link.kept import Kept

CELL, OTHER = {"mbit": 0.5, "way": "http"}, {"mbit": 2.0, "way": "http"}


def test_a_run_that_was_interrupted_goes_on(tmp_path):
    path = tmp_path / "results" / "cells.jsonl"
    first = Kept(path, {"commit": "a", "loads": (0.0, 0.6)}, resume=False)
    assert first.get(CELL) is None
    first.add(CELL, {"values": [1.5, float("inf")]})
    with path.open("a") as file:
        file.write('{"cell": {"mbit": 2.0')  # killed while it wrote
    second = Kept(path, {"commit": "a", "loads": (0.0, 0.6)}, resume=True)
    assert second.get(dict(reversed(CELL.items()))) == {"values": [1.5, float("inf")]}
    assert second.get(OTHER) is None
    assert Kept(path, {"commit": "a"}, resume=False).get(CELL) is None, "begun anew"


def test_after_a_line_that_was_cut_off_the_next_cell_is_still_kept(tmp_path):
    path = tmp_path / "cells.jsonl"
    Kept(path, {}, resume=False)
    with path.open("a") as file:
        file.write('{"cell"')
    Kept(path, {}, resume=True).add(CELL, 1)
    assert Kept(path, {}, resume=True).get(CELL) == 1


def test_another_runs_cells_are_not_taken(tmp_path):
    path = tmp_path / "cells.jsonl"
    Kept(path, {"commit": "a"}, resume=False).add(CELL, 1)
    with pytest.raises(ValueError, match="is of another run"):
        Kept(path, {"commit": "b"}, resume=True)
