"""A cloud that lacks the network of a frame fetches it from a sibling that serves it, where it is told to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.cloud import Response, until
from kits.followed import Followed, followed
from kits.tokens import Tokens

from cloud.config import CloudSettings
from cloud.networks import brought, fellow_bundles
from shared.errors import SettingsError
from shared.network.manifest import MANIFEST
from shared.process.settings import read_settings
from shared.security.rights import Right

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

THEIRS, OURS, NOBODYS = b"theirs..", b"ours....", b"nobodys."
ARRAY = np.linspace(-1, 1, 512, dtype=np.float32)


@pytest.fixture(scope="module")
def giver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    """For tests that leave it as it was."""
    path = tmp_path_factory.mktemp("giver") / "bundle"
    with followed(path, THEIRS, bundle={"network.bin": bytes(1_000_003)}, serve_bundle=True) as server:
        yield server


def asking(tmp_path: Path, giver: Followed, **settings: Any) -> Any:
    """A cloud with another network, whose sibling that is."""
    tmp_path.mkdir(exist_ok=True)
    given = {"siblings": f"http://127.0.0.1:{giver.port}", "sibling_bundles": True} | settings
    return followed(tmp_path / "bundle", OURS, **{"cache_dir": str(tmp_path / "cache")} | given)


def results(cloud: Followed) -> tuple[float, ...]:
    return tuple(
        cloud.metric("networks_brought_total", result=each) for each in ("taken", "missing", "failed")
    )


def answered(cloud: Followed) -> Response:
    """The answer to a frame of the sibling's network, once it is no longer told to come again."""
    first = cloud.ask_frame(THEIRS, ARRAY)
    assert "is being loaded" in first.refused(503, "unavailable")["error"]
    assert first.headers["retry-after"]
    until(lambda: sum(results(cloud)) == 1)
    return cloud.ask_frame(THEIRS, ARRAY)


def test_its_frames_are_answered_as_by_the_sibling(
    giver: Followed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fellow_bundles, "PIECE_BYTES", 300_000)
    with asking(tmp_path, giver, serve_bundle=True) as cloud:
        found = answered(cloud)
        assert found.status == 200
        assert found.json["top"] == giver.ask_frame(THEIRS, ARRAY).json["top"]
        assert found.json["fingerprint"] == OURS.hex(), "its own stays the current one"
        assert cloud.ask("GET", "/model").json["also_serves"] == [THEIRS.hex()]
        assert results(cloud) == (1, 0, 0)
        assert cloud.ask_frame(OURS, ARRAY).status == 200
        # What it has fetched it gives away itself, byte by byte.
        for name in ("", "/network.bin", "/network.xml"):
            path = f"/bundle/{THEIRS.hex()}{name}"
            assert cloud.ask("GET", path).body == giver.ask("GET", path).body, path
    (kept,) = (tmp_path / "cache").glob("bundle-*")
    assert json.loads((kept / MANIFEST).read_text())["fingerprint"] == THEIRS.hex()
    with asking(
        tmp_path / "again", giver, cache_dir=str(tmp_path / "cache"), siblings="http://127.0.0.1:1"
    ) as cloud:
        assert answered(cloud).status == 200, "what was fetched once is here after a restart"


def test_a_network_that_no_sibling_has_is_refused_as_without_them_and_not_asked_for_again(
    giver: Followed, tmp_path: Path
) -> None:
    with asking(tmp_path, giver) as cloud:
        cloud.ask_frame(NOBODYS, ARRAY).refused(503, "unavailable")
        until(lambda: results(cloud) == (0, 1, 0))
        for _ in range(3):
            cloud.ask_frame(NOBODYS, ARRAY).refused(409, "fingerprint")
        assert results(cloud) == (0, 1, 0)
        assert answered_after(cloud) == 200, "another one is looked for all the same"


def answered_after(cloud: Followed) -> int:
    cloud.ask_frame(THEIRS, ARRAY).refused(503, "unavailable")
    until(lambda: results(cloud)[0] == 1)
    return cloud.ask_frame(THEIRS, ARRAY).status


def test_unless_it_is_told_to_it_fetches_nothing_and_siblings_give_nothing(
    tmp_path: Path, giver: Followed
) -> None:
    with asking(tmp_path, giver, sibling_bundles=False) as cloud:
        cloud.ask_frame(THEIRS, ARRAY).refused(409, "fingerprint")
        assert results(cloud) == (0, 0, 0)
    with followed(tmp_path / "closed", THEIRS) as closed, asking(tmp_path / "b", closed) as cloud:
        answered(cloud).refused(409, "fingerprint")
        assert results(cloud) == (0, 1, 0)


@pytest.mark.parametrize("rights", [(Right.PROFILES,), (Right.PROFILES, Right.BUNDLES)])
def test_the_token_that_siblings_are_shown_must_give_the_right(
    tmp_path: Path, rights: tuple[Right, ...]
) -> None:
    tokens = Tokens(tmp_path / "tokens")
    shown = tmp_path / "token"
    shown.write_text(tokens.add("fleet", *rights))
    given = {"serve_bundle": True, "token_file": str(tokens.path)}
    with (
        followed(tmp_path / "giver", THEIRS, **given) as closed,
        asking(tmp_path / "b", closed, siblings_token_file=str(shown)) as cloud,
    ):
        assert answered(cloud).status == (200 if Right.BUNDLES in rights else 409)


def test_a_damaged_bundle_is_not_used(tmp_path: Path, expect_log: pytest.LogCaptureFixture) -> None:
    with followed(tmp_path / "giver", THEIRS, serve_bundle=True) as damaged:
        file = damaged.path / "network.bin"
        with file.open("r+b") as open_file:  # in place: the cloud has it open
            open_file.write(b"another")
        with asking(tmp_path / "b", damaged) as cloud:
            answered(cloud).refused(409, "fingerprint")
            assert results(cloud) == (0, 0, 1)
            assert not [*(tmp_path / "b" / "cache").glob("bundle-*")]
    assert any("has another SHA-256 than its bundle.json says" in line for line in expect_log.messages)


def test_there_are_no_more_networks_than_a_bundles_folder_may_leave(tmp_path: Path, giver: Followed) -> None:
    with asking(tmp_path, giver) as cloud:
        for fingerprint in (b"second..", b"third..."):
            cloud.replace(fingerprint)
        cloud.ask_frame(THEIRS, ARRAY).refused(409, "fingerprint")
        assert results(cloud) == (0, 0, 0)


def test_whoever_invents_fingerprints_has_siblings_asked_now_and_then_only(
    tmp_path: Path, giver: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brought, "_LOOKS", 2)
    with asking(tmp_path, giver) as cloud:
        for number in range(6):
            cloud.ask_frame(f"{number:8d}".encode(), ARRAY)
            until(lambda: cloud.service.networks.brought._wanted is None)
        until(lambda: sum(results(cloud)) == 2)


def test_it_needs_siblings() -> None:
    with pytest.raises(SettingsError, match=r"sibling.bundles.*needs --siblings"):
        read_settings(CloudSettings, {"sibling_bundles": True})
