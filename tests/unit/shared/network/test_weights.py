"""Where weights come from, and that whatever cannot be had or trusted is refused. Nothing here touches a network."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from shared.errors import ModelError
from shared.network import weights
from shared.network.vision import get_model, get_model_weights
from shared.network.weights import fit, load_weights

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[4]
SMALL = "squeezenet1_1"
NAME = "IMAGENET1K_V1"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's folder for downloaded weights, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def offline(cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, float]]:
    """No download can be had; those that were tried."""
    tried = []

    def refuse(architecture: str, name: str, seconds: float) -> None:
        tried.append((architecture, name, seconds))
        raise ModelError("the download failed: no route to host")

    monkeypatch.setattr(weights, "_download", refuse)
    return tried


def small_state() -> dict[str, torch.Tensor]:
    return get_model(SMALL, weights=None).state_dict()


def cached_file(cache: Path) -> Path:
    return cache / Path(get_model_weights(SMALL)[NAME].url).name


# --- random -----------------------------------------------------------------------------------------------------------


def test_random_is_a_seed_and_the_first_recipe() -> None:
    chosen = load_weights(SMALL, "random", seed=3)
    assert (chosen.description, chosen.state, chosen.seed) == ("random:3", None, 3)
    assert chosen.recipe is next(iter(get_model_weights(SMALL)))


# --- auto and names ---------------------------------------------------------------------------------------------------


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


# --- the child that downloads -----------------------------------------------------------------------------------------


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[subprocess.Popen[str]]]:
    """Lets a shell script play Python; gives the list that its processes will be in.

    A script that is to be interrupted writes to `$READY` first: the parent's clock starts when it has.
    """
    ready = tmp_path / "ready"
    processes: list[subprocess.Popen[str]] = []

    class Recorded(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            processes.append(self)

        def communicate(self, *args: object, **kwargs: object) -> tuple[str, str]:
            if ready.exists():
                ready.read_text()  # a pipe: returns when the script has written
                ready.unlink()
            return super().communicate(*args, **kwargs)

    def play(script: str) -> list[subprocess.Popen[str]]:
        if "$READY" in script:
            os.mkfifo(ready)
        executable = tmp_path / "python"
        executable.write_text(f"#!/bin/sh\nREADY='{ready}'\n{script}\n")
        executable.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(executable))
        monkeypatch.setattr(subprocess, "Popen", Recorded)
        return processes

    return play


@pytest.mark.parametrize(
    ("script", "killed_by"),
    [
        ("trap - INT; echo > $READY; exec sleep 1000", signal.SIGINT),
        ("trap '' INT; echo > $READY; exec sleep 1000", signal.SIGKILL),
    ],
    ids=["that heeds an interrupt", "that does not"],
)
def test_a_download_that_hangs_is_ended(
    script: str, killed_by: signal.Signals, child, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    monkeypatch.setattr(weights, "AUTO_SECONDS", 0.01)
    processes = child(script)
    assert load_weights(SMALL, "auto").description == "random:0"
    (process,) = processes
    assert process.returncode == -killed_by
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "the download did not finish within" in warning.getMessage()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo Traceback >&2; echo 'URLError: no route to host' >&2; exit 1", "URLError: no route to host"),
        ("exit 3", "no reason given"),
    ],
)
def test_a_download_that_fails_gives_its_last_line_as_the_reason(
    script: str, reason: str, child, cache: Path
) -> None:
    child(script)
    with pytest.raises(
        ModelError,
        match=f"^weights .* of .*: the download failed: {reason}; give the path of a state dict, or random$",
    ):
        load_weights(SMALL, NAME)


def test_the_child_is_told_what_to_fetch(child, cache: Path, tmp_path: Path) -> None:
    torch.save(small_state(), tmp_path / "fetched")
    child(f"echo \"$@\" > '{tmp_path}/arguments'; mv '{tmp_path}/fetched' '{cached_file(cache)}'")
    assert load_weights(SMALL, NAME).state is not None
    assert (tmp_path / "arguments").read_text().split() == ["-m", "shared.network.weights", SMALL, NAME]


def test_the_child_ends_well_when_the_weights_are_there(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(small_state(), cached_file(cache))
    monkeypatch.chdir(ROOT)
    weights._download(SMALL, NAME, 120)


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_state_dict_is_taken_by_its_path(tmp_path: Path) -> None:
    state = small_state()
    torch.save(state, tmp_path / "mine.pth")
    chosen = load_weights(SMALL, str(tmp_path / "mine.pth"))
    assert chosen.description == "file:mine.pth"
    assert chosen.recipe is next(iter(get_model_weights(SMALL)))
    assert chosen.state is not None
    assert chosen.state.keys() == state.keys()


def test_a_path_may_start_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    torch.save(small_state(), tmp_path / "mine.pth")
    assert load_weights(SMALL, "~/mine.pth").description == "file:mine.pth"


@pytest.mark.parametrize("member", list(get_model_weights("mobilenet_v2")), ids=lambda member: member.name)
def test_a_file_named_as_torchvisions_takes_that_recipe(member, tmp_path: Path) -> None:
    path = tmp_path / Path(member.url).name
    torch.save({"a": torch.zeros(1)}, path)
    assert load_weights("mobilenet_v2", str(path)).recipe is member


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


@pytest.mark.parametrize("content", [b"", b"not a state dict", b"PK\x03\x04" + bytes(60), bytes(1000)])
def test_bytes_that_torch_did_not_write_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd.pth").write_bytes(content)
    with pytest.raises(ModelError, match=r"odd\.pth: not a state dict that can be read safely \(.+\)"):
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


# --- fitting ----------------------------------------------------------------------------------------------------------


def network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))


def test_a_state_that_fits_is_loaded() -> None:
    state = {name: value + 1 for name, value in network().state_dict().items()}
    target = network()
    fit(target, state, "w")
    assert all(torch.equal(value, state[name]) for name, value in target.state_dict().items())


def test_float16_on_disk_becomes_float32() -> None:
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in network().state_dict().items()
    }
    target = network()
    fit(target, state, "w")
    assert target[0].weight.dtype == torch.float32
    assert torch.equal(target[0].weight, state["0.weight"].float())


def test_values_are_taken_over_where_they_can_be_and_converted_in_place_where_not() -> None:
    """Never both at once: a network would lie in memory twice."""
    state = network().state_dict()
    kept, halved = state["0.weight"], state["0.bias"].half()
    state["0.bias"] = halved
    target = network()
    fit(target, state, "w")
    assert target[0].weight.data_ptr() == kept.data_ptr()
    assert state["0.bias"].dtype == torch.float32
    assert target[0].bias.data_ptr() == state["0.bias"].data_ptr()
    assert torch.equal(target[0].bias, halved.float())


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.repeat(2, 1)[: len(value)],
        lambda value: value.repeat(1, 2)[:, : value.shape[1]],
        lambda value: value.t().contiguous().t(),
        torch.Tensor.double,
        torch.nn.Parameter,
    ],
    ids=["part of a larger one", "with gaps", "transposed", "of another type", "that is trained"],
)
def test_a_network_keeps_of_a_tensor_only_what_it_needs(
    change: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    state = network().state_dict()
    before = state["0.weight"].clone()
    state["0.weight"] = change(state["0.weight"])
    target = network().requires_grad_(requires_grad=False)
    fit(target, state, "w")
    weight = target[0].weight
    assert torch.equal(weight, before)
    assert weight.is_contiguous()
    assert weight.untyped_storage().nbytes() == weight.nbytes
    assert not weight.requires_grad


def test_a_buffer_stays_a_buffer_whatever_it_was_saved_as() -> None:
    state = network().state_dict()
    state["1.running_var"] = torch.nn.Parameter(state["1.running_var"])
    target = network()
    fit(target, state, "w")
    assert "1.running_var" in dict(target.named_buffers())
    assert not target[1].running_var.requires_grad


def test_a_network_without_values_gets_all_of_them() -> None:
    with torch.device("meta"):
        target = network()
    fit(target, network().state_dict(), "w")
    assert {value.device.type for value in target.state_dict().values()} == {"cpu"}


def test_a_state_without_batch_counters_fits() -> None:
    state = {name: value for name, value in network().state_dict().items() if "num_batches" not in name}
    fit(network(), state, "w")


def test_every_kind_of_difference_is_counted_and_the_first_named() -> None:
    state = network().state_dict()
    del state["1.running_var"]
    state["0.weigth"] = state.pop("0.weight")
    state["0.bias"] = torch.zeros(4)
    target = network()
    before = {name: value.clone() for name, value in target.state_dict().items()}
    with pytest.raises(ModelError) as refusal:
        fit(target, state, "weights file:w.pth do not fit net")
    assert str(refusal.value) == (
        "weights file:w.pth do not fit net: 2 parameters missing, 1 unknown, 1 of another shape; "
        "first: 0.weight; 0.weigth; 0.bias is (4,), not (3,)"
    )
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["0.weight", "1.running_var"])
def test_weights_that_are_not_finite_are_refused(name: str, value: float) -> None:
    state = {key: tensor.clone() for key, tensor in network().state_dict().items()}
    state[name].view(-1)[-1] = value
    with pytest.raises(ModelError, match="w: some weights are NaN or infinite"):
        fit(network(), state, "w")


def test_a_tensor_without_elements_is_finite() -> None:
    target = torch.nn.Module()
    target.register_buffer("nothing", torch.zeros(0))
    fit(target, {"nothing": torch.zeros(0)}, "w")
