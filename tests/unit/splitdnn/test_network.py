"""A network from code: its split points, its whole answers, what it refuses."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from edge.calibration import calibration as room
from edge.calibration import trials
from shared.codecs.calibrated.profile import Profile
from shared.process.settings import CommonSettings
from splitdnn import (
    ContentError,
    ModelError,
    SettingsError,
    ShapeError,
    SplitPointError,
    load_network,
    open_source,
)


def test_it_says_what_it_is(network, resnet18):
    assert (network.name, network.weights) == ("resnet18", "random:0")
    assert network.fingerprint == resnet18.fingerprint
    assert network.labels == resnet18.labels
    assert network.recipe == resnet18.recipe
    assert network.engine["name"] == "openvino"


def test_split_points_are_in_the_networks_order(network, partition):
    assert network.points == tuple(partition.points.values())
    assert (network.points[0].name, network.points[-1].name) == ("input", "output")
    assert network.default_point == partition.default()
    assert network.point("layer2").shape == (128, 28, 28)
    names = [point.name for point in network.points]
    ends = [point.name for point in network.stage_ends()]
    assert ends
    assert ends == [name for name in names if name in ends]
    assert not {"input", "output"} & set(ends)


def test_an_unknown_split_point_names_the_nearest(network):
    for call in (network.point, network.split, lambda name: network.calibrate(name, [])):
        with pytest.raises(SplitPointError, match="did you mean layer2"):
            call("layer22")


def test_unknown_networks_and_weights_are_refused():
    with pytest.raises(ModelError, match="did you mean resnet18"):
        load_network("resnet81")
    with pytest.raises(ModelError):
        load_network("resnet18", "nowhere.pth")


def test_settings_that_a_flag_would_refuse_are_refused():
    for name in ("engine", "precision"):
        accepted = get_args(CommonSettings.model_fields[name].annotation)
        with pytest.raises(SettingsError, match=f"{name}=x; accepted: {', '.join(accepted)}$"):
            load_network("resnet18", "random", **{name: "x"})
    for name, highest in (("seed", 2**63 - 1), ("threads", 1024)):
        for wrong in (-1, highest + 1, 0.5, None):
            with pytest.raises(
                SettingsError, match=f"{name}={wrong}; accepted: whole numbers from 0 to {highest}$"
            ):
                load_network("resnet18", "random", **{name: wrong})


def test_a_picture_is_prepared_as_the_weights_prescribe(network, picture):
    tensor = network.prepare(picture)
    assert (tensor.shape, tensor.dtype) == ((1, 3, 224, 224), np.float32)
    flipped = picture[:, ::-1, ::-1]  # a view of negative strides, as of BGR
    np.testing.assert_array_equal(network.prepare(flipped), network.prepare(flipped.copy()))


def test_what_is_no_picture_is_refused(network, picture):
    for wrong in (
        picture[:, :, 0],
        picture[:, :, :2],
        picture.astype(np.float32),
        picture[None],
        picture[:0],
        picture.astype(np.int8),
        picture.tolist(),
        None,
    ):
        with pytest.raises(ShapeError, match=r"a picture is an array \(H, W, 3\) uint8 RGB") as caught:
            network.prepare(wrong)
        assert caught.value.accepted == {"shape": ["H", "W", 3], "dtype": "uint8"}


def test_the_whole_network_answers_batches(network, picture):
    one = network.prepare(picture)
    (outputs,) = network.whole(np.concatenate([one, 0 * one]))
    assert (outputs.shape, outputs.dtype) == ((2, 1000), np.float32)
    np.testing.assert_allclose(outputs[:1], network.whole(one)[0], rtol=1e-3, atol=1e-4)


def test_an_answer_is_the_most_probable_classes(network, picture):
    outputs = network.whole(network.prepare(picture))
    answer = network.answer(outputs, top=3)
    (logits,) = outputs
    assert [each["class_id"] for each in answer.top] == np.argsort(-logits[0], kind="stable")[:3].tolist()
    assert answer.headline() == network.labels[logits[0].argmax()]
    assert len(network.answer(outputs).top) == 5
    assert len(network.answer(outputs, top=5000).top) == 1000


def test_what_is_no_output_is_refused(network):
    for wrong in (
        np.zeros((2, 1000)),
        np.zeros((1, 999), np.float32),
        np.zeros(1000, np.float32),
        [[0.0] * 1000],
    ):
        with pytest.raises(ShapeError, match=r"an answer takes \(1, 1000\) float32"):
            network.answer((wrong,))
        for none in (wrong, [wrong], (wrong, wrong), ()):
            with pytest.raises(ShapeError, match="an answer takes a tuple of 1 array, not "):
                network.answer(none)
    with pytest.raises(ContentError, match="not finite"):
        network.answer((np.full((1, 1000), np.nan, np.float32),))


def test_what_is_no_input_is_refused(network):
    for wrong in (
        np.zeros((1, 3, 224, 224)),
        np.zeros((1, 3, 32, 32), np.float32),
        np.zeros((0, 3, 224, 224), np.float32),
    ):
        with pytest.raises(ShapeError, match=r"the network takes \(B, 3, 224, 224\) float32"):
            network.whole(wrong)


# --- calibration ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def footage() -> list[np.ndarray]:
    """24 pictures (H, W, 3) uint8 RGB of the synthetic camera."""
    source = open_source("synthetic:fps=0,frames=24,width=240,height=240", open_timeout_s=1, read_timeout_s=1)
    source.open()
    return [source.read().picture[:, :, ::-1] for _ in range(24)]


@pytest.fixture(scope="module")
def calibration(network, footage):
    """With two presets and no variants of the pictures, which takes a fifth of the time."""
    every = trials.presets
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials, "presets", lambda *given, **options: every(*given, **options)[::5])
        patch.setattr(room, "variants", lambda _: [])
        return network.calibrate("avgpool", footage, target_agreement=0.9)


@pytest.mark.slow
def test_a_profile_is_fitted_to_pictures(network, calibration):
    profile = calibration.profile
    assert (profile.fingerprint, profile.split_point) == (network.fingerprint, "avgpool")
    assert profile.shape == (512, 1, 1)
    assert calibration.chosen in calibration.points
    assert calibration.chosen.frames == 6
    assert calibration.chosen.preset.step > 0
    assert profile.about["agreement"] == f"{calibration.chosen.agreement:.4f}"


@pytest.mark.slow
def test_a_profile_sends_and_answers(network, calibration, footage):
    profile = Profile.from_bytes(calibration.profile.data)
    split = network.split("avgpool", "calibrated", profile=profile)
    frame = split.to_frame(footage[0])
    assert frame.tensors[0].params == profile.digest
    assert frame.payload_bytes < 600
    assert (
        split.answer_frame(frame).headline()
        == network.answer(network.whole(network.prepare(footage[0]))).headline()
    )


@pytest.mark.slow
def test_a_profile_is_for_its_split_point_only(network, calibration):
    with pytest.raises(SettingsError, match="needs a profile"):
        network.split("avgpool", "calibrated")
    with pytest.raises(SettingsError, match=r"fitted to the network .* at avgpool, not to .* at layer4"):
        network.split("layer4", "calibrated", profile=calibration.profile)


def test_there_must_be_something_to_fit(network, footage):
    for end in ("input", "output"):
        with pytest.raises(SettingsError, match=f"nothing to calibrate at {end}"):
            network.calibrate(end, footage)
    with pytest.raises(SettingsError, match="23 pictures; calibrating takes at least 24"):
        network.calibrate("avgpool", footage[:23])
    with pytest.raises(ShapeError):
        network.calibrate("avgpool", [*footage[:23], footage[23][0]])
