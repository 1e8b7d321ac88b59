"""Which photographs calibrate, and that none of them is measured."""

import pytest

from bench.rate.photographs import Photographs, label_of


@pytest.fixture
def folder(tmp_path):
    def make(count):
        for number in range(count):
            (tmp_path / f"{number:04d}.jpg").touch()
        return tmp_path

    return make


def stems(paths):
    return [int(path.stem) for path in paths]


def test_every_third_calibrates(folder):
    found = Photographs.of(folder(9))
    assert stems(found.calibrating) == [0, 3, 6]
    assert stems(found.measured) == [1, 2, 4, 5, 7, 8]


def test_a_hundred_at_most_calibrate_and_all_others_are_measured(folder):
    found = Photographs.of(folder(310))
    assert stems(found.calibrating) == list(range(0, 300, 3))
    assert len(found.measured) == 210
    assert not set(found.calibrating) & set(found.measured)
    assert found.describe() == "100 photographs, 0000, 0003, … 0297"


def test_a_limit_moves_none_across(folder):
    everything, few = Photographs.of(folder(300)), Photographs.of(folder(300), 36)
    assert (len(few.calibrating), len(few.measured)) == (12, 24)
    assert set(few.calibrating) <= set(everything.calibrating)
    assert set(few.measured) <= set(everything.measured)
    assert len(set(few.measured)) == 24


def test_other_files_are_left_alone(folder):
    path = folder(9)
    (path / "README.md").touch()
    assert len(Photographs.of(path).measured) == 6


def test_a_photograph_without_a_class_is_told(folder):
    path = folder(9)
    (path / "holiday.jpg").touch()
    with pytest.raises(ValueError, match=r"holiday\.jpg: a photograph's name is its class"):
        Photographs.of(path)
    assert label_of(path / "0207-b.png") == 207


def test_too_few_are_told(folder):
    with pytest.raises(ValueError, match="at least 6"):
        Photographs.of(folder(3))
