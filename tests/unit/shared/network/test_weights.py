"""Where weights come from, and that whatever cannot be had or trusted is refused. Nothing here touches a network."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import torch
from kits.naming import naming
from kits.weights import NAME, SMALL, cached_file, small_state
from shared.network.vision import get_model_weights
from shared.network.weights import load_weights

from shared.errors import ModelError
from shared.network import weights


@pytest.fixture
def offline(cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, float]]:
    """No download can be had; those that were tried."""
    tried = []

    def refuse(architecture: str, name: str, seconds: float) -> None:
        tried.append((architecture, name, seconds))
        raise ModelError("the download failed: no route to host")

    monkeypatch.setattr(weights, "_download", refuse)
    return tried


def test_random_is_a_seed_and_the_first_published_set() -> None:
    chosen = load_weights(SMALL, "random", seed=3)
    assert (chosen.description, chosen.state, chosen.seed) == ("random:3", None, 3)
    assert chosen.published is next(iter(get_model_weights(SMALL)))


def test_auto_without_a_download_says_so_once_and_is_random(
    offline: list[tuple[str, str, float]], caplog: pytest.LogCaptureFixture
) -> None:
    chosen = load_weights(SMALL, "auto", seed=4)
    assert (chosen.description, chosen.state, chosen.seed) == ("random:4", None, 4)
    assert offline == [(SMALL, NAME, weights.AUTO_SECONDS)]
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
    assert chosen.state is not None
    assert all(torch.equal(value, state[name]) for name, value in chosen.state.items())
    assert offline == []
    assert caplog.records == []


def test_auto_with_a_damaged_file_in_the_cache_says_so_once_and_is_random(
    cache: Path, offline: list[tuple[str, str, float]], caplog: pytest.LogCaptureFixture
) -> None:
    cached_file(cache).write_bytes(b"half a file")
    assert load_weights(SMALL, "auto").state is None
    (record,) = caplog.records
    assert f"weights {NAME} of {SMALL} cannot be read" in record.getMessage()


@pytest.mark.parametrize("choice", [NAME, "DEFAULT"])
def test_a_name_that_cannot_be_had_is_an_error(
    choice: str, offline: list[tuple[str, str, float]], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ModelError, match="no route to host"):
        load_weights(SMALL, choice)
    assert offline == [(SMALL, NAME, weights.NAMED_SECONDS)]
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
    assert chosen.state is not None
    assert chosen.state.keys() == state.keys()


def test_a_path_may_start_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    torch.save(small_state(), tmp_path / "mine.pth")
    assert load_weights(SMALL, "~/mine.pth").description == "file:mine.pth"


@pytest.mark.parametrize("member", list(get_model_weights("mobilenet_v2")), ids=lambda member: member.name)
def test_a_file_named_as_torchvisions_stands_for_that_set(member, tmp_path: Path) -> None:
    path = tmp_path / Path(member.url).name
    torch.save({"a": torch.zeros(1)}, path)
    assert load_weights("mobilenet_v2", str(path)).published is member


@pytest.mark.parametrize(
    "content",
    [torch.zeros(3), [1, 2], {"a": 1}, {"state_dict": {"a": torch.zeros(1)}}, {0: torch.zeros(1)}, None],
    ids=["tensor", "list", "numbers", "nested", "numbered", "none"],
)
def test_a_file_that_is_no_state_dict_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(ModelError, match=r"odd\.pth: not a state dict \(a mapping"):
        load_weights(SMALL, str(tmp_path / "odd.pth"))


@pytest.mark.parametrize(
    "odd", [torch.eye(3).to_sparse(), torch.empty(3, 3, device="meta")], ids=["sparse", "without values"]
)
def test_tensors_that_no_network_can_use_are_refused(odd: torch.Tensor, tmp_path: Path) -> None:
    torch.save({"a": torch.eye(3), "b.weight": odd}, tmp_path / "odd.pth")
    with pytest.raises(
        ModelError, match=r"odd\.pth: b\.weight is sparse, quantised, nested or without values"
    ):
        load_weights(SMALL, str(tmp_path / "odd.pth"))


def test_bytes_that_torch_did_not_write_are_refused(tmp_path: Path) -> None:
    refused = r"odd\.pth: not a state dict that can be read safely \(.+\)"
    for content in (b"", b"not a state dict", b"PK\x03\x04" + bytes(60), bytes(1000)):
        (tmp_path / "odd.pth").write_bytes(content)
        with naming(content[:8]), pytest.raises(ModelError, match=refused):
            load_weights(SMALL, str(tmp_path / "odd.pth"))


class Intruder:
    """What unpickling would run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_a_file_with_code_is_refused_and_the_code_does_not_run(tmp_path: Path) -> None:
    torch.save({"a": Intruder(tmp_path / "intruded")}, tmp_path / "evil.pth")
    with pytest.raises(ModelError, match="not a state dict that can be read safely"):
        load_weights(SMALL, str(tmp_path / "evil.pth"))
    assert not (tmp_path / "intruded").exists()
