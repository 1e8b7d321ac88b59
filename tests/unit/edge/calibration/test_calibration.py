"""From footage to a profile: what is read, what is measured, what is recommended, and what the command says."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from kits.profiles import SMALL, features, make_profile

from edge.__main__ import main
from edge.calibration.curve import Point, choose, divergence, measure, wilson
from edge.calibration.fit import Importance, Recipe, fit_profile
from edge.calibration.frames import read_pictures, variants
from edge.calibration.generic import profile_for
from edge.calibration.importance import measure_importance
from edge.calibration.recipes import POOLED_STEPS, SIGNED_STEPS, STEPS, recipes
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.profile import Profile
from shared.engines.torch_engine import TorchEngine
from shared.errors import SettingsError
from shared.load import Network
from shared.settings import KNOWN_NAMES, PREFIX


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """main() settles logs and threads for a whole process; here it is only a part of one."""
    for name in KNOWN_NAMES:
        monkeypatch.delenv(PREFIX + name, raising=False)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "1" if name.endswith("THREADS") else "passive")
    root, threads = logging.getLogger(), torch.get_num_threads()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    torch.set_num_threads(threads)


class Numbered:
    """A source whose frame n is the number n."""

    name = "numbered"

    def __init__(self, count: int, *, live: bool = False) -> None:
        self.count, self.live, self.read_so_far = count, live, 0

    def read(self):
        if self.read_so_far == self.count:
            return None
        self.read_so_far += 1
        return np.full((4, 4, 3), self.read_so_far - 1, np.int32)


def numbers(source: Numbered, most: int) -> list[int]:
    return [int(picture[0, 0, 0]) for picture in read_pictures(source, lambda frame: frame, most)]


@pytest.mark.parametrize("count", [1, 5, 20, 39, 40, 41, 377, 2000])
def test_frames_are_spread_over_the_whole_source(count):
    found = numbers(Numbered(count), 20)
    assert len(found) == min(20, count)
    assert found == sorted(set(found))
    assert found[0] == 0
    assert found[-1] >= count - 1 - count / 10
    if count > 40:
        gaps = np.diff(found)
        assert gaps.max() <= 3 * gaps.min()


def test_a_live_source_is_read_until_there_are_enough():
    source = Numbered(10**6, live=True)
    assert len(numbers(source, 20)) == 20
    assert source.read_so_far == 20


def test_an_endless_file_is_given_up():
    source = Numbered(10**6)
    assert len(numbers(source, 20)) == 20
    assert source.read_so_far <= 20_000


def test_variants_are_pictures_of_the_same_size_and_always_the_same():
    pictures = [np.random.default_rng(i).integers(0, 255, (32, 32, 3)).astype(np.uint8) for i in range(3)]
    first, again = variants(pictures, 7), variants(pictures, 7)
    assert len(first) == 7
    assert all(
        a.shape == (32, 32, 3) and a.dtype == np.uint8 and np.array_equal(a, b)
        for a, b in zip(first, again, strict=True)
    )
    assert not np.array_equal(first[0], first[3])
    assert variants(pictures, 0) == []


def test_wilson_against_published_numbers():
    """Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20)[0] == 0
    assert wilson(20, 20)[1] == 1


def test_divergence_is_that_of_two_distributions():
    logits = np.log(np.array([[0.5, 0.25, 0.25]], np.float32))
    given = np.log(np.array([[0.25, 0.5, 0.25]], np.float32))
    assert divergence(logits, given) == pytest.approx(0.25 * np.log(2), abs=1e-6)
    assert divergence(logits, logits + 3) == pytest.approx(0, abs=1e-6)


def point(step: float, size: float, agreement: float, kl: float = 0.1) -> Point:
    return Point(Recipe(step=step), size, agreement, 0, 1, kl, 100)


def test_the_cheapest_that_reaches_the_target_is_chosen():
    points = [point(1, 900, 0.99), point(2, 500, 0.96), point(3, 300, 0.9)]
    assert choose(points, 0.95) is points[1]
    assert choose(points, 0.9) is points[2]
    assert choose(points, 0.995) is points[0]


def test_without_one_the_nearest_is_chosen():
    points = [point(1, 900, 0.9, 0.2), point(2, 500, 0.9, 0.1), point(3, 300, 0.8)]
    assert choose(points, 0.95) is points[1]


def test_the_recipes_go_by_the_kind_of_tensor():
    def steps(shape, **kind):
        return [recipe.step for recipe in recipes(shape, **kind)]

    assert steps((8, 6, 6), signed=False, pooled=False) == list(STEPS)
    assert steps((8, 6, 6), signed=True, pooled=False) == list(SIGNED_STEPS)
    for shape, signed, pooled in (((16,), False, False), ((16,), True, False), ((8, 6, 6), False, True)):
        assert steps(shape, signed=signed, pooled=pooled) == list(POOLED_STEPS)
    assert {recipe.levels for recipe in recipes((5, 12), signed=True, pooled=False)} == {32}


def test_measuring_encodes_and_decodes_for_real():
    shape = (8, 6, 6)
    profile = make_profile(recipe=Recipe(step=0.1, levels=16, groups=2, context_rank=4))
    held_out = features(shape, 10, seed=8)
    weights = np.random.default_rng(0).standard_normal((8, 5)).astype(np.float32)

    def tail(batch):
        return batch.mean((2, 3)) @ weights

    logits = tail(np.stack(held_out))
    fine = measure(profile, Recipe(step=0.1), held_out, logits, tail)
    coarse = measure(
        make_profile(recipe=Recipe(step=6.0, groups=2, context_rank=4, corrector_rank=0)),
        Recipe(step=6),
        held_out,
        logits,
        tail,
    )
    assert fine.frames == 10
    assert fine.divergence < coarse.divergence
    assert fine.frame_bytes > coarse.frame_bytes > 56 + 16
    assert fine.low <= fine.agreement <= fine.high


