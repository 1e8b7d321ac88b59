"""Where the network is cut and how the tensor travels."""

from __future__ import annotations

import numpy as np
import pytest
from kits.profiles import following_profile, make_profile
from kits.tiny import TinyEngine, engine_of, partition_of, plan_of, residual, tiny_model

from edge.planning.plan import make_plan
from shared.codecs import NAMES
from shared.errors import SettingsError, SplitPointError


def test_by_default_the_planner_chooses():
    plan = plan_of(residual())
    assert plan.split_point.name == partition_of(residual()).default().name
    assert plan.codec.name == "int8+zstd"
    assert plan_of(residual(), "input").codec.name == "jpeg"


def test_codec_options_are_kept():
    assert plan_of(tiny_model(), "input", "jpeg:quality=40").codec.options()["quality"] == 40


@pytest.mark.parametrize("codec", [None, "int8", "jpeg"])
def test_at_output_nothing_travels(codec):
    if codec == "jpeg":
        with pytest.raises(SettingsError):
            plan_of(tiny_model(), "output", codec)
    else:
        assert plan_of(tiny_model(), "output", codec).codec is None


def test_a_calibrated_codec_is_for_tensors_inside_the_network_and_asks_for_a_profile():
    partition = partition_of(tiny_model())
    engine, point = engine_of(tiny_model()), partition.point("conv")
    profile = make_profile(split_point="conv", shape=point.shape)
    plan = make_plan(point, engine, "calibrated", lambda: profile)
    assert plan.codec.profile is profile
    assert make_plan(partition.point("output"), engine, "calibrated", lambda: profile).codec is None
    with pytest.raises(SettingsError, match="inside the network, not for input"):
        make_plan(partition.point("input"), engine, "calibrated", lambda: profile)


def test_a_codec_of_streams_asks_for_a_profile_of_frames_that_follow_each_other():
    partition = partition_of(tiny_model())
    engine, point = engine_of(tiny_model()), partition.point("conv")
    profile = following_profile(point.shape)
    plan = make_plan(point, engine, "calibrated-inter:interval=7,sticky=20", lambda: profile)
    assert (plan.label, plan.profile) == ("calibrated-inter", profile)
    assert plan.codec.options() == {"interval": 7, "sticky": 20}
    assert plan.codec.for_stream() is not plan.codec
    single = make_profile(split_point="conv", shape=point.shape)
    with pytest.raises(SettingsError, match=r"--codec calibrated-inter: the profile .* calibrate --inter"):
        make_plan(point, engine, "calibrated-inter", lambda: single)


@pytest.mark.parametrize(
    "codec", sorted(name for name in NAMES if not name.startswith(("calibrated", "uint8")))
)
def test_pictures_travel_at_the_input_only(codec):
    assert plan_of(tiny_model(), "input", codec).codec.name == codec
    if NAMES[codec].carries == "tensor":
        assert plan_of(tiny_model(), "conv", codec).codec.name == codec
    else:
        with pytest.raises(SettingsError, match="choose --codec int8\\+zstd, or --split-point input"):
            plan_of(tiny_model(), "conv", codec)


def test_what_is_mistyped_is_named():
    with pytest.raises(SplitPointError, match="did you mean conv"):
        plan_of(tiny_model(), "convv")
    with pytest.raises(SettingsError, match="did you mean int8"):
        plan_of(tiny_model(), "conv", "int9")
    with pytest.raises(SettingsError, match="accepted"):
        plan_of(tiny_model(), "conv", "int8+zstd:level=99")


@pytest.mark.parametrize("point", list(partition_of(tiny_model()).points))
def test_head_then_tail_is_the_whole(point):
    model = tiny_model()
    plan = plan_of(model, point)
    picture = np.random.default_rng(0).normal(0, 1, (2, 3, 8, 8)).astype(np.float32)
    crossing = plan.head((picture,))
    assert [each.shape for each in crossing] == [(2, *plan.split_point.shape)]
    (expected,) = engine_of(model).head(partition_of(model).point("output"))((picture,))
    (answer,) = plan.tail(crossing)
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-6)


def test_both_halves_are_compiled_at_once():
    """A frame is too late to find out that one of them does not run."""
    compiled = []

    class Engine(TinyEngine):
        def _compile(self, kind, point):
            compiled.append((kind, point.name, point.shape))
            return super()._compile(kind, point)

    partition = partition_of(tiny_model())
    plan = make_plan(partition.point("conv"), Engine(tiny_model()), None)
    assert compiled == [("head", "conv", (4, 3, 3)), ("tail", "conv", (4, 3, 3))]
    plan.tail(plan.head((np.zeros((2, 3, 8, 8), np.float32),)))
    assert len(compiled) == 2


def test_a_plan_is_of_whatever_engine_it_is_given():
    class Engine:
        def head(self, point):
            return f"head at {point.name}"

        def tail(self, point):
            return f"tail at {point.name}"

    plan = make_plan(partition_of(tiny_model()).point("relu"), Engine(), None)
    assert (plan.head, plan.tail) == ("head at relu", "tail at relu")
