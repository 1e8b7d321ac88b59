"""The start with `--model cloud`: a cloud that is not there yet is waited for, within bounds and aloud."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from kits.bundle_cloud import FINGERPRINT, with_bundles, write
from kits.uplink import refused_url

from edge.network import cloud_bundles
from edge.network.cloud_bundles import KEPT_PATIENCE_S, PATIENCE_S
from shared.errors import FetchError, MismatchError
from shared.network.manifest import MANIFEST

OTHER = "fedcba9876543210"


@pytest.fixture
def served(tmp_path):
    write(tmp_path / "served")
    return tmp_path / "served"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def waits(caplog):
    return [line.getMessage() for line in caplog.records if line.getMessage().startswith("waiting up to")]


@pytest.mark.parametrize("away", [(503, {"error": "starting"}), (502, {})])
def test_a_cloud_that_starts_is_waited_for(served, cache, caplog, away):
    async def check(cloud, bundles, kit):
        cloud.model = away

        def later():
            if len(kit.naps.naps) == 4:
                cloud.model = {}

        kit.naps.then = later
        await bundles.first()
        assert kit.naps.naps == [1, 2, 4, 8], "patiently"
        assert len(waits(caplog)) == 1, "said once"

    with_bundles(check, served, cache_dir=cache)


def test_a_cloud_that_stays_away_ends_the_start(served, cache, caplog):
    async def check(cloud, bundles, kit):
        with pytest.raises(
            FetchError, match=r"no cloud at .* within 600 s .* start it, correct --cloud-url, or give --model"
        ) as caught:
            await bundles.first()
        assert caught.value.result == "away"
        assert "\n" not in str(caught.value)
        assert kit.naps.now == PATIENCE_S
        assert len(waits(caplog)) == 1

    with refused_url() as url:
        with_bundles(check, served, cache_dir=cache, url=url)


def test_an_edge_that_knows_its_cloud_starts_without_it(served, cache, caplog):
    """It can answer by itself, with the network that it had last."""
    kept = []

    async def before(cloud, bundles, kit):
        kept.append((kit.line.client.url, await bundles.first()))

    with_bundles(before, served, cache_dir=cache)
    url, folder = kept[0]

    async def check(cloud, bundles, kit):
        assert await bundles.first() == folder
        assert kit.naps.now == KEPT_PATIENCE_S
        assert "starting with the network that it had last" in caplog.text

    with_bundles(check, served, cache_dir=cache, url=url)  # where nobody listens any more

    async def elsewhere(cloud, bundles, kit):
        with pytest.raises(FetchError, match="no cloud at"):
            await bundles.first()

    with refused_url() as other:
        with_bundles(elsewhere, served, cache_dir=cache, url=other)


def test_a_cloud_that_sends_its_network_slowly_does_not_hold_up_an_edge_that_has_the_last_one(
    served, cache, caplog, monkeypatch, tmp_path
):
    """A file may take days at the slowest rate that is accepted; the edge starts, and fetches the rest beside the frames."""
    write(tmp_path / "newer", OTHER)

    async def check(cloud, bundles, kit):
        last = await bundles.first()
        cloud.folder, cloud.fingerprint, cloud.held_back = tmp_path / "newer", OTHER, asyncio.Event()
        monkeypatch.setattr(cloud_bundles, "KEPT_PATIENCE_S", 0.2)
        assert await bundles.first() == last
        assert "(its network is still coming): starting with the network that it had last" in caplog.text
        assert kit.line.heard.fingerprint == OTHER, "which the edge then takes, as any later network"
        cloud.held_back.set()
        cloud.asked.clear()
        cloud.held_back = None
        assert (await bundles.bring(OTHER)) != last
        assert ("network.xml", "bytes=10-") in cloud.asked, "what had come is kept"

    with_bundles(check, served, cache_dir=cache)


def test_what_waiting_does_not_help_ends_the_start_at_once(served, cache):
    cases = [
        ({"bundle": None}, "is older than bundles and cannot give its network to this edge; update it, or give the edge the same --model"),
        ({"bundle": True}, "is older than bundles"),
        ({"bundle": {"served": False, "bytes": 5}}, "gives its network to nobody; start it with --serve-bundle, or give this edge"),
        ({"bundle": {}}, "gives its network to nobody"),
        ({"fingerprint": "../../etc/passwd"}, "names no fingerprint: ../../etc/passwd"),
        ({"fingerprint": None}, "answers, but not as a SplitDNN cloud"),
    ]  # fmt: skip

    async def check(cloud, bundles, kit):
        for changes, message in cases:
            cloud.model = changes
            with pytest.raises((FetchError, MismatchError)) as caught:
                await bundles.first()
            assert message in str(caught.value), changes
            assert "\n" not in str(caught.value)
        assert kit.naps.naps == []
        assert cloud.asked == []

    with_bundles(check, served, cache_dir=cache)


def test_a_link_that_breaks_again_and_again_brings_it_all_the_same(served, cache, monkeypatch):
    monkeypatch.setattr(cloud_bundles, "_TRIES", 2)

    async def check(cloud, bundles, kit):
        def cut():
            cloud.cut_after = {"network.bin": 800_000}

        cut()
        kit.naps.then = cut
        await bundles.first()
        assert len(kit.naps.naps) >= 3, "more often than is tried where nothing comes"
        assert set(kit.naps.naps) == {1}

    with_bundles(check, served, cache_dir=cache)


def test_one_that_is_damaged_again_and_again_ends_the_start(served, cache):
    async def check(cloud, bundles, kit):
        cloud.replaced = {"network.bin": b"x" * (served / "network.bin").stat().st_size}
        with pytest.raises(FetchError, match="another SHA-256"):
            await bundles.first()
        assert len(kit.naps.naps) >= 1

    with_bundles(check, served, cache_dir=cache)


def test_a_cloud_that_changes_in_between_is_asked_again(served, cache):
    write(served.parent / "other", OTHER)

    async def check(cloud, bundles, kit):
        cloud.model = {"fingerprint": FINGERPRINT}
        cloud.fingerprint = OTHER  # what it gives by now

        def noticed():
            cloud.folder = served.parent / "other"
            cloud.model = {}

        kit.naps.then = noticed
        folder = await bundles.first()
        assert json.loads((folder / MANIFEST).read_bytes())["fingerprint"] == OTHER

    with_bundles(check, served, cache_dir=cache)


def test_a_kept_one_that_is_damaged_is_fetched_again(served, cache, caplog):
    async def check(cloud, bundles, kit):
        folder = await bundles.first()
        (folder / "network.bin").write_bytes(b"x")
        cloud.asked.clear()
        again = await bundles.first()
        assert (again / "network.bin").read_bytes() == (served / "network.bin").read_bytes()
        assert len(cloud.asked) == 4
        assert "it is fetched again" in caplog.text

    with_bundles(check, served, cache_dir=cache)


def test_a_cache_that_cannot_be_used_is_replaced_by_a_temporary_folder(served, tmp_path, caplog):
    (tmp_path / "file").touch()

    async def check(cloud, bundles, kit):
        assert (await bundles.first()).is_dir()
        (line,) = [
            each
            for each in caplog.records
            if each.levelno == logging.WARNING and "cannot keep bundles in" in each.message
        ]
        assert "fetched again at every start" in line.message

    with_bundles(check, served, cache_dir=tmp_path / "file" / "cache")
