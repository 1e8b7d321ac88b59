"""What the planner may choose from, and when that is surveyed anew."""

from __future__ import annotations

import dataclasses
import functools
import logging

import numpy as np
import pytest
from kits.edge import SIDE, FakeSource, partition_of, resnet18, settings_of, tiny_model
from kits.planner import option
from kits.profiles import make_profile

from edge.calibration import pictures
from edge.frames.ruler import rulers
from edge.planning import survey
from edge.planning.choices import PICTURE_CODECS, make_plans
from shared.engines import TorchEngine
from shared.errors import SettingsError, SplitDNNError
from shared.load import Network

SOURCE = "synthetic:fps=0,frames=12,width=64,height=48"
INT8, FLOAT16 = "int8+zstd", "float16+zstd"
STAGES = ["relu", "layer1", "layer2", "layer3", "avgpool"]  # of a ResNet-18


def network_of(model, split_point=None, **engine):
    partition = partition_of(model)
    point = partition.point(split_point) if split_point else partition.default()
    return Network(model, partition, point, TorchEngine(partition, **engine))


@pytest.fixture
def surveys(monkeypatch):
    """Of each survey its pictures and codecs; nothing is measured."""
    found = []

    def measure(chain, model, pictures, codecs, *, preprocess_s):
        found.append((pictures, codecs))
        return [option(point, name) for point, here in codecs.items() for name in (here or [None])]

    monkeypatch.setattr(survey, "survey", measure)
    return found


@pytest.fixture
def make(surveys, tmp_path):
    """The plans of a ResNet-18 with these settings: names of codecs by split point."""

    def names(split_point="auto", codec=None, **changes):
        settings = settings_of(
            **({"source": SOURCE, "cache_dir": str(tmp_path / "cache"), "split_point": split_point, "codec": codec} | changes)
        )  # fmt: skip
        pinned = None if split_point in (None, "auto") else split_point
        names.plans = make_plans(settings, network_of(resnet18(), pinned))
        found = {}
        for plan in names.plans:
            found.setdefault(plan.split_point.name, []).append(plan.label)
        return found

    return names


@functools.cache
def profile_of(point, fingerprint=b"", shape=None, seed=0):
    shape = shape or partition_of(resnet18()).point(point).shape
    return make_profile(fingerprint or resnet18().fingerprint, point, shape, count=2, seed=seed)


def write(path, *profiles):
    """One file, or a folder of them."""
    if len(profiles) == 1:
        path.write_bytes(profiles[0].data)
        return str(path)
    path.mkdir()
    for number, profile in enumerate(profiles):
        (path / f"{number}.safetensors").write_bytes(profile.data)
    return str(path)


# --- which codecs at which points ---------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [("auto", None), (None, "auto"), ("layer3", "auto"), ("auto", "int8")])
def test_the_planner_chooses_where_the_user_asks_for_it(make, surveys, asked):
    make(*asked)
    assert len(surveys) == 1
    assert all(plan.option for plan in make.plans)


@pytest.mark.parametrize("pinned", [(None, None), ("layer3", None), ("layer3", "int8"), (None, "int8")])
def test_and_only_there(make, surveys, pinned):
    make(*pinned)
    assert [plan.option for plan in make.plans] == [None]
    assert not surveys


@pytest.mark.parametrize("codec", [None, "auto"])
def test_everything_is_pictures_the_ends_of_stages_and_nothing_at_all(make, codec):
    found = make("auto", codec)
    assert list(found) == ["input", *STAGES, "output"]
    assert found["input"] == list(PICTURE_CODECS)
    assert found["relu"] == [INT8], "halves of so large a tensor are more bytes than any picture"
    assert found["layer2"] == found["avgpool"] == [INT8, FLOAT16]
    assert found["output"] == ["none"]


@pytest.mark.parametrize("codec", ["int8", "float32+zstd", "int8+zstd"])
def test_a_tensor_codec_that_was_pinned(make, codec):
    assert make("auto", codec) == {point: [codec] for point in STAGES} | {"output": ["none"]}


@pytest.mark.parametrize("codec", ["jpeg:quality=80", "png", "raw"])
def test_a_picture_codec_that_was_pinned(make, codec):
    assert make("auto", codec) == {"input": [codec], "output": ["none"]}


@pytest.mark.parametrize(
    ("point", "expected"),
    [("layer2.0", [INT8, FLOAT16]), ("layer4", [INT8, FLOAT16]), ("input", list(PICTURE_CODECS))],
)
def test_a_split_point_that_was_pinned(make, point, expected):
    assert make(point, "auto") == {point: expected}


@pytest.mark.parametrize(
    ("codec", "said"),
    [("jpg", "jpeg"), ("int9", "int8"), ("jpeg:quality=900", "100"), ("png:level=3", "png")],
)
def test_a_codec_that_does_not_exist(make, codec, said):
    with pytest.raises(SettingsError, match=said):
        make("auto", codec)


