"""The flags of `splitdnn bundle --int8`, and what it prints and leaves behind."""

from __future__ import annotations

import argparse
import importlib.util
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from kits import int8_bundle, quantised

from shared.bundling.int8 import maker
from shared.bundling.int8.command import (
    add_int8_flags,
    check_int8_flags,
    describe_int8,
    make_and_tell,
)
from shared.bundling.int8.maker import MIN_PICTURES
from shared.bundling.report import describe_bundle
from shared.errors import ModelError, SettingsError, SourceError
from shared.network.bundle import float_of, read_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def given(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    add_int8_flags(parser)
    return parser.parse_args(flags)


@pytest.fixture
def _nncf(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())


@pytest.mark.usefixtures("_nncf")
def test_flags_that_do_not_go_together_are_refused() -> None:
    for flags, message in (
        (["--calibrate", "x"], "--calibrate, --pictures, --min-agreement and --portable are for --int8"),
        (["--min-agreement", "0.9"], "are for --int8, which is not given"),
        (["--pictures", "300"], "are for --int8, which is not given"),
        (["--portable"], "are for --int8, which is not given"),
        (["--int8"], "--int8 needs --calibrate SOURCE"),
        (["--int8", "--calibrate", "x", "--list"], "--list writes nothing"),
        (["--int8", "--calibrate", "x", "--min-agreement", "1.5"], "--min-agreement 1.5: accepted: 0 to 1"),
        (
            ["--int8", "--calibrate", "x", "--pictures", "3"],
            f"--pictures 3: accepted: {MIN_PICTURES} to 10000",
        ),
    ):
        with pytest.raises(SettingsError, match=message):
            check_int8_flags(given(*flags))
    check_int8_flags(given())
    check_int8_flags(given("--int8", "--calibrate", "x", "--min-agreement", "0.9"))


def test_without_nncf_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"pip install 'splitdnn\[int8\]'"):
        check_int8_flags(given("--int8", "--calibrate", "x"))


@pytest.fixture
def _quantiser() -> Iterator[None]:
    with int8_bundle.without_nncf():
        yield


def make(folder: Path, *flags: str, pictures: object = None) -> None:
    def read(source: str, _recipe: object, most: int, progress: object) -> object:
        assert (source, most) == ("photographs", 50)
        progress(1)  # type: ignore[operator]
        if isinstance(pictures, Exception):
            raise pictures
        return quantised.pictures(most)

    options = given("--int8", "--calibrate", "photographs", "--pictures", "50", *flags)
    make_and_tell(folder, options, read, int8_bundle.fill_float)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.usefixtures("_quantiser")
def test_both_bundles_lie_beside_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "net"
    make(folder, "--min-agreement", "0.5")
    int8, other = read_bundle(folder), read_bundle(float_of(folder))
    assert int8.manifest.int8 is not None
    assert int8.manifest.int8.float_fingerprint == other.manifest.fingerprint
    printed = capsys.readouterr()
    assert "the first layers in float: agreement" in printed.out
    assert "% on 17 pictures that were held out; 95 % interval" in printed.out
    assert "head then tail equals the whole bit for bit at" in printed.out
    assert f"run it with --model {folder}" in printed.out
    assert "calibrating, the first layers in float …" in printed.err
    assert "held-out pictures" in describe_bundle(int8, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net", "net.float"]


@pytest.mark.slow
@pytest.mark.usefixtures("_quantiser")
def test_a_network_that_is_not_worth_it_is_written_in_float(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with mock.patch.object(maker, "speed_gain", lambda *_: 1.0):
        make(tmp_path / "net", "--min-agreement", "0.5")
    assert read_bundle(tmp_path / "net").manifest.precision == "float32"
    assert "It stays in float32: int8 is only 1.00 times as fast here" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


@pytest.mark.slow
@pytest.mark.usefixtures("_quantiser")
def test_pictures_that_cannot_be_read_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        make(tmp_path / "net", pictures=SourceError("no such folder"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_split_points_that_are_left_out_are_named() -> None:
    network, report = int8_bundle.made()
    text = describe_int8(report, 0.5, network)
    assert report.left_out
    assert f"left out   {', '.join(report.left_out[:8])}" in text
