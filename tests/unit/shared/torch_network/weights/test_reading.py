"""Files of weights: unwrapped, or refused with what they hold. Nothing in them is ever run."""

from __future__ import annotations

import argparse
import collections
import os
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from kits.naming import naming
from safetensors.torch import save_file

from shared.errors import ModelError
from shared.torch_network.weights.reading import find_file, read_checkpoint

STATE = {"a.weight": torch.arange(3.0), "a.bias": torch.zeros(1)}


def written(folder: Path, content: object) -> Path:
    path = folder / "odd.pth"
    torch.save(content, path)
    return path


def test_state_dicts_are_found_under_whatever_keys_lead_to_them(tmp_path: Path) -> None:
    cases = {
        "": STATE,
        "state_dict": {
            "state_dict": STATE,
            "epoch": 3,
            "optimizer": {"state": {0: {"exp_avg": torch.zeros(1)}}},
        },
        "model": {"model": STATE, "args": argparse.Namespace(lr=0.1, out=PurePosixPath("x"))},
        "ema.module.net": {"ema": {"module": {"net": STATE}}},
        "net": {"net": STATE, "best": np.float64(0.5), "scores": collections.defaultdict(list, {"a": [1]})},
        "params": {"params": STATE, "config": SimpleNamespace(depth=3), "date": None},
    }
    for key, content in cases.items():
        checkpoint = read_checkpoint(written(tmp_path, content))
        with naming(key):
            assert list(checkpoint.states) == [key]
            assert checkpoint.states[key].keys() == STATE.keys()
            assert torch.equal(checkpoint.states[key]["a.weight"], STATE["a.weight"])


class Config(dict):  # type: ignore[type-arg]
    """A mapping of one's own, as configuration libraries have."""


def test_mappings_of_other_classes_in_a_checkpoint_do_not_matter(tmp_path: Path) -> None:
    content = {"state_dict": STATE, "config": Config(depth=3, inner=Config(width=4))}
    assert list(read_checkpoint(written(tmp_path, content)).states) == ["state_dict"]


def test_counters_of_operations_and_other_values_are_no_weights(tmp_path: Path) -> None:
    content = {
        **STATE,
        "total_ops": torch.zeros(1),
        "a.total_params": torch.zeros(1),
        "epoch": 4,
        7: torch.zeros(1),
    }
    assert read_checkpoint(written(tmp_path, content)).states[""].keys() == STATE.keys()


def test_safetensors_are_read(tmp_path: Path) -> None:
    for name in ("mine.safetensors", "mine.bin"):
        save_file(STATE, tmp_path / name)
        with naming(name):
            states = read_checkpoint(tmp_path / name).states
            assert torch.equal(states[""]["a.weight"], STATE["a.weight"])
    (tmp_path / "mine.safetensors").write_bytes(b"half a file")
    with pytest.raises(
        ModelError, match=r"mine\.safetensors: not a safetensors file that can be read \(.+\)$"
    ):
        read_checkpoint(tmp_path / "mine.safetensors")


def test_a_key_says_which(tmp_path: Path) -> None:
    path = written(tmp_path, {"model": STATE, "model_ema": STATE})
    assert find_file(f"{path}:model_ema") == (path, "model_ema")
    assert find_file(str(path)) == (path, None)
    assert find_file(f"{path}x:model_ema") is None
    assert list(read_checkpoint(path, "model_ema").states) == ["model_ema"]
    with pytest.raises(
        ModelError, match=r"no state dict under 'ema'; those under 'model', 'model_ema' can be had$"
    ):
        read_checkpoint(path, "ema")


def test_a_file_whose_name_has_a_colon_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "run:best"
    torch.save(STATE, path)
    assert find_file(str(path)) == (path, None)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (torch.zeros(3), "but Tensor"),
        ([1, 2], "but list"),
        ({"a": 1, "b": "c"}, "but a mapping with the keys 'a', 'b'"),
        ({0: torch.zeros(1)}, "but a mapping with the keys 0"),
        (None, "but NoneType"),
        ({}, "but dict"),
    ],
    ids=["tensor", "list", "numbers", "numbered", "none", "empty"],
)
def test_a_file_that_is_no_state_dict_is_refused_with_what_it_is(
    content: object, what: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=rf"odd\.pth: not a state dict \(a mapping .*{what}$"):
        read_checkpoint(written(tmp_path, content))


def test_a_whole_model_is_refused_with_what_to_save(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    for content in (model, {"model": model, "epoch": 3}):
        with pytest.raises(ModelError) as refusal:
            read_checkpoint(written(tmp_path, content))
        assert str(refusal.value).endswith(
            "holds a whole pickled object (torch.nn.modules.container.Sequential), which is code; save its weights instead: "
            "torch.save(model.state_dict(), FILE)"
        )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_archive_is_refused_with_what_to_save(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "odd.pt")
    with pytest.raises(
        ModelError, match=r"odd\.pt: a TorchScript archive, .* torch\.save\(model\.state_dict\(\), FILE\)$"
    ):
        read_checkpoint(tmp_path / "odd.pt")


def test_bytes_that_torch_did_not_write_are_refused(tmp_path: Path) -> None:
    refused = r"odd\.pth: not a state dict that can be read safely \(.+\)$"
    for content in (b"", b"not a state dict", b"PK\x03\x04" + bytes(60), bytes(1000)):
        (tmp_path / "odd.pth").write_bytes(content)
        with naming(content[:8]), pytest.raises(ModelError, match=refused):
            read_checkpoint(tmp_path / "odd.pth")


class Intruder:
    """What unpickling would run."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


def test_a_file_with_code_is_refused_and_the_code_does_not_run(tmp_path: Path) -> None:
    folder = str(tmp_path / "intruded")
    for call in (
        (os.mkdir, folder),
        (eval, f"__import__('os').mkdir({folder!r})"),
        (exec, f"open({folder!r}, 'w')"),
    ):
        for content in ({"a": Intruder(*call)}, {**STATE, "a": Intruder(*call)}):
            with naming(call), pytest.raises(ModelError, match="not a state dict that can be read safely"):
                read_checkpoint(written(tmp_path, content))
            assert not Path(folder).exists()


class Recorder:
    """A harmless class of the user's: it is not imported, made or told anything."""

    made = 0

    def __init__(self) -> None:
        self.depth = 3
        Recorder.made += 1

    def __setstate__(self, state: object) -> None:
        raise AssertionError(state)


def test_classes_of_the_users_are_not_used(tmp_path: Path) -> None:
    path = written(tmp_path, {"net": STATE, "recorder": Recorder()})
    before = Recorder.made
    assert list(read_checkpoint(path).states) == ["net"]
    assert Recorder.made == before


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="this is a folder; give the path of a state dict in it"):
        read_checkpoint(tmp_path)
