"""`python -m bench rate` from beginning to end, on drawn pictures and a small network of random weights."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from kits.profiles import features, make_profile

from bench.rate.command import main
from bench.rate.options import RateOptions
from bench.rate.plan import Setting, settings, split_points
from bench.rate.trial import PromisedBits
from edge.calibration.fit import Preset
from shared.codecs import known_codecs, make_codec
from shared.codecs.calibrated.codec import Calibrated
from shared.network.partition import SplitPoint
from shared.wire.frame import HEADER

TENSOR_CODECS = [
    codec.name
    for codec in known_codecs().values()
    if codec.carries == "tensor" and codec.name != "calibrated" and not codec.inter
]
ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(9):
        coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        cv2.imwrite(
            str(folder / f"{number:04d}.png"), cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC)
        )
    return folder


@pytest.fixture(scope="module")
def report(images, home, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rate")
    command = [
        *(sys.executable, "-m", "bench", "rate", "--quick", "--model", "mobilenet_v2", "--weights", "random"),
        *("--images", str(images), "--split-points", "features.16,flatten", "--results", str(folder)),
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder, done


def rows(path):
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


@pytest.mark.slow
def test_every_way_has_its_row(report):
    folder, done = report
    found = rows(folder / "rate.csv")
    assert {row["split point"] for row in found} == {"input", "features.16", "flatten"}
    for point in ("features.16", "flatten"):
        codecs = [row["codec"] for row in found if row["split point"] == point]
        assert codecs == [*TENSOR_CODECS, "calibrated", "calibrated"]
    assert "At equal agreement" in done.stdout
    assert "100%" in done.stderr or "left]" in done.stderr


@pytest.mark.slow
def test_the_bytes_are_those_on_the_wire(report):
    by_codec = {(row["split point"], row["codec"]): row for row in rows(report[0] / "rate.csv")}
    head = HEADER.size + len("features.16")
    assert int(by_codec["features.16", "float16"]["bytes/frame"]) == head + 2 * 160 * 7 * 7
    assert int(by_codec["features.16", "int8"]["bytes/frame"]) == head + 5 + 160 * 7 * 7
    assert int(by_codec["features.16", "calibrated"]["bytes/frame"]) < head + 160 * 7 * 7


@pytest.mark.slow
def test_what_is_lossless_changes_nothing(report):
    for row in rows(report[0] / "rate.csv"):
        if row["codec"] == "png":
            assert (row["agreement %"], row["right→wrong"], row["wrong→right"]) == ("100.0", "0", "0")
            assert float(row["KL mean"]) < 1e-6


@pytest.mark.slow
def test_coded_bits_are_close_to_those_promised(report):
    ratios = [
        float(row["bits / promised"])
        for row in rows(report[0] / "rate.csv")
        if row["codec"] == "calibrated" and row["split point"] == "features.16"
    ]
    assert all(0.99 < ratio < 1.03 for ratio in ratios)


@pytest.mark.slow
def test_the_report_says_what_it_was_measured_on(report):
    folder, done = report
    text = (folder / "rate.md").read_text()
    for words in (
        "6 photographs measured, 3 others calibrated on",
        "commit",
        "mobilenet_v2",
        "3 photographs, 0000",
    ):
        assert words in text
        assert words in done.stdout


def test_without_photographs_nothing_is_measured(tmp_path, capsys, monkeypatch):
    absent = tmp_path / "absent"
    assert main(["--images", str(absent)]) == 2
    monkeypatch.setattr("bench.rate.command.IMAGES", absent)
    assert main(["--images", str(absent)]) == 0
    assert "nothing is measured" in capsys.readouterr().err


def test_numpy_is_not_there_before_its_threads_are_limited():
    code = "import sys, bench.__main__; sys.exit(bool({'numpy', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_an_absent_clip_is_told(capsys):
    with pytest.raises(SystemExit):
        RateOptions.read(["--clip", "absent.mp4"])
    assert "absent.mp4: no such file" in capsys.readouterr().err


@pytest.mark.parametrize("signed", [False, True])
def test_promised_bits_are_nearly_those_of_the_payload(signed):
    profile = make_profile(shape=(16, 12, 12), preset=Preset(step=0.7, levels=4, groups=2), signed=signed)
    tensor = features((16, 12, 12), 1, seed=5, signed=signed)[0]
    promised, coded = PromisedBits(codec := Calibrated(profile), profile.of_tensor(0))(tensor)
    assert coded == 8 * len(codec.encode(tensor).payload)
    assert -32 <= coded - promised <= 96  # a coder's state is two words


@pytest.mark.parametrize("architecture", ["resnet50", "mobilenet_v2", "vit_b_16"])
def test_quick_is_a_part_of_everything(architecture):
    for point in ("input", "layer3"):
        every = settings(architecture, point, quick=False)
        assert set(settings(architecture, point, quick=True)) < set(every)
        assert len({(each.family, each.name) for each in every}) == len(every)
        for each in every:
            assert (each.spec is None) != (each.preset is None)
            if each.spec:
                make_codec(each.spec)


def test_a_preset_is_named_by_what_is_unusual():
    usual = Preset(step=1.5, levels=4)
    assert Setting("layer3", "calibrated", preset=usual).name == "step=1.5,levels=4"
    other = Preset(step=1.5, levels=4, groups=2)
    assert Setting("layer3", "calibrated", preset=other).name == "step=1.5,levels=4,groups=2"


def test_stages_of_an_unknown_network():
    points = [
        SplitPoint(name, (shape,), macs, 100 - macs)
        for name, shape, macs in [
            ("input", (3, 224, 224), 0),
            ("wide", (8, 56, 56), 20),
            ("a.first", (32, 28, 28), 40),
            ("a.last", (32, 28, 28), 60),
            ("b", (64, 14, 14), 98),
            ("output", (10,), 100),
        ]
    ]
    assert split_points("unknown", points) == ("a.last", "b"), "the ends of stages, but for what is too large"
    assert split_points("resnet50", points) == ("layer2", "layer3", "layer4", "avgpool")
