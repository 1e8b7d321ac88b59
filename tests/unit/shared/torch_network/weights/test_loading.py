"""Where weights come from, and that whatever cannot be had or trusted is refused. Nothing here touches a network."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from kits.naming import naming
from kits.weights import NAME, SMALL, cached_file, small_state

from shared.errors import ModelError
from shared.torch_network.vision import get_model_weights
from shared.torch_network.weights import loading
from shared.torch_network.weights.loading import load_weights


@pytest.fixture
def offline(cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, float]]:
    """No download can be had; those that were tried."""
    tried = []

    def refuse(command: list[str], seconds: float) -> None:
        tried.append((*command[-2:], seconds))
        raise ModelError("the download failed: no route to host")

    monkeypatch.setattr(loading, "download", refuse)
    return tried


def test_random_is_a_seed_and_the_first_published_set() -> None:
    chosen = load_weights(SMALL, "random", seed=3)
    assert (chosen.description, chosen.checkpoint, chosen.seed) == ("random:3", None, 3)
    assert chosen.published is next(iter(get_model_weights(SMALL)))


def test_auto_without_a_download_says_so_once_and_is_random(
    offline: list[tuple[str, str, float]], caplog: pytest.LogCaptureFixture
) -> None:
    chosen = load_weights(SMALL, "auto", seed=4)
    assert (chosen.description, chosen.checkpoint, chosen.seed) == ("random:4", None, 4)
    assert offline == [(SMALL, NAME, loading.AUTO_SECONDS)]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "no route to host" in record.getMessage()
    assert "seed 4" in record.getMessage()


def test_auto_takes_what_lies_in_the_cache(
    cache: Path, offline: list[tuple[str, str, float]], caplog: pytest.LogCaptureFixture
) -> None:
    state = small_state()
    torch.save(state, cached_file(cache))
    chosen = load_weights(SMALL, "auto")
    assert chosen.description == NAME
    found, notes = chosen.state_for(state)
    assert all(torch.equal(value, state[name]) for name, value in found.items())
    assert notes == ()
    assert offline == []
    assert caplog.records == []


def test_auto_with_a_damaged_file_in_the_cache_says_so_once_and_is_random(
    cache: Path, offline: list[tuple[str, str, float]], caplog: pytest.LogCaptureFixture
) -> None:
    cached_file(cache).write_bytes(b"half a file")
    assert load_weights(SMALL, "auto").checkpoint is None
    (record,) = caplog.records
    assert f"weights {NAME} of {SMALL} cannot be read" in record.getMessage()


@pytest.mark.parametrize("choice", [NAME, "DEFAULT"])
def test_a_name_that_cannot_be_had_is_an_error(
    choice: str, offline: list[tuple[str, str, float]], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ModelError, match="no route to host"):
        load_weights(SMALL, choice)
    assert offline == [(SMALL, NAME, loading.NAMED_SECONDS)]
    assert caplog.records == []


def test_a_name_in_the_cache_is_loaded(cache: Path, offline: list[tuple[str, str, float]]) -> None:
    torch.save(small_state(), cached_file(cache))
    assert load_weights(SMALL, "DEFAULT").description == NAME
    assert offline == []


def test_a_set_without_a_classifier_is_refused(
    monkeypatch: pytest.MonkeyPatch, offline: list[object]
) -> None:
    member = get_model_weights(SMALL)[NAME]
    monkeypatch.delitem(member.meta, "categories")
    with pytest.raises(ModelError, match=f"weights {NAME} of {SMALL} have no classifier"):
        load_weights(SMALL, NAME)
    assert offline == []


def test_an_unknown_choice_is_refused_with_what_is_accepted(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as refusal:
        load_weights(SMALL, str(tmp_path / "none.pth"))
    assert "no such file" in str(refusal.value)
    assert f"accepted: auto, random, {NAME}, DEFAULT, or the path of a state dict" in str(refusal.value)


def test_a_state_dict_is_taken_by_its_path(tmp_path: Path) -> None:
    state = small_state()
    torch.save(state, tmp_path / "mine.pth")
    chosen = load_weights(SMALL, str(tmp_path / "mine.pth"))
    assert chosen.description == "file:mine.pth"
    assert chosen.published is next(iter(get_model_weights(SMALL)))
    assert chosen.state_for(state)[0].keys() == state.keys()
    assert chosen.given == str((tmp_path / "mine.pth").resolve())


def test_a_path_may_start_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    torch.save(small_state(), tmp_path / "mine.pth")
    assert load_weights(SMALL, "~/mine.pth").description == "file:mine.pth"


def test_the_recipe_does_not_hang_on_a_files_name(tmp_path: Path) -> None:
    known = get_model_weights("mobilenet_v2")
    for member in known:
        path = tmp_path / Path(member.url).name
        torch.save({"a": torch.zeros(1)}, path)
        with naming(member.name):
            assert load_weights("mobilenet_v2", str(path)).published is next(iter(known))
