"""The files of a bundle as clients fetch them: those of one bundle, whatever becomes of its folder."""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from kits.numpy_network import write_bundle

from bench.harness.process import open_files
from cloud.networks.files import BundleFiles
from shared.errors import ModelError
from shared.network.manifest import FILES

if TYPE_CHECKING:
    from pathlib import Path

CONSTANTS = bytes(range(256)) * 40


def whole(files: BundleFiles, name: str) -> bytes:
    data = b""
    while chunk := files.read(name, len(data), 1000):
        data += chunk
    return data


def descriptors() -> int:
    return open_files(os.getpid())


def test_they_are_what_the_manifest_says(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path, **{"network.bin": CONSTANTS})
    files = BundleFiles(bundle)
    assert files.manifest == (tmp_path / "bundle.json").read_bytes()
    assert files.manifest_sha256 == hashlib.sha256(files.manifest).hexdigest()
    for name in FILES:
        data = whole(files, name)
        assert (len(data), hashlib.sha256(data).hexdigest()) == (files.bytes_of(name), files.sha256_of(name))
    assert whole(files, "network.bin") == CONSTANTS
    assert files.read("network.bin", 255, 3) == b"\xff\x00\x01"


def test_they_stay_those_of_this_bundle_when_its_folder_is_replaced_or_removed(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    files = BundleFiles(write_bundle(folder, **{"network.bin": CONSTANTS}))
    folder.rename(tmp_path / "bundle.previous")
    write_bundle(folder, bytes(8), **{"network.bin": b"another"})
    assert whole(files, "network.bin") == CONSTANTS
    shutil.rmtree(tmp_path / "bundle.previous")
    assert whole(files, "network.bin") == CONSTANTS


def test_they_are_closed_with_the_last_who_refers_to_them(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path)
    gc.collect()
    before = descriptors()
    files = BundleFiles(bundle)
    assert descriptors() == before + len(FILES)
    del files
    assert descriptors() == before


def test_what_was_changed_since_it_was_read_is_refused_and_nothing_stays_open(tmp_path: Path) -> None:
    cases = {
        "another bundle": lambda: write_bundle(tmp_path, bytes(8)),
        "a file of another size": lambda: (tmp_path / "network.bin").write_bytes(b"short"),
        "a file that is gone": (tmp_path / "probe.safetensors").unlink,
        "no bundle": (tmp_path / "bundle.json").unlink,
    }
    for what, change in cases.items():
        bundle = write_bundle(tmp_path)
        before = descriptors()
        change()
        with pytest.raises(ModelError, match=f"bundle {tmp_path}: ") as refused:
            BundleFiles(bundle)
        assert "\n" not in str(refused.value), what
        assert descriptors() == before, what
