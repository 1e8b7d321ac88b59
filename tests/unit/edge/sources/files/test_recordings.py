"""Files and folders: what they give, and what they say when they cannot."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from kits.sources import fails_to_open, frames_of, read_all, source_of

from edge.sources.opencv import to_bgr
from shared.errors import SourceError

CLIPS = Path(__file__).parents[6] / "shared" / "videos"


# --- files -------------------------------------------------------------------------------------------------


def write_clip(path, code, count=12):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 10, (64, 48))
    assert writer.isOpened()
    for index in range(count):
        writer.write(np.full((48, 64, 3), 20 * index % 240, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(
    ("name", "code"), [("clip.avi", "MJPG"), ("a:b %d.mp4", "mp4v"), ("ünï.mkv", "mp4v")]
)
def test_file_gives_every_frame_in_order(tmp_path, caplog, name, code):
    source = source_of(write_clip(tmp_path / name, code))
    assert not source.live
    frames = read_all(source)
    assert [round(frame.mean() / 20) for frame in frames] == list(range(12))
    assert {frame.shape for frame in frames} == {(48, 64, 3)}
    assert frames[0].dtype == np.uint8
    assert len(read_all(source)) == 12, "it can be opened again"
    assert not caplog.records


def test_file_by_relative_path(tmp_path, monkeypatch):
    write_clip(tmp_path / "http:clip.avi", "MJPG")
    monkeypatch.chdir(tmp_path)
    assert len(read_all(source_of("http:clip.avi"))) == 12


def test_file_that_is_cut_says_how_much_is_missing(tmp_path, caplog, capfd):
    whole = write_clip(tmp_path / "whole.mkv", "mp4v", 30).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    frames = read_all(source_of(cut))
    assert 0 < len(frames) < 30
    (record,) = caplog.records
    assert f"{len(frames)} pictures could be read, and no more: it is truncated" in record.getMessage()
    assert not capfd.readouterr().err, "FFmpeg is silent"


def test_file_that_is_no_video(tmp_path, capfd):
    (tmp_path / "text.mp4").write_text("hello " * 1000)
    (tmp_path / "empty.mp4").touch()
    whole = write_clip(tmp_path / "whole.mp4", "mp4v").read_bytes()
    (tmp_path / "headless.mp4").write_bytes(whole[: len(whole) // 2])
    for name, why in {"text.mp4": "", "empty.mp4": ": it is empty", "headless.mp4": ": its index"}.items():
        fails_to_open(tmp_path / name, f"not a video that can be read{why}")
    assert not capfd.readouterr().err, "FFmpeg is silent"


def test_paths_that_are_no_source(tmp_path):
    fails_to_open(tmp_path / "nothing.mp4", "No such file")
    fails_to_open(tmp_path, "no pictures")
    os.mkfifo(tmp_path / "pipe")
    fails_to_open(tmp_path / "pipe", "neither a file nor a folder")
    fails_to_open("", "no source")


def test_file_that_may_not_be_read(tmp_path, monkeypatch):
    write_clip(tmp_path / "clip.avi", "MJPG")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read everything
    fails_to_open(tmp_path / "clip.avi", "may not read it")


@pytest.mark.parametrize(("name", "frames"), [("car-detection.mp4", 377), ("bottle-detection.mp4", 1189)])
def test_real_clips(name, frames, caplog):
    if not (CLIPS / name).exists():
        pytest.skip(f"no ../shared/videos/{name}")
    source = source_of(CLIPS / name)
    source.open()
    with closing(source):
        assert sum(1 for _ in frames_of(source)) == frames
    assert not caplog.records


# --- pictures ----------------------------------------------------------------------------------------------


def write_pictures(folder, names):
    for level, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), np.full((20 + level, 30, 3), 30 * level, np.uint8))


def test_folder_is_sorted_and_its_pictures_may_differ_in_size(tmp_path):
    write_pictures(tmp_path, ["b.png", "a.jpg", "d.webp", "c.BMP", "0.jpeg"])
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._a.jpg").write_text("left by a Mac")
    source = source_of(tmp_path)
    assert not source.live
    frames = read_all(source)
    assert [frame.shape[0] - 20 for frame in frames] == [4, 1, 0, 3, 2]
    assert len(read_all(source)) == 5
    assert len(read_all(source_of(tmp_path / "a.jpg"))) == 1


def test_folder_grey_and_transparent_pictures_become_bgr(tmp_path):
    for index, shape in enumerate([(8, 9), (8, 9, 3), (8, 9, 4)]):
        assert cv2.imwrite(str(tmp_path / f"{index}.png"), np.full(shape, 77, np.uint8))
    frames = read_all(source_of(tmp_path))
    assert [frame.shape for frame in frames] == [(8, 9, 3)] * 3
    assert {frame.dtype for frame in frames} == {np.dtype(np.uint8)}


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3), (4, 5, 4)])
def test_every_frame_becomes_bgr(shape):
    picture = to_bgr(np.full(shape, 9, np.uint8))
    assert picture.shape == (4, 5, 3)
    assert (picture == 9).all()


def test_folder_leaves_out_what_is_no_picture(tmp_path, caplog, capfd):
    write_pictures(tmp_path, ["a.png", "c.png"])
    (tmp_path / "b.jpg").write_text("no picture")
    assert len(read_all(source_of(tmp_path))) == 2
    (record,) = caplog.records
    assert "b.jpg" in record.getMessage()
    assert not capfd.readouterr().err


def test_folder_without_one_good_picture(tmp_path):
    (tmp_path / "b.jpg").write_text("no picture")
    with pytest.raises(SourceError, match="none of its 1 pictures"):
        read_all(source_of(tmp_path))
