"""Any network in the speed report: where it is cut, what its processes are given, what is refused."""

import pytest

from bench.speed.options import SpeedOptions
from bench.speed.points import named, points_of, profile_flags

DESCRIPTION = {
    "model": "colours",
    "task": "detect",
    "fingerprint": "00ff00ff00ff00ff",
    "default_split_point": "trunk",
    "split_points": {
        "input": [3, 64, 64],
        "stem": [8, 32, 32],
        "trunk": [12, 8, 8],
        "a+b": [[4, 8, 8], [16, 4, 4]],
        "c+d": [[4, 8, 8], [15, 4, 4]],
        "output": [[80, 4], [80]],
    },
}


def test_pictures_the_default_and_the_cheapest_of_several_tensors_are_measured_unless_others_are_named():
    assert points_of(SpeedOptions.read(["--model", "net"]), DESCRIPTION) == ("input", "trunk", "c+d")
    given = SpeedOptions.read(["--model", "net", "--split-points", "a+b, stem"])
    assert points_of(given, DESCRIPTION) == ("a+b", "stem")
    one = DESCRIPTION | {"split_points": {"input": [3, 8, 8], "trunk": [4], "output": [5]}}
    assert points_of(SpeedOptions.read(["--model", "net"]), one) == ("input", "trunk")


def test_a_network_of_ones_own_has_two_sections_and_its_own_weights(tmp_path):
    options = SpeedOptions.read(["--model", str(tmp_path)])
    assert (options.only, options.split_points, options.stage_point) == (("split", "stages"), (), "")
    assert options.setup.flags() == ["--weights=auto", "--precision=float32", f"--model={tmp_path}"]
    assert SpeedOptions.read(["--model", "net", "--precision", "bfloat16"]).setup.precision == "bfloat16"
    assert SpeedOptions.read(["--model", "resnet18", "--only", "split"]).only == ("split",)
    assert not SpeedOptions.read([]).setup.model


def test_the_one_split_point_is_that_of_the_stages_too():
    assert SpeedOptions.read(["--model", "net", "--split-points", "a+b"]).stage_point == "a+b"
    assert SpeedOptions.read([]).stage_point == "layer3"
    assert SpeedOptions.read(["--split-points", "layer2"]).stage_point == "layer2"


def test_sections_that_know_only_resnet_50_and_a_profile_of_several_points_are_refused(capsys):
    cases = [
        (["--model", "net", "--only", "split,clients"], "--only clients with --model"),
        (["--model", "net", "--profile", "file"], "--profile is of one split point"),
        (["--model", "net", "--profile", "file", "--split-points", "a,b"], "--profile is of one split point"),
    ]
    for arguments, said in cases:
        with pytest.raises(SystemExit):
            SpeedOptions.read(arguments)
        assert said in capsys.readouterr().err, arguments
    assert SpeedOptions.read(["--model", "net", "--profile", "file", "--split-points", "a"]).profile == "file"


def test_only_the_codec_that_needs_it_gets_the_profile():
    assert profile_flags("file", "calibrated") == ["--profile=file"]
    assert (
        profile_flags("file", "int8") == profile_flags("file", None) == profile_flags("", "calibrated") == []
    )


def test_the_network_is_named_with_its_task():
    assert named(DESCRIPTION) == "colours (detect, fingerprint 00ff00ff00ff00ff)"
