"""The choice of an engine is cached, and an engine chosen before is still checked."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from kits.bundles import tiny
from kits.engine_choice import Candidates
from kits.engines import too_large, warnings

from shared.engines.choosing.choice_store import ChoiceStore
from shared.network.partition import OUTPUT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def candidates(monkeypatch: pytest.MonkeyPatch) -> Candidates:
    return Candidates(monkeypatch)


def test_a_choice_is_cached_and_still_checked(
    candidates: Candidates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    candidates.ms["openvino/float32"] = 0.5
    measured = candidates.engine(cache_dir=str(tmp_path)).choice
    assert len(candidates.timed) == 3
    candidates.forget()
    candidates.ms["openvino/float16"] = 0.1  # not looked at
    engine = candidates.engine(cache_dir=str(tmp_path))
    assert engine.precision == "float32"
    assert (candidates.timed, candidates.built) == ([], ["openvino/float32"])
    assert candidates.checked == [("openvino/float32", "head", OUTPUT)]
    assert engine.choice == measured | {"how": "remembered"}
    assert "as measured at an earlier start: openvino/float32 0.5 ms" in caplog.records[-1].getMessage()


def test_what_was_measured_on_a_busy_machine_is_not_remembered(
    candidates: Candidates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    candidates.busy = True
    candidates.ms["openvino/float32"] = 0.5
    engine = candidates.engine(cache_dir=str(tmp_path))
    assert (engine.precision, engine.choice["how"]) == ("float32", "busy")
    assert list(tmp_path.iterdir()) == []
    assert "other processes kept the machine busy, so not kept" in caplog.records[-1].getMessage()
    candidates.busy = False
    candidates.ms["openvino/float32"] = 3.0
    assert candidates.make(cache_dir=str(tmp_path)) == "openvino/bfloat16"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_cached_choice_that_fails_its_check_is_made_again(
    candidates: Candidates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another version of an engine may fail where the old one did not; that is no reason not to start."""
    assert candidates.make(cache_dir=str(tmp_path)) == "openvino/bfloat16"
    candidates.distort["openvino/bfloat16"] = too_large
    assert candidates.make(cache_dir=str(tmp_path)) == "openvino/float16"
    assert warnings(caplog)[0].endswith("the engine is chosen anew")


