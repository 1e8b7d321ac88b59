"""The choice of an engine is cached, and an engine chosen before is still checked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from kits.edge import partition_of, tiny_model
from kits.engine_choice import Candidates
from kits.engines import too_large, warnings

from shared.network.partition import OUTPUT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def candidates(monkeypatch: pytest.MonkeyPatch) -> Candidates:
    return Candidates(monkeypatch)


def test_a_choice_is_cached_and_still_checked(candidates: Candidates, tmp_path: Path) -> None:
    candidates.seconds["openvino/float32"] = 0.5
    assert candidates.make(cache_dir=str(tmp_path)) == "openvino/float32"
    assert len(candidates.timed) == 3
    candidates.forget()
    candidates.seconds["torch/float32"] = 0.1  # not looked at
    assert candidates.make(cache_dir=str(tmp_path)) == "openvino/float32"
    assert (candidates.timed, candidates.built) == ([], ["openvino/float32"])
    assert candidates.checked == [("openvino/float32", "head", OUTPUT)]


def test_a_cached_choice_that_fails_its_check_is_made_again(
    candidates: Candidates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another version of an engine may fail where the old one did not; that is no reason not to start."""
    assert candidates.make(cache_dir=str(tmp_path)) == "openvino/bfloat16"
    candidates.distort["openvino/bfloat16"] = too_large
    assert candidates.make(cache_dir=str(tmp_path)) == "openvino/float32"
    assert warnings(caplog)


def test_a_cached_choice_that_is_none_of_the_candidates_is_made_again(
    candidates: Candidates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = []
    for cached in (
        None,
        "",
        "torch",
        "torch/float64",
        "openvino/float32\n",
        "\0",
        "x" * 1000,
        7,
        ["torch/float32"],
    ):
        with monkeypatch.context() as patch:
            patch.setattr("shared.engines.workbench.Cache.load_json", lambda _, name, cached=cached: cached)
            patch.setattr(
                "shared.engines.workbench.Cache.store_json", lambda *given: stored.append(given[1:])
            )
            candidates.forget()
            assert candidates.make(cache_dir=str(tmp_path)) == "openvino/bfloat16", cached
            assert len(candidates.timed) == 3, cached
    assert len(stored) == 9
    ((name, choice),) = set(stored)
    assert name.startswith("choice-")
    assert choice == "openvino/bfloat16"


def test_a_damaged_choice_is_made_again(candidates: Candidates, tmp_path: Path) -> None:
    candidates.make(cache_dir=str(tmp_path))
    (path,) = tmp_path.iterdir()
    for text in ("", "torch", '"torch/float64"', '"torch/float32"', "\0", "x" * 1000):
        path.write_text(text)
        candidates.forget()
        assert candidates.make(cache_dir=str(tmp_path)) == "openvino/bfloat16", text
        assert len(candidates.timed) == 3, text
        assert json.loads(path.read_text()) == "openvino/bfloat16", text


def test_a_choice_is_for_one_request_only(candidates: Candidates, tmp_path: Path) -> None:
    points = partition_of(tiny_model()).points
    variants: list[dict[str, Any]] = [
        {},
        {"threads": 1},
        {"streams": 2},
        {"point": points["conv"]},
        {"point": points["conv"], "kind": "tail"},
        {"name": "openvino"},
        {"precision": "float32"},
    ]
    for turn in range(2):
        for variant in variants:
            candidates.forget()
            candidates.make(cache_dir=str(tmp_path), **{"threads": 2} | variant)
            assert bool(candidates.timed) == (turn == 0), variant
    assert len(list(tmp_path.iterdir())) == len(variants)


def test_without_a_folder_nothing_is_cached(
    candidates: Candidates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    candidates.make(cache_dir="")
    candidates.make(cache_dir="")
    assert len(candidates.timed) == 6
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_used_is_no_reason_not_to_start(
    candidates: Candidates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("~nobody-of-this-name/cache", "/proc/nobody/may/write", "/dev/null"):
        for _ in range(2):
            assert candidates.make(cache_dir=folder) == "openvino/bfloat16", folder
    assert list(tmp_path.iterdir()) == []
