"""Without PyAV the codecs of video are known, and say what is missing."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import av
import numpy as np
import pytest
from kits.codecs import VIDEO_CODECS, frame_of, name_of
from kits.videos import NONE

from shared.codecs import CODECS, codec_of, known_codecs, make_codec
from shared.codecs.video import kinds
from shared.codecs.video.kinds import PYAV
from shared.errors import CodecError, SettingsError

every_codec = pytest.mark.parametrize("codec", VIDEO_CODECS, ids=name_of)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "find_spec", lambda name: None if name == "av" else pytest.fail(name))


@every_codec
def test_a_side_without_it_has_the_others(without, codec) -> None:
    assert codec.name not in known_codecs()
    assert {"jpeg", "raw", "int8"} <= set(known_codecs())
    assert codec_of(frame_of(CODECS[66], codec_id=codec.id).tensors[0]) is codec


@every_codec
def test_who_names_one_is_told_what_to_install(without, codec) -> None:
    with pytest.raises(SettingsError, match=f"{codec.name} needs PyAV.*pip install av=={PYAV}"):
        make_codec(codec.name)
    with pytest.raises(CodecError, match="needs PyAV"):
        codec.encode(np.zeros((8, 8, 3), np.uint8))


@every_codec
def test_a_frame_of_one_is_refused_by_name(codec, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = codec.encode(np.zeros((8, 8, 3), np.uint8)).payload
    monkeypatch.setattr(kinds, "find_spec", lambda name: None)
    with pytest.raises(CodecError, match="needs PyAV"):
        codec.decode(NONE, payload, (8, 8, 3))


@every_codec
def test_a_build_without_its_encoder_is_said_so(codec, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str, mode: str) -> None:
        raise av.codec.codec.UnknownCodecError(name)

    monkeypatch.setattr(sys.modules["av"].codec, "Codec", unknown)
    with pytest.raises(SettingsError, match=f"{codec.kind.encoder}, which this PyAV .* was built without"):
        make_codec(codec.name)


def test_the_version_is_the_one_that_is_installed() -> None:
    project = tomllib.loads(
        (Path(__file__).resolve().parents[5] / "pyproject.toml").read_text(encoding="utf-8")
    )
    extras = project["project"]["optional-dependencies"]
    assert f"av=={PYAV}" in extras["edge"]
    assert f"av=={PYAV}" in extras["cloud"]
