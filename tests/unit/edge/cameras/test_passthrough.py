"""A camera's own packets may travel only where they show what the network may see."""

from __future__ import annotations

import pytest
from kits.edge import settings_of

from edge.cameras.file import read_cameras
from shared.codecs import make_codec
from shared.errors import SettingsError

GATE = '[[camera]]\nname = "gate"\nsource = "rtsp://10.0.0.5/1"\n'
WHOLE = {"codec": "h264:passthrough=1", "picture_size": "source", "split_point": "input"}


def test_of_a_whole_camera_they_may():
    (camera,) = read_cameras(settings_of(**WHOLE))
    assert camera.codec == WHOLE["codec"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"picture_size": "network"}, "picture_size=source"), ({"grayscale": True}, "grayscale=false")],
    ids=str,
)
def test_what_changes_the_picture_forbids_it(changes, said):
    with pytest.raises(SettingsError, match="h264:passthrough=1.*accepted: passthrough=0.*" + said):
        read_cameras(settings_of(**(WHOLE | changes)))
    read_cameras(settings_of(**(WHOLE | changes | {"codec": "h264"})))


@pytest.mark.parametrize("written", ["+1", "01", "1.0", "0.1e1", "1e0", " 1", "1 ", "1_0e-1"])
def test_however_it_is_written(written):
    codec = f"h264:quality=20,passthrough={written}"
    assert make_codec(codec).options()["passthrough"] == 1
    with pytest.raises(SettingsError, match="accepted: passthrough=0, or grayscale=false"):
        read_cameras(settings_of(**(WHOLE | {"codec": codec, "grayscale": True})))


@pytest.mark.parametrize(
    "line",
    ["masks = [[[0, 0], [1, 0], [1, 1]]]", "zone = [[0, 0], [1, 0], [1, 1]]", "crop = [0.1, 0.1, 0.9, 0.9]"],
)
def test_what_hides_a_part_of_it_forbids_it(tmp_path, line):
    path = tmp_path / "cameras.toml"
    path.write_text(GATE + line, encoding="utf-8")
    with pytest.raises(SettingsError, match=rf"show what {line.split()[0]} would hide"):
        read_cameras(settings_of(cameras=str(path), **WHOLE))
    read_cameras(settings_of(cameras=str(path), **(WHOLE | {"codec": "h264"})))
