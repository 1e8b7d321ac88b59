"""Which cameras a TOML file names, and what is said of one that is wrong."""

from __future__ import annotations

import pytest
from kits.edge import settings_of

from edge.cameras.file import MAX_CAMERAS, read_cameras
from shared.errors import SettingsError

GATE = '[[camera]]\nname = "gate"\nsource = "rtsp://user:secret@10.0.0.5/1"\n'
YARD = '[[camera]]\nname = "yard"\nsource = "0"\n'


@pytest.fixture
def cameras(tmp_path):
    """Reads a file of this text."""

    def read(text, **flags):
        path = tmp_path / "cameras.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_cameras(settings_of(cameras=str(path), **flags))

    return read


def refused(cameras, text):
    with pytest.raises(SettingsError) as caught:
        cameras(text)
    assert "secret" not in str(caught.value)
    return str(caught.value)


def test_without_a_file_the_flags_name_the_one_camera():
    (own,) = read_cameras(settings_of(name="gate", source="clip.mp4", deadline_s=0.5, codec="png"))
    assert (own.name, own.source, own.deadline_s, own.codec) == ("gate", "clip.mp4", 0.5, "png")
    assert (own.fps, own.crop, own.zone, own.masks) == (0.0, None, None, ())


def test_a_table_beats_the_flags_and_the_flags_are_for_the_rest(cameras):
    gate, yard = cameras(
        GATE + "deadline_s = 1\nfps = 5\nthreshold = 0.25\n" + YARD,
        deadline_s=3.0,
        threshold=0.5,
        source="no",
    )
    assert (gate.name, gate.source) == ("gate", "rtsp://user:secret@10.0.0.5/1")
    assert (gate.deadline_s, gate.fps, gate.threshold) == (1.0, 5.0, 0.25)
    assert (yard.name, yard.source, yard.deadline_s, yard.fps, yard.threshold) == ("yard", "0", 3.0, 0.0, 0.5)


