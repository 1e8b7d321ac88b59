"""A bundle comes from the cloud whole and checked, or not at all; what came before a cut is not asked for again."""

from __future__ import annotations

import errno
import json
from types import SimpleNamespace

import pytest
from kits.bundle_cloud import CONTENT, FINGERPRINT, with_bundles, write

from edge.network import fetch
from shared.errors import FetchError
from shared.limits import MAX_BUNDLE_FILE_BYTES
from shared.network.bundle import read_bundle
from shared.network.making import store
from shared.network.manifest import FILES, MANIFEST, digest_of


@pytest.fixture
def served(tmp_path):
    write(tmp_path / "served")
    return tmp_path / "served"


def left_in(folder):
    """What a failed fetch leaves behind, by name and size."""
    return {
        f"{path.parent.name}/{path.name}": path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def test_a_bundle_is_fetched_and_found_again_without_a_transfer(served, tmp_path):
    cache = tmp_path / "cache"

    async def check(cloud, bundles, kit):
        folder = await bundles.first()
        assert folder.parent == cache
        for name in (MANIFEST, *FILES):
            assert (folder / name).read_bytes() == (served / name).read_bytes()
        assert cloud.asked == [(name, None) for name in (MANIFEST, *FILES)]
        assert await bundles.first() == folder
        assert len(cloud.asked) == 4
        assert (kit.fetches("fetched"), kit.fetches("kept")) == (1, 1)

    with_bundles(check, served, cache_dir=cache)

    async def later(cloud, bundles, kit):
        cloud.model = {"bundle": None}  # even one that serves none
        assert read_bundle(await bundles.first()).model.fingerprint.hex() == FINGERPRINT
        assert (cloud.asked, kit.fetches("kept")) == ([], 1)

    with_bundles(later, served, cache_dir=cache)


def test_without_a_cache_it_lasts_as_long_as_the_edge(served):
    folders = []

    async def check(cloud, bundles, kit):
        folders.append(await bundles.first())
        assert await bundles.first() == folders[0]
        assert len(cloud.asked) == 4

    with_bundles(check, served)
    assert not folders[0].parent.exists()


@pytest.mark.parametrize("name", FILES)
def test_after_a_cut_it_goes_on_where_it_was(served, tmp_path, name):
    size = len(CONTENT[name])

    async def check(cloud, bundles, kit):
        cloud.cut_after = {name: size // 2}
        with pytest.raises(FetchError, match=r"bytes|closed|payload") as caught:
            await bundles.bring(FINGERPRINT)
        assert (caught.value.result, caught.value.passing, "\n" in str(caught.value)) == ("cut", True, False)
        assert kit.store.find(FINGERPRINT) is None
        have = left_in(tmp_path / "cache")[f".fetching-{FINGERPRINT}/{name}"]
        assert have <= size // 2
        assert have > 0 or name != "network.bin", (
            "of what comes in one piece with the cut nothing may be seen"
        )
        cloud.asked.clear()
        folder = await bundles.bring(FINGERPRINT)
        assert (folder / name).read_bytes() == CONTENT[name]
        assert (name, f"bytes={have}-" if have else None) in cloud.asked
        assert {each for each, _ in cloud.asked} == {MANIFEST, *FILES[FILES.index(name) :]}
        assert (kit.fetches("cut"), kit.fetches("fetched")) == (1, 1)
        assert not list((tmp_path / "cache").glob(".fetching-*")), "nothing unfinished is left"

    with_bundles(check, served, cache_dir=tmp_path / "cache")


def test_a_cloud_without_ranges_sends_it_from_the_beginning(served, tmp_path):
    async def check(cloud, bundles, kit):
        cloud.cut_after, cloud.ignores_ranges = {"network.bin": 1_000_000}, True
        with pytest.raises(FetchError):
            await bundles.bring(FINGERPRINT)
        read_bundle(await bundles.bring(FINGERPRINT))

    with_bundles(check, served, cache_dir=tmp_path / "cache")


def test_a_range_that_is_another_one_is_not_taken(served, tmp_path):
    async def check(cloud, bundles, kit):
        cloud.cut_after = {"network.bin": 1_000_000}
        with pytest.raises(FetchError):
            await bundles.bring(FINGERPRINT)
        cloud.headers = {"Content-Range": "bytes 5-9/10"}
        with pytest.raises(FetchError, match="goes on at another place"):
            await bundles.bring(FINGERPRINT)
        cloud.headers = {}
        read_bundle(await bundles.bring(FINGERPRINT))

    with_bundles(check, served, cache_dir=tmp_path / "cache")


def test_another_bundle_with_the_same_fingerprint_does_not_go_on_with_the_first_ones_files(served, tmp_path):
    async def check(cloud, bundles, kit):
        cloud.cut_after = {"network.bin": 1_000_000}
        with pytest.raises(FetchError):
            await bundles.bring(FINGERPRINT)
        write(served, **{"network.bin": bytes(len(CONTENT["network.bin"]))})
        read_bundle(await bundles.bring(FINGERPRINT))

    with_bundles(check, served, cache_dir=tmp_path / "cache")


def manifest_with(served, **changes):
    """The manifest with other values and a digest that fits."""
    fields = json.loads((served / MANIFEST).read_bytes())
    for path, given in changes.items():
        *ways, last = path.split("__")
        inner = fields
        for way in ways:
            inner = inner[way.replace("_", ".")]
        inner[last] = given
    fields["digest"] = digest_of(fields)
    return json.dumps(fields).encode()


def test_whatever_the_cloud_sends_nothing_but_the_bundle_is_kept(served, tmp_path):
    """Each of these is one line, and counted; what it leaves on the disk is less than what was announced."""
    binary = CONTENT["network.bin"]
    cases = {
        "another SHA-256": ("damaged", {"replaced": {"network.bin": binary[:-1] + b"x"}}, "another SHA-256 than its bundle.json"),
        "a longer file": ("too_large", {"replaced": {"network.bin": binary + b"x"}}, "network.bin has 3072001 bytes or more; accepted"),
        "longer than it says": (
            "too_large", {"replaced": {"network.bin": binary + b"x"}, "headers": {"Content-Length": ""}}, "or more; accepted: 3072000"),
        "a shorter file": ("cut", {"replaced": {"network.bin": binary[:-1]}}, "3071999 of 3072000 bytes came"),
        "an endless manifest": ("too_large", {"replaced": {MANIFEST: b" " * (5 << 20)}}, "bundle.json has 5242880 bytes or more"),
        "endless and unannounced": (
            "damaged", {"replaced": {MANIFEST: b" " * (5 << 20)}, "headers": {"Content-Length": ""}}, "is longer than 4194304 bytes"),
        "no manifest": ("damaged", {"replaced": {MANIFEST: b"<html>"}}, "bundle.json is not JSON"),
        "a changed manifest": ("damaged", {"replaced": {MANIFEST: (served / MANIFEST).read_bytes().replace(b"residual", b"x")}},
                               "was changed after it was written"),
        "a newer schema": ("damaged", {"replaced": {MANIFEST: manifest_with(served, schema=99)}}, "schema 99 is newer"),
        "a file too large": ("damaged", {"replaced": {MANIFEST: manifest_with(
            served, files__network_bin__bytes=MAX_BUNDLE_FILE_BYTES + 1)}}, "less than or equal to 4294967296"),
        "other files": ("damaged", {"replaced": {MANIFEST: manifest_with(served, files={"../../evil": {"bytes": 1, "sha256": "0" * 64}})}},
                        "lists the files ../../evil"),
        "names that terminals act on": ("damaged", {"replaced": {MANIFEST: manifest_with(served, labels=["\x1b[2J"] * 1000)}},
                                        "has control characters"),
        "another fingerprint": ("damaged", {"replaced": {MANIFEST: manifest_with(served, fingerprint="ff" * 8)}}, f"sent {'ff' * 8}"),
        "compressed": ("refused", {"headers": {"Content-Encoding": "gzip"}}, "came as gzip; accepted: identity"),
        "to nobody": ("refused", {"refusal": (403, {"error": "no", "reason": "bundle_not_served"})}, "start it with --serve-bundle"),
        "a proxy": ("cut", {"refusal": (502, {})}, "502"),
        "elsewhere": ("refused", {"refusal": (302, {}), "location": "http://127.0.0.1:1/"}, "302"),
        "another refusal": ("refused", {"refusal": (401, {"error": "who are\nyou \x1b[2J" + 1000 * "x"})}, "401 who are?you ?[2Jxxx"),
    }  # fmt: skip

    async def check(cloud, bundles, kit):
        usual = dict(vars(cloud))
        for number, (what, (result, changes, message)) in enumerate(cases.items()):
            vars(cloud).update(usual | {"replaced": {}, "headers": {}} | changes)
            before = kit.fetches(result)
            with pytest.raises(FetchError) as caught:
                await bundles.bring(FINGERPRINT)
            assert message in str(caught.value), (what, str(caught.value))
            assert (caught.value.result, kit.fetches(result)) == (result, before + 1), what
            assert str(caught.value).isprintable(), what
            assert len(str(caught.value)) < 600, what
            assert kit.store.find(FINGERPRINT) is None, (what, number)
            left = left_in(tmp_path)
            assert all(
                left.get(f".fetching-{FINGERPRINT}/{name}", 0) <= len(CONTENT[name]) for name in FILES
            ), what
            assert not any("evil" in name for name in left)
        vars(cloud).update(usual | {"replaced": {}, "headers": {}})
        read_bundle(await bundles.bring(FINGERPRINT))

    with_bundles(check, served, cache_dir=tmp_path / "cache")


def test_a_disk_that_is_too_small_is_said_before_anything_is_asked_for(served, tmp_path, monkeypatch):
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))

    async def check(cloud, bundles, kit):
        with pytest.raises(
            FetchError,
            match=r"takes 3\.1 MB, of which 3\.1 MB are to come, and .* has 1\.0 MB left; make room",
        ) as caught:
            await bundles.bring(FINGERPRINT)
        assert (caught.value.result, kit.fetches("disk")) == ("disk", 1)
        assert [name for name, _ in cloud.asked] == [MANIFEST]

    with_bundles(check, served, cache_dir=tmp_path / "cache")


def test_a_disk_that_becomes_full_on_the_way(served, tmp_path, monkeypatch):
    usual = fetch.receive

    async def full(response, target, *rest):
        if target.name == "network.bin":
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        await usual(response, target, *rest)

    monkeypatch.setattr(fetch, "receive", full)

    async def check(cloud, bundles, kit):
        with pytest.raises(
            FetchError, match=r"network\.bin: the disk is full; make room, or give --cache-dir"
        ) as caught:
            await bundles.bring(FINGERPRINT)
        assert (caught.value.result, kit.fetches("disk"), kit.store.find(FINGERPRINT)) == ("disk", 1, None)
        monkeypatch.setattr(fetch, "receive", usual)
        read_bundle(await bundles.bring(FINGERPRINT))

    with_bundles(check, served, cache_dir=tmp_path / "cache")
