"""An edge with an int8 bundle, and a cloud that runs the float32 network in its place."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from kits.bundle_cloud import FINGERPRINT, write
from kits.numpy_network import int8_entry

from edge.network.origins import FromCloud, FromFolder
from edge.network.switch import Switch
from edge.uplink.clouds.heard import Heard
from shared.errors import FetchError, MismatchError

FLOAT = "fedcba9876543210"


def edition(fingerprint, digest):
    return SimpleNamespace(model=SimpleNamespace(fingerprint=bytes.fromhex(fingerprint)), digest=digest)


def write_int8(folder):
    return write(folder, precision="int8", int8=int8_entry(FLOAT))


class Looks:
    """Stands in for sleep: does what the test says after so many looks, and ends after the last."""

    def __init__(self, actions=None):
        self.actions = actions or {}
        self.count = 0

    async def __call__(self, _seconds):
        self.count += 1
        if self.count > 20:
            raise asyncio.CancelledError
        self.actions.get(self.count, lambda: None)()
        await asyncio.sleep(0)


def changed(origin, current):
    return asyncio.run(origin.changed(current))


def test_it_goes_with_its_cloud_to_float_and_comes_back(tmp_path):
    folder, heard = tmp_path / "bundle", Heard()
    int8 = write_int8(folder)
    heard.note(FINGERPRINT)
    origin = FromFolder(folder, heard, sleep=Looks({4: lambda: heard.note(FLOAT)}))
    wanted = changed(origin, edition(FINGERPRINT, int8.manifest.digest))
    assert wanted == FLOAT
    assert asyncio.run(origin.bring(wanted)) == f"{folder}.float"
    back = FromFolder(folder, heard, sleep=Looks({5: lambda: heard.note(FINGERPRINT)}))
    wanted = changed(back, edition(FLOAT, "the float32 bundle's"))
    assert wanted == int8.manifest.digest
    assert asyncio.run(back.bring(wanted)) == str(folder)


def test_one_that_fell_back_by_itself_stays_while_its_cloud_runs_int8(tmp_path):
    folder, heard = tmp_path / "bundle", Heard()
    int8 = write_int8(folder)
    heard.note(FINGERPRINT)
    with pytest.raises(asyncio.CancelledError):
        changed(FromFolder(folder, heard, sleep=Looks()), edition(FLOAT, int8.manifest.digest))


def switch_for(heard):
    made = Switch.__new__(Switch)
    made._line = SimpleNamespace(heard=heard)
    loads = []

    async def load(model, before):
        loads.append((model, before))
        return "the float32 network"

    made._load = load
    return made, loads


def test_at_the_start_it_takes_the_network_that_its_cloud_runs(tmp_path, caplog):
    heard = Heard()
    heard.note(FLOAT)
    switch, loads = switch_for(heard)
    loaded = SimpleNamespace(float_network=(FLOAT, tmp_path / "bundle.float"))
    assert asyncio.run(switch._as_the_cloud(loaded, MismatchError("another"))) == "the float32 network"
    assert loads == [(str(tmp_path / "bundle.float"), None)]
    assert "the cloud runs the float32 network in place of this int8 one" in caplog.text


def test_any_other_network_of_the_cloud_is_an_error_as_before(tmp_path):
    heard = Heard()
    heard.note("0" * 16)
    switch, loads = switch_for(heard)
    for loaded in (
        SimpleNamespace(float_network=(FLOAT, tmp_path / "bundle.float")),
        SimpleNamespace(float_network=None),
    ):
        with pytest.raises(MismatchError, match="another"):
            asyncio.run(switch._as_the_cloud(loaded, MismatchError("another")))
    assert loads == []


class Bundles:
    """Stands in for CloudBundles."""

    def __init__(self, folder, failure=None):
        self.folder = folder
        self.failure = failure
        self.asked = []

    async def insist(self, fingerprint):
        self.asked.append(fingerprint)
        if self.failure:
            raise self.failure
        return self.folder

    async def bring(self, _fingerprint):
        return self.folder


def of_cloud(check, tmp_path, failure=None):
    async def body():
        heard = Heard()
        heard.note(FINGERPRINT)
        bundles = Bundles(tmp_path / "fetched", failure)
        await check(FromCloud(bundles, SimpleNamespace(heard=heard)), bundles, heard)

    asyncio.run(asyncio.wait_for(body(), 120))


async def waits(origin, current):
    changed = asyncio.create_task(origin.changed(current))
    for _ in range(20):
        await asyncio.sleep(0)
    return changed


def test_with_the_clouds_int8_network_that_does_not_serve_here_the_float32_one_is_fetched(tmp_path):
    int8 = write_int8(tmp_path / "int8").manifest

    async def check(origin, bundles, heard):
        folder = await asyncio.to_thread(origin.bring_float, int8)  # as the thread that loads does
        assert (folder, bundles.asked) == (tmp_path / "fetched", [FLOAT])
        waiting = await waits(origin, edition(FLOAT, int8.digest))
        assert not waiting.done()  # that the cloud still runs int8 is nothing new
        heard.note("0" * 16)
        assert await waiting == "0" * 16

    of_cloud(check, tmp_path)


def test_it_stays_when_the_cloud_comes_to_run_the_float32_network_too(tmp_path):
    int8 = write_int8(tmp_path / "int8").manifest

    async def check(origin, _bundles, heard):
        await asyncio.to_thread(origin.bring_float, int8)
        heard.note(FLOAT)
        assert await (await waits(origin, edition(FLOAT, int8.digest))) == FLOAT
        await origin.bring(FLOAT)
        waiting = await waits(origin, edition(FLOAT, "its own"))
        assert not waiting.done()
        heard.note(FINGERPRINT)
        assert await waiting == FINGERPRINT

    of_cloud(check, tmp_path)


def test_a_float32_network_that_the_cloud_does_not_give_is_an_error_of_the_start(tmp_path):
    int8 = write_int8(tmp_path / "int8").manifest

    async def check(origin, _bundles, _heard):
        with pytest.raises(FetchError, match="gives its network to nobody"):
            await asyncio.to_thread(origin.bring_float, int8)

    of_cloud(check, tmp_path, FetchError("refused", "the cloud gives its network to nobody"))
