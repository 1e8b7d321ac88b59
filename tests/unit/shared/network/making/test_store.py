"""Where fetched bundles lie: bounded, whole, and safe where several edges share a folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from kits.bundle_cloud import CONTENT, FINGERPRINT, write

from shared.errors import FetchError
from shared.network.bundle import read_bundle
from shared.network.making.store import BundleStore
from shared.network.manifest import FILES, MANIFEST


def begin(store, fingerprint, size=10):
    """A fetch that was cut."""
    with store.unfinished(fingerprint) as folder:
        (folder / "network.bin").write_bytes(bytes(size))
    return folder


def fill(folder, tmp_path, fingerprint=FINGERPRINT):
    bundle = write(tmp_path / f"made-{fingerprint}", fingerprint)
    for name in (MANIFEST, *FILES):
        (bundle.folder / name).rename(folder / name)


def test_a_bundle_gets_its_place_when_it_is_whole(tmp_path):
    store = BundleStore(str(tmp_path / "cache"))
    assert store.find(FINGERPRINT) is None
    with store.unfinished(FINGERPRINT) as folder:
        fill(folder, tmp_path)
        assert store.find(FINGERPRINT) is None, "not while it is on its way"
        kept = store.keep(folder, FINGERPRINT)
    assert store.find(FINGERPRINT) == kept
    assert read_bundle(kept).fetched
    assert (read_bundle(kept).constants.read_bytes(), folder.exists()) == (CONTENT["network.bin"], False)


def test_bundles_that_were_made_here_are_found_as_well(tmp_path):
    (tmp_path / "cache").mkdir()
    made = write(tmp_path / "cache" / "bundle-0123456789abcdef01234567")
    assert BundleStore(str(tmp_path / "cache")).find(FINGERPRINT) == made.folder
    assert not made.fetched


def test_the_number_of_bundles_is_bounded(tmp_path):
    store = BundleStore(str(tmp_path / "cache"))
    fingerprints = [f"{number:016x}" for number in range(12)]
    for number, fingerprint in enumerate(fingerprints):
        with store.unfinished(fingerprint) as folder:
            fill(folder, tmp_path, fingerprint)
            kept = store.keep(folder, fingerprint)
            os.utime(kept, (number, number))
    assert [store.find(each) is not None for each in fingerprints] == [False] * 4 + [True] * 8


def test_of_fetches_that_were_cut_the_latest_are_kept(tmp_path):
    store = BundleStore(str(tmp_path / "cache"))
    for number in range(5):
        folder = begin(store, f"{number:016x}")
        os.utime(folder, (number, number))
    left = sorted(path.name for path in (tmp_path / "cache").glob(".fetching-*"))
    assert left == [f".fetching-{number:016x}" for number in (3, 4)]


def test_two_edges_do_not_fetch_the_same_bundle_at_once(tmp_path):
    one, other = (BundleStore(str(tmp_path / "cache")) for _ in range(2))
    with one.unfinished(FINGERPRINT) as folder, other.unfinished(FINGERPRINT) as second:
        assert folder is not None
        assert second is None
        for number in range(3):  # others come and go, and leave alone what is in use
            begin(other, f"{number:016x}")
        assert folder.is_dir()
    with other.unfinished(FINGERPRINT) as again:
        assert again == folder


def test_one_whose_folder_goes_in_this_moment_is_another_process_s(tmp_path, monkeypatch):
    store = BundleStore(str(tmp_path / "cache"))
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: None)
    with store.unfinished(FINGERPRINT) as folder:
        assert folder is None


def test_a_bundle_that_is_not_in_the_cache_is_not_removed(tmp_path):
    store, own = BundleStore(str(tmp_path / "cache")), write(tmp_path / "own")
    store.forget(own.folder)
    assert read_bundle(own.folder)


def test_what_lies_on_a_disk_that_may_only_be_read_is_used(tmp_path, monkeypatch, caplog):
    (tmp_path / "cache").mkdir()
    made = write(tmp_path / "cache" / "bundle-0123456789abcdef01234567")

    def refuse(*, dir):  # noqa: A002 - its name
        raise OSError(errno.EROFS, "Read-only file system", dir)

    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    store = BundleStore(str(tmp_path / "cache"))
    assert store.find(FINGERPRINT) == made.folder
    assert "Read-only file system; a network that is not there is fetched again" in caplog.text
    store.forget(made.folder)
    assert store.find(FINGERPRINT) is None, "or a damaged one would be taken for ever"
    with store.unfinished(FINGERPRINT) as folder:
        fill(folder, tmp_path)
        kept = store.keep(folder, FINGERPRINT)
    assert store.find(FINGERPRINT) == kept
    assert kept.is_relative_to(tmp_path / "tmp")
    store.close()
    assert read_bundle(made.folder)


def test_a_folder_that_fails_at_the_end_is_said(tmp_path, monkeypatch):
    store = BundleStore(str(tmp_path / "cache"))
    with store.unfinished(FINGERPRINT) as folder:
        fill(folder, tmp_path)
        (folder / "network.xml").unlink()
        with pytest.raises(
            FetchError, match=f"the bundle {FINGERPRINT} cannot be kept in .*; make room there"
        ):
            store.keep(folder, FINGERPRINT)
    assert store.find(FINGERPRINT) is None


def test_a_temporary_folder_is_gone_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = BundleStore("")
    begin(store, FINGERPRINT)
    assert list(tmp_path.glob("splitdnn-*"))
    store.close()
    assert not list(tmp_path.iterdir())