def test_channels_and_positions_that_matter_get_finer_steps():
    tensors = features((8, 6, 6), 12)
    channels, positions = np.ones(8, np.float32), np.ones((6, 6), np.float32)
    channels[2], positions[3, 4] = 100.0, 100.0
    profile = fit_profile(
        tensors,
        SMALL,
        fingerprint=b"profile.",
        split_point="layer1",
        importance=Importance(channels, positions),
    )
    assert profile.arrays["step"].argmin() == 2
    assert profile.arrays["position_scale"].argmin() == 3 * 6 + 4


def test_importance_is_where_the_tail_looks(tiny_network):
    network = tiny_network
    tensors = [np.abs(tensor) for tensor in features(network.point.shape, 8)]
    importance = measure_importance(network.partition, network.point, tensors)
    assert importance.channels.shape == (network.point.shape[0],)
    assert importance.positions.shape == network.point.shape[1:]
    assert importance.channels.min() >= 0
    assert importance.channels.max() > 0


def test_a_tail_that_begins_with_a_mean_is_recognised(tiny_network):
    partition = tiny_network.partition
    for name, pooled in (("classifier.2", True), ("features", False)):
        point = partition.point(name)
        tensors = [np.abs(tensor) for tensor in features(point.shape, 4)]
        assert measure_importance(partition, point, tensors).pooled is pooled, name


@pytest.fixture(scope="module")
def tiny_network() -> Network:
    from shared.network.model import load_model
    from shared.network.partition import Partition

    model = load_model("squeezenet1_1", "random", seed=3)
    partition = Partition(model.network, model.recipe.tensor_shape)
    return Network(
        model, partition, partition.point("features.12.squeeze_activation"), TorchEngine(partition)
    )


def test_without_a_profile_one_is_fitted_to_drawn_frames_and_kept(
    tiny_network, tmp_path, caplog, monkeypatch
):
    monkeypatch.setattr("edge.calibration.generic._FRAMES", 6)
    monkeypatch.setattr("edge.calibration.generic._VARIANTS", 2)
    with caplog.at_level(logging.WARNING):
        profile = profile_for(tiny_network, None, str(tmp_path))
    assert "edge calibrate" in caplog.text
    assert (profile.fingerprint, profile.split_point) == (
        tiny_network.model.fingerprint,
        "features.12.squeeze_activation",
    )
    caplog.clear()
    again = profile_for(tiny_network, None, str(tmp_path))
    assert again.name == profile.name
    assert not caplog.records
    kept = next(tmp_path.iterdir())
    kept.write_bytes(b"damaged")
    assert (
        profile_for(tiny_network, None, str(tmp_path)).name == profile.name
    )  # the same frames, the same profile
    assert Profile.from_bytes(kept.read_bytes()).name == profile.name


def test_a_profile_that_does_not_fit_is_refused_by_what_is_wrong(tiny_network, tmp_path):
    network, path = tiny_network, tmp_path / "some.safetensors"
    fingerprint, shape = network.model.fingerprint, network.point.shape
    for profile, words in (
        (make_profile(), "fingerprint"),
        (make_profile(fingerprint, "classifier", shape[:1]), "--split-point classifier"),
    ):
        path.write_bytes(profile.data)
        with pytest.raises(SettingsError, match=words):
            profile_for(network, str(path), "")
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(SettingsError, match="not a profile"):
        profile_for(network, str(path), "")
    with pytest.raises(SettingsError, match="No such file"):
        profile_for(network, str(tmp_path / "absent"), "")


# --- the command --------------------------------------------------------------------------------------------------

NETWORK = [
    "--model",
    "squeezenet1_1",
    "--weights",
    "random",
    "--seed",
    "3",
    "--engine",
    "torch",
    "--cache-dir",
    "",
]


def calibrate(*flags: str) -> int:
    return main(["calibrate", *NETWORK, *flags])


def test_the_command_writes_a_profile_that_can_be_used(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("edge.calibration.frames.ENOUGH", 24)
    monkeypatch.setattr("edge.calibration.recipes.STEPS", (0.5, 2.0))
    path = tmp_path / "mine.safetensors"
    status = calibrate(
        "--split-point", "features.12.squeeze_activation", "--source", "synthetic:fps=0,frames=40", "--frames", "24",
        "--target-agreement", "0.5", "--profile", str(path),
    )  # fmt: skip
    out = capsys.readouterr().out
    assert status == 0
    assert "bytes/frame" in out
    assert "<- recommended" in out
    assert f"--codec calibrated --profile {path}" in out
    profile = Profile.from_bytes(path.read_bytes())
    Calibrated(profile)
    assert profile.split_point == "features.12.squeeze_activation"
    assert float(profile.about["frame_bytes"]) > 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.safetensors"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--split-point", "input"], "between the two ends"),
        (["--split-point", "output"], "between the two ends"),
        (["--source", "synthetic:fps=0,frames=3"], "at least 24"),
        (["--source", "/nowhere/clip.mp4"], "/nowhere/clip.mp4"),
        (["--profile", "/nowhere/at/all.safetensors"], "does not exist"),
        (["--target-agreement", "1.5"], "target-agreement"),
        (["--frames", "3"], "frames"),
        (["--tagret-agreement", "0.5"], "--target-agreement"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(flags, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert calibrate(*flags) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert list(Path().iterdir()) == []
