"""Folders and patterns: which files are read, in what order, and how their frames are numbered."""

from __future__ import annotations

import logging
import os
from contextlib import closing

import cv2
import numpy as np
import pytest
from kits.picture_files import saved
from kits.sources import fails_to_open, source_of
from PIL import Image

from edge.sources.files.paths import recording
from edge.sources.files.recordings import Recordings
from edge.sources.files.video_file import VideoFile
from edge.sources.opencv import quiet_opencv
from shared.errors import SourceError

quiet_opencv()


def picture(level=0, kind="PNG"):
    return saved(Image.new("RGB", (32, 24), (level, level, level)), kind)


def animation(count):
    first, *rest = [Image.new("RGB", (32, 24), (9 * each, 0, 0)) for each in range(count)]
    return saved(first, "GIF", save_all=True, append_images=rest, duration=100)


def write_video(path, count):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    assert writer.isOpened()
    for index in range(count):
        writer.write(np.full((48, 64, 3), 20 * index % 240, np.uint8))
    writer.release()


def shots(spec):
    """The shots as (number, file, time), and how often something could not be decoded."""
    undecodable = []
    source = recording(str(spec), lambda: undecodable.append(1))
    source.open()
    with closing(source):
        found = []
        while (shot := source.read()) is not None:
            found.append((shot.number, shot.file, shot.media_time_s))
    return found, len(undecodable)


def joined(spec):
    """The numbers and files alone."""
    found, undecodable = shots(spec)
    return [(number, file) for number, file, _ in found], undecodable


