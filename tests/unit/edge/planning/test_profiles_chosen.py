"""What the user's profiles, a file or a folder of them, add to what the planner may choose from."""

from __future__ import annotations

import logging

import pytest
from kits.choices import FLOAT16, INT8, profile_of, write

from shared.errors import SettingsError


def test_a_profile_brings_its_codec_and_its_split_point(make, tmp_path):
    path = write(tmp_path / "one.safetensors", profile_of("layer4"))
    found = make("auto", profile=path)
    assert found["layer4"] == [INT8, FLOAT16, "calibrated"]
    assert list(found).index("layer4") == list(found).index("avgpool") - 1, "in the network's order"
    assert sum("calibrated" in each for each in found.values()) == 1
    (plan,) = [plan for plan in make.plans if plan.label == "calibrated"]
    assert plan.profile.name == profile_of("layer4").name


def test_calibrated_is_only_where_there_is_a_profile(make, tmp_path):
    path = write(tmp_path / "folder", profile_of("layer4"), profile_of("avgpool"))
    assert make("auto", "calibrated", profile=path) == {
        "layer4": ["calibrated"], "avgpool": ["calibrated"], "output": ["none"]
    }  # fmt: skip


def test_of_a_folder_what_is_not_of_this_network_is_left_out_and_said(make, tmp_path, caplog):
    folder = write(tmp_path / "folder", profile_of("layer4"), profile_of("avgpool", b"foreign!"))
    (tmp_path / "folder" / "broken.safetensors").write_bytes(b"nonsense")
    (tmp_path / "folder" / "notes.txt").write_text("no profile")
    assert make("auto", "calibrated", profile=folder) == {"layer4": ["calibrated"], "output": ["none"]}
    warnings = [line.getMessage() for line in caplog.records if line.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert "1.safetensors was fitted to" in warnings[0]
    assert "broken.safetensors" in warnings[1]


def test_a_file_of_another_network_is_refused(make, tmp_path):
    with pytest.raises(SettingsError, match="run `python -m edge calibrate` with these weights"):
        make("auto", profile=write(tmp_path / "one.safetensors", profile_of("avgpool", b"foreign!")))


def test_a_file_that_is_none_is_refused(make, tmp_path):
    (tmp_path / "one.safetensors").write_bytes(b"nonsense")
    for path in (tmp_path / "one.safetensors", tmp_path / "missing.safetensors"):
        with pytest.raises(SettingsError, match=path.name):
            make("auto", profile=str(path))


def test_a_folder_without_profiles_is_refused(make, tmp_path):
    with pytest.raises(
        SettingsError, match="no profile of this network in this folder; `python -m edge calibrate`"
    ):
        make("auto", profile=str(tmp_path))


def test_a_profile_of_another_shape_is_refused(make, tmp_path):
    path = write(tmp_path / "one.safetensors", profile_of("layer4", None, (8, 6, 6)))
    with pytest.raises(SettingsError, match=r"is of tensors \(8, 6, 6\), and at layer4 \(512, 7, 7\) travel"):
        make("auto", profile=path)