def test_what_failed_its_check_is_not_tried_at_every_start(
    candidates: Candidates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It would fail again, as nothing that its answers depend on has changed."""
    caplog.set_level(logging.INFO)
    candidates.distort["openvino/bfloat16"] = too_large
    for failing, chosen, timed in ((), "float16", 2), (("openvino/float16",), "float32", 0):
        folder = tmp_path / chosen
        candidates.distort |= dict.fromkeys(failing, too_large)
        candidates.forget()
        first = candidates.engine(cache_dir=str(folder))
        assert (first.precision, len(candidates.timed)) == (chosen, timed)
        candidates.forget()
        again = candidates.engine(cache_dir=str(folder))
        assert candidates.built == [f"openvino/{chosen}"]
        assert again.choice == first.choice | {"how": "remembered"}
    assert caplog.records[-1].getMessage().endswith("; the only one that was asked for or that passed")


def test_what_failed_its_check_is_remembered_even_from_a_busy_machine(
    candidates: Candidates, tmp_path: Path
) -> None:
    candidates.busy = True
    candidates.distort["openvino/bfloat16"] = too_large
    for built in (["openvino/float32", "openvino/float16", "openvino/bfloat16"], None, None):
        candidates.forget()
        engine = candidates.engine(cache_dir=str(tmp_path))
        assert (engine.precision, engine.choice["how"]) == ("float16", "busy")
        assert candidates.built == (built or ["openvino/float32", "openvino/float16"])
    candidates.busy = False
    assert candidates.engine(cache_dir=str(tmp_path)).choice["how"] == "measured"
    candidates.forget()
    assert candidates.engine(cache_dir=str(tmp_path)).choice["how"] == "remembered"
    assert candidates.built == ["openvino/float16"]


def test_what_is_kept_of_failed_checks_may_be_damaged(candidates: Candidates, tmp_path: Path) -> None:
    everything = ["openvino/float32", "openvino/float16", "openvino/bfloat16"]
    for kept in ({"imprecise": everything}, {"imprecise": "openvino/float16"}, {"imprecise": [1, None, []]}):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "shared.engines.choosing.choice_store.Cache.load_json", lambda _, name, kept=kept: kept
            )
            candidates.forget()
            assert candidates.make(cache_dir=str(tmp_path)) == "openvino/bfloat16", kept
            assert candidates.built == everything, kept


def test_a_cached_choice_that_cannot_be_used_is_made_again(candidates: Candidates, tmp_path: Path) -> None:
    good = candidates.engine(cache_dir=str(tmp_path)).choice
    times = good["milliseconds"]
    for kept in (
        None,
        "openvino/float32",  # what earlier versions kept
        7,
        [],
        {},
        {"chosen": "torch/float32", "choice": good},
        {"chosen": "openvino/float64", "choice": good},
        {"chosen": None, "choice": good},
        {"chosen": "openvino/float32"},
        {"chosen": "openvino/float32", "choice": "measured"},
        {"chosen": "openvino/float32", "choice": {}},
        {"chosen": "openvino/float32", "choice": good | {"margin": "much"}},
        {"chosen": "openvino/float32", "choice": good | {"margin": None}},
        {"chosen": "openvino/float32", "choice": good | {"milliseconds": {}}},
        {"chosen": "openvino/float32", "choice": good | {"margin": float("nan")}},
        {"chosen": "openvino/float32", "choice": good | {"more": 1}},
        {"chosen": "openvino/float32", "choice": good | {"milliseconds": []}},
        {"chosen": "openvino/float32", "choice": good | {"milliseconds": times | {"x": {"minimum": 1}}}},
        {
            "chosen": "openvino/float32",
            "choice": good | {"milliseconds": times | {"x": {"minimum": 1, "median": True}}},
        },
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "shared.engines.choosing.choice_store.Cache.load_json", lambda _, name, kept=kept: kept
            )
            candidates.forget()
            assert candidates.make(cache_dir=str(tmp_path)) == "openvino/bfloat16", kept
            assert len(candidates.timed) == 3, kept


def test_a_damaged_choice_is_made_again(candidates: Candidates, tmp_path: Path) -> None:
    candidates.make(cache_dir=str(tmp_path))
    (path,) = tmp_path.iterdir()
    for text in ("", "torch", '{"chosen": "openvino/float32"}', "\0", "x" * 1000):
        path.write_text(text)
        candidates.forget()
        assert candidates.make(cache_dir=str(tmp_path)) == "openvino/bfloat16", text
        assert len(candidates.timed) == 3, text
        assert json.loads(path.read_text())["chosen"] == "openvino/bfloat16", text


def test_a_choice_is_for_one_request_only(candidates: Candidates, tmp_path: Path) -> None:
    points = tiny().partition.points
    variants: list[dict[str, Any]] = [
        {},
        {"threads": 1},
        {"streams": 2},
        {"point": points["conv"]},
        {"point": points["conv"], "kind": "tail"},
    ]
    for turn in range(2):
        for variant in variants:
            candidates.forget()
            candidates.make(cache_dir=str(tmp_path), **{"threads": 2} | variant)
            assert bool(candidates.timed) == (turn == 0), variant
    assert len(list(tmp_path.iterdir())) == len(variants)


def test_a_choice_is_for_one_machine_only(
    candidates: Candidates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home folder may be moved to, or shared with, a machine where another precision is the fastest."""
    candidates.make(cache_dir=str(tmp_path))
    for what, value in (("machine", "arm64, 8 cores"), ("processor_features", "avx"), ("_version", "2027.0")):
        monkeypatch.setattr(f"shared.engines.workbench.{what}", lambda *_, value=value: value)
        candidates.forget()
        candidates.make(cache_dir=str(tmp_path))
        assert candidates.timed, what


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


# --- processes that start together --------------------------------------------------------------------------------------


def test_what_another_process_has_measured_meanwhile_is_taken(
    candidates: Candidates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = candidates.engine(cache_dir=str(tmp_path / "other")).choice
    candidates.forget()
    usual = ChoiceStore.turn

    def turn(store: ChoiceStore) -> Any:
        shutil.copytree(tmp_path / "other", tmp_path / "cache")

        @contextlib.contextmanager
        def waiting() -> Any:
            with usual(store):
                yield True

        return waiting()

    monkeypatch.setattr(ChoiceStore, "turn", turn)
    engine = candidates.engine(cache_dir=str(tmp_path / "cache"))
    assert candidates.timed == []
    assert engine.choice == chosen | {"how": "remembered"}


def test_nothing_is_timed_before_that_may_begin_and_nobody_waits_for_a_remembered_choice(
    candidates: Candidates, tmp_path: Path
) -> None:
    seen: list[int] = []
    for _ in range(2):
        candidates.make(cache_dir=str(tmp_path), hold=lambda: seen.append(len(candidates.built)))
    assert candidates.timed
    assert seen == [0]
