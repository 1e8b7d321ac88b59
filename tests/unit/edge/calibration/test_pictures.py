"""Pictures spread over a source."""

from __future__ import annotations

import numpy as np
import pytest
from kits.naming import naming

from edge.calibration.pictures import HELD_OUT_RUN, RUN, RUNS, Footage, run_starts, spread
from edge.sources.base import Shot
from shared.errors import SourceError
from shared.network.recipe import Recipe


class Numbered:
    """A source whose frame n is the number n."""

    def __init__(self, count: int, *, live: bool = False, damaged=()) -> None:
        self.count, self.live, self.read_so_far, self.name = count, live, 0, "numbers"
        self.damaged = damaged

    def read(self):
        if self.read_so_far == self.count:
            return None
        self.read_so_far += 1
        number = self.read_so_far - 1
        return Shot(np.full((4, 4, 3), number, np.int32), number, damaged=number in self.damaged)

    def open(self) -> None: ...
    def close(self) -> None: ...


def numbers(source: Numbered, most: int) -> list[int]:
    return [
        int(picture[0, 0, 0]) for picture in spread(source.read, lambda frame: frame, most, live=source.live)
    ]


@pytest.mark.parametrize("count", [1, 5, 20, 39, 40, 41, 377, 2000])
def test_frames_are_spread_over_the_whole_source(count):
    found = numbers(Numbered(count), 20)
    assert len(found) == min(20, count)
    assert found == sorted(set(found))
    assert found[0] == 0
    assert found[-1] >= count - 1 - count / 10
    if count > 40:
        gaps = np.diff(found)
        assert gaps.max() <= 3 * gaps.min()


def test_damaged_frames_are_left_out():
    assert numbers(Numbered(12, damaged={0, 1, 5, 11}), 20) == [2, 3, 4, 6, 7, 8, 9, 10]
    assert numbers(Numbered(5, damaged=range(5)), 20) == []
    assert numbers(Numbered(10**6, live=True, damaged=range(50)), 3) == [50, 51, 52]


def test_a_live_source_is_read_until_there_are_enough():
    source = Numbered(10**6, live=True)
    assert len(numbers(source, 20)) == 20
    assert source.read_so_far == 20


def test_an_endless_file_is_given_up():
    source = Numbered(10**6)
    assert len(numbers(source, 20)) == 20
    assert source.read_so_far <= 20_000


RECIPE = Recipe(32, 32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_footage_is_read_again_from_the_beginning_and_prepared_as_the_network_takes_it():
    footage, told = Footage("synthetic:fps=0,frames=9"), []
    assert not footage.live
    first = footage.read(RECIPE, 4, progress=told.append)
    assert [(picture.shape, picture.dtype) for picture in first] == [((32, 32, 3), np.uint8)] * 4
    assert told == sorted(set(told))
    assert footage.prepare_s > 0
    assert np.array_equal(footage.read(RECIPE, 4), first)
    assert len(footage.read(RECIPE, 4, within=2)) == 2


def test_grey_footage_has_three_equal_channels():
    (picture,) = Footage("synthetic:fps=0,frames=1").read(RECIPE, 4, grayscale=True)
    assert (picture == picture[..., :1]).all()


def test_footage_that_does_not_exist():
    with pytest.raises(SourceError, match=r"/nowhere/clip\.mp4"):
        Footage("/nowhere/clip.mp4")


def test_footage_is_closed_after_a_failure(tmp_path):
    (tmp_path / "a.png").write_bytes(b"nothing of the kind")
    footage = Footage(str(tmp_path))
    with pytest.raises(SourceError, match="none of its 1 pictures can be read"):
        footage.read(RECIPE, 4)
    assert footage._source._entry is None


def test_runs_do_not_overlap_and_the_last_is_from_the_last_quarter():
    for frames in (200, 201, 266, 267, 1000, 20_000):
        *starts, last = run_starts(frames)
        with naming(frames):
            assert len(starts) == RUNS
            assert starts[0] == 0
            assert min(np.diff(starts)) >= RUN
            assert starts[-1] + RUN <= last
            assert last + HELD_OUT_RUN == frames
    with pytest.raises(SourceError, match="199 frames"):
        run_starts(199)


def test_runs_are_frames_that_follow_each_other():
    footage = Footage("synthetic:fps=0,frames=230")
    recipe = RECIPE
    every = footage.read(recipe, 230)
    assert footage.frames_read == 230
    runs = footage.runs(recipe)
    assert [len(run) for run in runs] == [RUN] * RUNS + [HELD_OUT_RUN]
    for start, run in zip(run_starts(230), runs, strict=True):
        assert all(np.array_equal(*each) for each in zip(run, every[start:], strict=False))


def runs_of(source: Numbered) -> list[list[int]]:
    """The numbers of the frames of each run."""
    footage = Footage("synthetic:fps=0,frames=1")
    footage.live = source.live
    footage._source = source
    footage.read(RECIPE, 20, within=0 if source.live else 10_000)
    source.read_so_far = 0
    return [[int(picture[0, 0, 0]) for picture in run] for run in footage.runs(RECIPE)]


def in_rows(runs: list[list[int]], damaged: set[int]) -> bool:
    """Whether they are runs of whole frames that follow each other, and none overlaps another."""
    everything = [number for run in runs for number in run]
    return (
        [len(run) for run in runs] == [RUN] * RUNS + [HELD_OUT_RUN]
        and all(run == list(range(run[0], run[0] + len(run))) for run in runs)
        and everything == sorted(set(everything))
        and not damaged & {*everything}
    )


@pytest.fixture
def _as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.calibration.pictures.Preprocess", lambda *_, **__: lambda frame: frame)


@pytest.mark.usefixtures("_as_it_is")
def test_a_run_begins_anew_after_a_damaged_frame() -> None:
    for damaged in (set(), {0}, {24}, {3, 30, 31, 140}, {399}, {360, 380}, {351, 300}):
        with naming(damaged):
            runs = runs_of(Numbered(400, damaged=damaged))
            assert in_rows(runs, damaged)
            assert runs[-1][0] >= 280
    assert runs_of(Numbered(400))[-1][-1] == 399
    for source in (Numbered(200, damaged={150}), Numbered(400, damaged=range(0, 400, 20))):
        with pytest.raises(SourceError, match="gave no 6 runs of 25 whole frames"):
            runs_of(source)


@pytest.mark.usefixtures("_as_it_is")
def test_a_live_source_is_read_until_its_runs_are_whole() -> None:
    for damaged in (set(), {0, 24, 170}, set(range(100))):
        source = Numbered(10**6, live=True, damaged=damaged)
        with naming(damaged):
            assert in_rows(runs_of(source), damaged)
            assert source.read_so_far < 500
    source = Numbered(10**6, live=True, damaged=range(0, 10**6, 10))
    with pytest.raises(SourceError, match="gave no 6 runs"):
        runs_of(source)
    assert source.read_so_far <= 2000
