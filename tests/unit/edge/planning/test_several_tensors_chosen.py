"""What the planner may choose from where several tensors cross, and of a detector: compiled, surveyed for real, and kept."""

from __future__ import annotations

import logging
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from kits import detector, pyramid
from kits.choices import FLOAT16, INT8, profile_of, write
from kits.edge import settings_of
from kits.planner import conditions
from kits.tiny import SIDE

from edge.planning.choices import make_plans, picture_codecs
from edge.planning.planner import Objective, choose
from shared.engines.load import Network
from shared.errors import ContentError, SettingsError


def network(kit, model=None):
    bundle = SimpleNamespace(model=model or kit.MODEL, partition=kit.PARTITION)
    return Network(bundle, kit.PARTITION.point("pyramid"), kit.ENGINE)


@pytest.fixture
def plans(tmp_path):
    def make(of=pyramid, model=None, **changes):
        chosen = {
            "source": "synthetic:fps=0,frames=10,width=64,height=48",
            "cache_dir": str(tmp_path / "cache"),
        }
        found = make_plans(settings_of(**chosen | {"split_point": "auto"} | changes), network(of, model))
        return {f"{plan.split_point.name} {plan.label}": plan for plan in found}

    return make


def test_points_of_several_tensors_are_offered_like_any_other(plans):
    found = plans()
    assert list(found) == [
        *(f"input {codec}" for codec in picture_codecs()),
        *(f"{point} {codec}" for point in ("stem", "neck", "pyramid") for codec in (INT8, FLOAT16)),
        "output none",
    ]
    sizes = {name: plan.option.frame_bytes for name, plan in found.items()}
    assert sizes[f"stem {FLOAT16}"] < sizes[f"neck {FLOAT16}"] < sizes[f"pyramid {FLOAT16}"]
    picture = np.random.default_rng(0).normal(0, 1, (1, 3, SIDE, SIDE)).astype(np.float32)
    (whole,) = found["output none"].head((picture,))
    for point in ("neck", "pyramid"):
        plan = found[f"{point} {INT8}"]
        crossing = plan.head((picture,))
        assert [each.shape[1:] for each in crossing] == list(pyramid.SHAPES[point])
        np.testing.assert_allclose(plan.tail(crossing)[0], whole, rtol=1e-5)


def test_a_profile_of_several_tensors_is_one_option(plans, tmp_path):
    found = plans(profile=write(tmp_path / "one.safetensors", pyramid.profile_of("pyramid")))
    plan = found["pyramid calibrated"]
    assert plan.profile.shapes == pyramid.SHAPES["pyramid"]
    assert 0 < plan.option.frame_bytes < found[f"pyramid {FLOAT16}"].option.frame_bytes
    assert 0 < plan.option.agreement <= 1
    assert "neck calibrated" not in found


def test_a_profile_of_fewer_tensors_is_refused(plans, tmp_path):
    one = profile_of("pyramid", pyramid.MODEL.fingerprint, (4, 3, 3))
    with pytest.raises(
        SettingsError,
        match=r"is of tensors \(4, 3, 3\), and at pyramid \(4, 3, 3\) \+ \(4, 1, 1\) \+ \(2, 3, 3\) travel",
    ):
        plans(profile=write(tmp_path / "one.safetensors", one))


def test_a_detectors_agreement_is_that_of_its_boxes(plans):
    found = plans(detector)
    options = [plan.option for plan in found.values()]
    assert found["output none"].option.agreement == 1
    assert all(0 <= each.agreement <= 1 for each in options)
    assert found[f"pyramid {FLOAT16}"].option.agreement > 0.9
    choice = choose(options, conditions(mbit=1.0), Objective("bytes", min_agreement=0.9, max_latency_s=60.0))
    assert choice.agreement >= 0.9


def test_where_no_codec_can_carry_anything_the_user_is_told(plans, monkeypatch):
    def refuse(*_, **__):
        raise ContentError("as the test says")

    monkeypatch.setattr("edge.planning.making.survey.encode_frame", refuse)
    with pytest.raises(SettingsError, match="no codec can carry what crosses at any of the split points"):
        plans(split_point="pyramid", codec="auto")
    assert list(plans()) == ["output none"]


@pytest.mark.parametrize(("threshold", "again"), [(0.5, 0), (0.6, 1)])
def test_a_task_that_is_read_otherwise_is_surveyed_anew(plans, caplog, threshold, again):
    """Its graph is the same, and so is the fingerprint."""
    caplog.set_level(logging.INFO)
    plans(detector, codec=INT8)
    options = tuple(
        (key, threshold if key == "threshold" else value) for key, value in detector.MODEL.task.options
    )
    other = replace(detector.MODEL, task=replace(detector.MODEL.task, options=options))
    plans(detector, other, codec=INT8)
    assert caplog.text.count("this is done once") == 1 + again


def test_what_a_survey_of_before_kept_is_not_read(plans, monkeypatch, caplog):
    """Its agreement was counted otherwise."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("edge.planning.making.known_options._VERSION", 1)
    plans(codec=INT8)
    monkeypatch.undo()
    plans(codec=INT8)
    assert caplog.text.count("this is done once") == 2