def test_a_picture_that_cannot_be_read_moves_no_number(tmp_path, caplog, capfd):
    whole = picture(50, "JPEG")
    for name, data in {
        "a.jpg": whole, "b.jpg": whole[: len(whole) // 2], "c.jpg": whole, "d.png": b"", "e.heic": b"\0\0\0\x18ftypheic", "f.jpg": whole,
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(data)
    assert joined(tmp_path) == ([(0, "a.jpg"), (2, "c.jpg"), (5, "f.jpg")], 3)
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [line.split(": ")[0] for line in said] == [
        str(tmp_path / name) for name in ("b.jpg", "d.png", "e.heic")
    ]
    assert said[0].endswith("b.jpg: it is cut off; it is left out")
    assert not capfd.readouterr().err


def test_files_whose_names_lie(tmp_path):
    write_video(tmp_path / "v.avi", 3)
    (tmp_path / "v.avi").rename(tmp_path / "a.gif")
    (tmp_path / "b.mp4").write_bytes(animation(2))
    (tmp_path / "c.mjpeg").write_bytes(b"".join(picture(90 * level, "JPEG") for level in range(3)))
    found, undecodable = joined(tmp_path)
    assert found == list(enumerate(["a.gif"] * 3 + ["b.mp4"] * 2 + ["c.mjpeg"] * 3))
    assert not undecodable
    for name, count in (("a.gif", 3), ("b.mp4", 2), ("c.mjpeg", 3)):
        assert len(shots(tmp_path / name)[0]) == count, name


def test_what_is_left_out_of_a_video_is_counted(tmp_path):
    write_video(tmp_path / "a.avi", 9)
    data = bytearray((tmp_path / "a.avi").read_bytes())
    at = [place for place in range(len(data)) if data[place : place + 3] == b"\xff\xd8\xff"][4]
    data[at : at + 200] = bytes(200)
    (tmp_path / "a.avi").write_bytes(data)
    for spec in (tmp_path, tmp_path / "a.avi"):
        found, undecodable = shots(spec)
        assert [number for number, *_ in found] == [0, 1, 2, 3, 5, 6, 7, 8], spec
        assert undecodable == 1, spec


def test_many_that_cannot_be_read_are_counted_and_some_are_named(tmp_path, caplog):
    for number in range(50):
        (tmp_path / f"{number:02}.jpg").touch()
    (tmp_path / "zz.png").write_bytes(picture())
    assert joined(tmp_path) == ([(50, "zz.png")], 50)
    assert len(caplog.records) == 21
    assert caplog.records[-1].getMessage() == f"{tmp_path}: 50 files could not be read"


def test_pictures_animations_and_videos_one_after_another(tmp_path):
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "b.gif").write_bytes(animation(3))
    write_video(tmp_path / "c.avi", 4)
    (tmp_path / "d.avi").write_text("no video")
    cut = animation(5)
    (tmp_path / "e.gif").write_bytes(cut[: len(cut) // 2])
    (tmp_path / "f.png").write_bytes(picture())
    found, undecodable = joined(tmp_path)
    names = [file for _, file in found]
    of_e = names.count("e.gif")
    assert 0 < of_e < 5
    assert names == ["a.png", *["b.gif"] * 3, *["c.avi"] * 4, *["e.gif"] * of_e, "f.png"]
    # d.avi has one number, and so has what is missing of e.gif
    assert [number for number, _ in found] == [*range(8), *range(9, 9 + of_e), 9 + of_e + 1]
    assert undecodable == 2
    times = [time for _, file, time in shots(tmp_path)[0] if file == "b.gif"]
    assert times == [0.0, 0.1, 0.2], "each file has its own clock"


def test_what_is_passed_over_is_named_once(tmp_path, caplog):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "x.png").write_bytes(picture())
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    (tmp_path / ".hidden.png").write_bytes(picture())
    (tmp_path / "notes.txt").write_text("P5 is a road, BMW is a car")
    (tmp_path / "no_suffix").write_bytes(picture(0, "WEBP"))
    (tmp_path / "z.PNG").write_bytes(picture(0, "JPEG"))
    with caplog.at_level(logging.INFO):
        assert joined(tmp_path) == ([(0, "no_suffix"), (1, "z.PNG")], 0)
    (record,) = caplog.records
    assert record.getMessage().endswith("below/, gone.jpg, notes.txt, pipe.png")


def test_a_folder_with_nothing_to_read(tmp_path):
    for number in range(30):
        (tmp_path / f"{number:02}.txt").touch()
    said = fails_to_open(tmp_path, "no pictures and no videos; 00.txt, 01.txt, .* and 10 more passed over")
    assert len(said) < 500
    fails_to_open(f"{tmp_path}/*.jpg", "no pictures and no videos")


def test_patterns(tmp_path, monkeypatch):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name in ("a.png", "b.png", "c.jpg", "n.txt"):
            (tmp_path / folder / name).write_bytes(b"text" if name == "n.txt" else picture())
    assert joined(tmp_path / "one" / "*.png") == ([(0, "a.png"), (1, "b.png")], 0)
    assert joined(tmp_path / "*" / "[ac].*") == (
        [(0, "one/a.png"), (1, "one/c.jpg"), (2, "two/a.png"), (3, "two/c.jpg")],
        0,
    )
    assert len(joined(tmp_path / "**" / "?.png")[0]) == 4
    monkeypatch.chdir(tmp_path / "one")
    assert joined("*.p*") == ([(0, "a.png"), (1, "b.png")], 0)
    (tmp_path / "one" / "*.p*").write_bytes(picture())
    assert joined("*.p*") == ([(0, None)], 0), "a file of that very name"


def test_a_video_among_those_of_a_pattern_that_fails_costs_the_others_nothing(tmp_path, caplog):
    write_video(tmp_path / "a.avi", 2)
    (tmp_path / "b.avi").write_bytes(b"RIFF\0\0\0\0AVI ")
    write_video(tmp_path / "c.avi", 2)
    assert joined(tmp_path / "*.avi") == ([(0, "a.avi"), (1, "a.avi"), (3, "c.avi"), (4, "c.avi")], 1)
    (record,) = (each for each in caplog.records if each.name.endswith("recordings"))
    assert "b.avi: " in record.getMessage()
    assert record.getMessage().count("b.avi") == 1


def test_a_single_file_is_what_its_content_says(tmp_path):
    write_video(tmp_path / "clip.avi", 3)
    (tmp_path / "clip.avi").rename(tmp_path / "clip.jpg")
    (tmp_path / "picture.mp4").write_bytes(picture())
    (tmp_path / "animation.webm").write_bytes(animation(2))
    assert isinstance(source_of(tmp_path / "clip.jpg"), VideoFile)
    assert joined(tmp_path / "picture.mp4") == ([(0, None)], 0)
    assert joined(tmp_path / "animation.webm") == ([(0, None), (1, None)], 0)


def test_a_single_picture_that_cannot_be_read_says_why(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(picture(3, "JPEG")[:-40])
    source = source_of(path)
    source.open()
    with pytest.raises(SourceError, match=r"a\.jpg: it is cut off$"):
        source.read()


def test_it_can_be_opened_again_and_closed_at_any_time(tmp_path):
    (tmp_path / "a.gif").write_bytes(animation(3))
    (tmp_path / "b.png").write_bytes(picture())
    source = source_of(tmp_path)
    assert isinstance(source, Recordings)
    source.close()
    for _ in range(2):
        source.open()
        assert [source.read().number for _ in range(2)] == [0, 1]
    source.close()
    assert source.read() is None
    source.open()
    assert [shot.number for shot in iter(source.read, None)] == [0, 1, 2, 3]
