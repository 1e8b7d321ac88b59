"""What the planner may choose from: split points, codecs, and plans that can be flown."""

from __future__ import annotations

import numpy as np
import pytest
from kits.choices import FLOAT16, INT8, SOURCE, STAGES, network_of
from kits.edge import settings_of
from kits.tiny import SIDE, tiny_model

from edge.frames.stillness import ruler_factory
from edge.planning.choices import make_plans, picture_codecs
from shared.errors import SettingsError

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
    assert found["input"] == picture_codecs()
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
    [("layer2.0", [INT8, FLOAT16]), ("layer4", [INT8, FLOAT16]), ("input", picture_codecs())],
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
        assert plan.codec is None or ruler_factory(plan.codec), "the pipeline can compare all that travels"


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
        np.testing.assert_allclose(
            plan.tail(plan.head((tensors,)))[0], plans[-1].head((tensors,))[0], atol=1e-5
        )
