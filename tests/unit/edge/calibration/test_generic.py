"""The profile of an edge that was not calibrated, and a user's own file."""

from __future__ import annotations

import logging

import pytest
from kits.profiles import make_profile

from edge.calibration.generic import profile_for
from shared.codecs.calibrated.profile import Profile
from shared.errors import SettingsError


def test_without_a_profile_one_is_fitted_to_drawn_frames_and_kept(
    tiny_network, tmp_path, caplog, monkeypatch
):
    monkeypatch.setattr("edge.calibration.generic._FRAMES", 6)
    monkeypatch.setattr("edge.calibration.generic._VARIANTS", 2)
    with caplog.at_level(logging.WARNING):
        profile = profile_for(tiny_network, None, str(tmp_path))
    assert "edge calibrate" in caplog.text
    assert profile.about["format"] == "splitdnn-profile-1"  # nobody chose it, so every cloud must read it
    assert (profile.fingerprint, profile.split_point) == (
        tiny_network.model.fingerprint,
        tiny_network.point.name,
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