def test_a_source_may_be_in_a_file_of_its_own_as_a_secret_is(cameras, tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/gate").write_text("rtsp://user:pa$$wo/rd@10.0.0.5/1\n\n")
    (gate,) = cameras('[[camera]]\nname = "gate"\nsource_file = "secrets/gate"\n')
    assert gate.source == "rtsp://user:pa$$wo/rd@10.0.0.5/1"


def test_cameras_with_the_same_wishes_share_plans_and_pilots(cameras):
    a, b, c, d = cameras(
        GATE
        + YARD
        + '[[camera]]\nname = "c"\nsource = "1"\nobjective = "bytes"\n'
        + '[[camera]]\nname = "d"\nsource = "1"\nsplit_point = "auto"\n'
    )
    assert a.choice == b.choice == c.choice != d.choice
    assert a.aims == b.aims
    assert len({each.aims for each in (a, c, d)}) == 3


def test_what_is_wrong_is_named_with_its_table_in_one_line(cameras):
    for text, *parts in (
        (GATE.replace("name", "nmae"), "camera 1: unknown key 'nmae'; did you mean name"),
        (GATE + "fsp = 1", "camera 1 (gate): unknown key 'fsp'; did you mean fps"),
        (YARD + '[[camera]]\nname = "gate"', "camera 2 (gate): no source"),
        ('[[camera]]\nsource = "0"', "camera 1: no name"),
        (GATE + 'fps = "5"', "camera 1 (gate): fps = '5': ", "number", "frames per second to take"),
        (GATE + "fps = -1", "fps = -1: "),
        (GATE + "frames = true", "frames = True: "),
        (GATE + "deadline_s = 0", "deadline_s = 0: "),
        (GATE + 'objective = "speed"', "objective = 'speed': ", "'latency', 'throughput' or 'bytes'"),
        (GATE.replace('"gate"', '"the gate"'), "camera 1 (the gate): name = 'the gate': "),
        (GATE.replace('"rtsp://user:secret@10.0.0.5/1"', '["secret"]'), "source = …: "),
        (GATE + YARD + YARD, "several cameras are called yard"),
        (GATE + "crop = [0.5, 0, 0.4, 1]", "crop = [0.5, 0, 0.4, 1]: accepted: [left, top, right, bottom]"),
        (GATE + "crop = [0, 0, 1]", "crop = [0, 0, 1]: accepted: [left, top, right, bottom]"),
        (GATE + "crop = [0, 0, 640, 480]", "crop", "these are pixels; say of what size"),
        (GATE + "size = [320, 240]\ncrop = [0, 0, 640, 240]", "crop", "outside a picture of 320 x 240"),
        (GATE + "size = [0, 240]", "size [0, 240]"),
        (GATE + "zone = [[0, 0], [1, 1]]", "zone = [[0, 0], [1, 1]]: accepted: a polygon", "3 to 256"),
        (GATE + "masks = [[[0, 0], [1, 0], [-1, 1]]]", "masks.0 = ", "-1 lies outside the picture"),
        (GATE + 'masks = [[[0, 0], [1, 0], ["x", 1]]]', "masks.0 = ", "'x' is no number"),
        (GATE + "masks = [[[0, 0], [1, 0], [nan, 1]]]", "masks.0 = ", "nan is no number"),
        (GATE + "crop = [0, 0, 1, 1" + "0" * 400 + "]", "lies outside the picture"),
        (GATE + 'source_file = "x"', "camera 1 (gate): both source and source_file"),
        ('[[camera]]\nname = "a"\nsource_file = "none"', "source_file none: No such file"),
        ('[[camera]]\nname = "a"\nsource_file = "."', "source_file .: Is a directory"),
        ('[[camera]]\nname = "a"\nsource_file = "cameras.toml"', "source_file cameras.toml", "one line"),
        ("fps = 5\n" + GATE, "unknown key 'fps'; accepted: tables [[camera]]"),
        ("", "no cameras; accepted: a table [[camera]] for each"),
        ("camera = 5", "no cameras; accepted: a table [[camera]] for each"),
        ("camera = [5]", "no cameras; accepted: a table [[camera]] for each"),
        ("[[camera", "no TOML: "),
        (b"\xff\xfe", "no TOML: "),
        (b"#" * (1 << 21), "more than 1048576 bytes"),
        (GATE * (MAX_CAMERAS + 1), "65 cameras; one edge takes at most 64"),
    ):
        said = refused(cameras, text)
        assert "\n" not in said, (text, said)
        assert said.startswith("--cameras "), said
        assert all(part in said for part in parts), (text, said)


def test_a_source_in_the_wrong_place_is_shown_without_its_password(cameras):
    url = '"rtsp://user:se/cret@secret@10.0.0.5/1"'
    for text in (
        f"[[camera]]\nname = {url}",
        f'[[camera]]\nname = "a"\nsource_file = {url}',
        f'[[camera]]\nname = "a"\nsource_file = [{url}]',
        f"{GATE}{url} = 1",
        f"{url} = 1\n{GATE}",
        *(
            f"{GATE}{key} = {value}"
            for key in ("codec", "crop", "masks")
            for value in (f"[{url}]", f"[[[{url}, 1]]]")
        ),
        f"{GATE}masks = [[[0, 0], [1, 0], [{url}, 1]]]",
    ):
        said = refused(cameras, text)
        assert "se/cret" not in said, said
        assert "\n" not in said, said


def test_a_name_is_shown_on_one_line(cameras):
    assert "\n" not in refused(cameras, '[[camera]]\nname = "a\\n"\nsource = "0"')


def test_files_as_windows_writes_them(cameras, tmp_path):
    (tmp_path / "gate").write_bytes("\ufeffsynthetic\r\n".encode())
    (gate,) = cameras("\ufeff[[camera]]\r\nname = 'a'\r\nsource_file = 'gate'\r\n")
    assert gate.source == "synthetic"


def test_a_source_beside_the_file_is_said_to_be_of_no_use(cameras, caplog):
    cameras(GATE)
    assert not caplog.records
    cameras(GATE, source="rtsp://user:secret@10.0.0.6/1", name="yard")
    assert [line.partition(" is not used")[0] for line in caplog.messages] == ["--source", "--name"]
    assert "secret" not in caplog.text


def test_every_mistake_is_told_at_once(cameras):
    said = refused(cameras, GATE + "fps = -1\ndeadline_s = 0\n" + YARD + "frames = -1\n")
    assert [line.split(": ")[1] for line in said.splitlines()] == [
        *["camera 1 (gate)"] * 2,
        "camera 2 (yard)",
    ]


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(SettingsError, match=r"--cameras /nowhere/c.toml: No such file or directory; give it"):
        read_cameras(settings_of(cameras="/nowhere/c.toml"))