@pytest.mark.parametrize(("point", "codec"), [("output", "auto"), ("auto", "calibrated")])
def test_where_nothing_can_travel_nothing_can_be_chosen(make, point, codec):
    with pytest.raises(SettingsError, match=r"fits none of the split points .* a file or a folder"):
        make(point, codec)


# --- a still scene ------------------------------------------------------------------------------------------------


def test_of_a_still_scene_only_symbols_can_be_compared(make):
    found = make("auto", still_threshold=0.1)
    assert found == {point: [INT8] for point in STAGES} | {"output": ["none"]}
    for plan in make.plans:
        assert plan.codec is None or rulers(plan.codec), "the pipeline can compare all that travels"


def test_a_codec_without_symbols_is_refused_for_it(make):
    with pytest.raises(SettingsError, match="--codec float32"):
        make("auto", "float32", still_threshold=0.1)


@pytest.mark.parametrize(
    ("point", "codec", "said"),
    [
        ("layer3", "float32", "the codec float32 has none of its own"),
        ("input", "jpeg", "the codec jpeg has none of its own"),
        ("output", None, "at `output` nothing travels"),
    ],
)
def test_and_so_is_a_pinned_one(make, point, codec, said):
    with pytest.raises(SettingsError, match=said):
        make(point, codec, still_threshold=0.1)
    make(point, codec)


# --- profiles -----------------------------------------------------------------------------------------------------


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


# --- the plans ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", [None, "jpeg:quality=80"])
def test_plans_by_a_real_survey_are_the_network_and_know_what_they_cost(tmp_path, codec):
    model = tiny_model()
    settings = settings_of(source=SOURCE, cache_dir=str(tmp_path), split_point="auto", codec=codec)
    plans = make_plans(settings, network_of(model))
    assert {plan.split_point.name for plan in plans} == {"input", "output"} | (
        {"pool"} if not codec else set()
    )
    tensors = np.linspace(-2, 2, 2 * 3 * SIDE**2, dtype=np.float32).reshape(2, 3, SIDE, SIDE)
    for plan in plans:
        assert (plan.option.split_point, plan.option.codec or "none") == (plan.split_point.name, plan.label)
        assert plan.option.frames == 12
        assert (plan.codec is None) == plan.option.is_local
        np.testing.assert_allclose(plan.tail(plan.head(tensors)), plans[-1].head(tensors), atol=1e-5)


# --- the survey is kept -------------------------------------------------------------------------------------------


def test_a_survey_is_made_once(make, surveys, caplog):
    caplog.set_level(logging.INFO)
    make()
    options = [plan.option for plan in make.plans]
    make()
    assert [plan.option for plan in make.plans] == options
    assert len(surveys) == 1
    assert len(surveys[0][0]) == 12
    assert caplog.text.count("surveying 7 split points on 12 pictures; this is done once") == 1


@pytest.mark.parametrize(
    "change",
    [{"source": SOURCE.replace("12", "13")}, {"grayscale": True}, {"codec": "int8"}, {"split_point": "layer2"}],
)  # fmt: skip
def test_other_footage_or_another_choice_is_surveyed_anew(make, surveys, change):
    make("auto", "auto")
    make(**({"split_point": "auto", "codec": "auto"} | change))
    assert len(surveys) == 2


def test_another_profile_is_surveyed_anew(make, surveys, tmp_path):
    one = write(tmp_path / "one.safetensors", profile_of("avgpool"))
    make("auto", profile=one)
    make("auto", profile=one)
    assert len(surveys) == 1
    make("auto", profile=write(tmp_path / "two.safetensors", profile_of("avgpool", seed=1)))
    assert len(surveys) == 2


def test_another_engine_or_network_is_surveyed_anew(surveys, tmp_path):
    settings = settings_of(source=SOURCE, cache_dir=str(tmp_path), split_point="auto")
    one, other = tiny_model(), dataclasses.replace(tiny_model(), fingerprint=b"othertin")
    for model, precision in ((one, "float32"), (one, "float32"), (one, "bfloat16"), (other, "float32")):
        make_plans(settings, network_of(model, precision=precision))
    assert len(surveys) == 3


def test_another_machine_surveys_anew(make, surveys, monkeypatch):
    make()
    monkeypatch.setattr(survey, "machine", lambda: "a toaster")
    make()
    assert len(surveys) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '[{"split_point": "input"}]', "\x00"])
def test_one_that_cannot_be_read_is_made_anew(make, surveys, tmp_path, text):
    make()
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_text(text)
    make()
    assert len(surveys) == 2


def test_of_a_live_source_drawn_frames_are_surveyed_and_without_a_folder_every_time(make, surveys, caplog):
    for _ in range(2):
        make("auto", "png", source="synthetic:fps=10", cache_dir="")
    assert [len(pictures) for pictures, _ in surveys] == [48, 48]
    assert "the source cannot be read twice" in caplog.text


def test_a_source_without_frames(make, monkeypatch):
    source = FakeSource([])
    source.open = source.close = lambda: None
    monkeypatch.setattr(pictures, "open_source", lambda *_, **__: source)
    with pytest.raises(SplitDNNError, match="fake: no frame to survey the split points with"):
        make()
