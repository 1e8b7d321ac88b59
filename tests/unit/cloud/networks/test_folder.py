"""The folder of a bundle: which setting names one, and what shows that it was changed."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from kits.numpy_network import write_bundle

from cloud.networks.folder import ABSENT, BundleFolder
from shared.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_with_a_manifest_is_followed_and_no_other_source(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    folder = BundleFolder.named(str(bundle.folder))
    assert folder
    assert folder.read().manifest.digest == bundle.manifest.digest
    for model in ("resnet50", "mynet.py:build", "timm:vit", str(tmp_path / "net.onnx"), "a\0b", "x" * 5000):
        assert BundleFolder.named(model) is None, model[:40]


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no bundle\.json"):
        BundleFolder.named(str(tmp_path))


def test_its_state_changes_with_every_file_and_with_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    write_bundle(path)
    folder = BundleFolder(path)
    states = [folder.state()]
    assert folder.state() == states[0]
    (path / "notes.txt").write_text("of no use")
    assert folder.state() == states[0]
    for name in ("bundle.json", "network.xml", "network.bin", "probe.safetensors"):
        data = (path / name).read_bytes()
        (path / "copy").write_bytes(data)
        os.replace(path / "copy", path / name)  # noqa: PTH105 - what a copying program does
        states.append(folder.state())
    (path / "network.bin").unlink()
    states.append(folder.state())
    path.rename(tmp_path / "bundle.previous")
    assert folder.state() == ABSENT
    (tmp_path / "bundle.previous").rename(path)
    assert folder.state() == states[-1]
    shutil.rmtree(path)
    assert folder.state() == ABSENT
    assert len(set(states)) == len(states)


def test_what_lies_there_is_verified(tmp_path: Path) -> None:
    write_bundle(tmp_path)
    (tmp_path / "network.bin").write_bytes(b"tampered with")
    with pytest.raises(ModelError, match=r"network\.bin is not the file that was written"):
        BundleFolder(tmp_path).read()
