"""A bundle's folder that cannot be used, or changes while it is read: the network stays as it is."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from kits.numpy_network import write_bundle
from kits.watching import Follower, warnings

from cloud.networks.folder import BundleFolder
from shared.network.manifest import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def test_what_cannot_be_used_is_one_line_and_one_count_and_the_network_goes_on(
    follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = follower.path / "bundle.json"

    def newer() -> None:
        fields = json.loads(manifest.read_text()) | {"schema": 9}
        fields["digest"] = digest_of(fields)
        manifest.write_text(json.dumps(fields))

    cases: list[tuple[str, Callable[[], object], str]] = [
        ("failed", lambda: (follower.path / "network.bin").write_bytes(b"x"), "network.bin is not the file"),
        ("failed", (follower.path / "network.xml").unlink, "network.xml: No such file"),
        ("failed", newer, "schema 9 is newer than this version of splitdnn reads"),
        ("failed", lambda: manifest.write_text("{"), "bundle.json is not JSON"),
        ("away", manifest.unlink, "not there any more"),
        ("away", lambda: shutil.rmtree(follower.path), "not there any more"),
    ]
    for result, damage, text in cases:
        before = follower.counted().get(result, 0)
        write_bundle(follower.path, b"number 0")
        follower.look()
        caplog.clear()
        damage()
        follower.look(6)
        (line,) = warnings(caplog)
        assert text in line
        assert line.endswith(f"the network stays as it is, fingerprint {b'number 0'.hex()}"), line
        assert follower.counted()[result] == before + 1, text
    assert (follower.current, follower.changes) == ("number 0", 0)
    write_bundle(follower.path, b"number 5")
    follower.look()
    assert follower.current == "number 5"


def test_a_bundle_that_fails_to_load_is_tried_again_once_it_is_another(
    follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("no memory")

    follower.replace(1)
    follower.during = fail
    follower.look(8)
    assert (follower.loads, follower.current, follower.counted()) == (1, "number 0", {"failed": 1})
    (line,) = warnings(caplog)
    assert "no memory" in line
    follower.during = lambda: None
    follower.look(8)
    assert follower.loads == 1
    follower.replace(2)
    follower.look()
    assert follower.current == "number 2"


def test_a_bundle_that_is_replaced_while_it_is_loaded_is_not_taken(
    follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    """What was loaded is neither of the two for certain; the one that stays is taken by a later look."""

    original = BundleFolder.read

    def read_then_replace(folder: BundleFolder) -> Any:
        bundle = original(folder)
        BundleFolder.read = original  # type: ignore[method-assign]
        follower.replace(2)
        return bundle

    follower.replace(1)
    follower.look(1)
    BundleFolder.read = read_then_replace  # type: ignore[method-assign]
    follower.look(1)
    assert follower.current == "number 0"
    assert (follower.counted(), warnings(caplog)) == ({}, [])
    follower.look()
    assert (follower.current, follower.counted()) == ("number 2", {"taken": 1})


def test_a_look_that_fails_is_followed_by_others(
    follower: Follower, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(BundleFolder, "state", lambda _folder: 1 / 0)
        follower.look(3)
    assert len(warnings(caplog)) == 1  # for all of them
    follower.replace(1)
    follower.look()
    assert follower.current == "number 1"
