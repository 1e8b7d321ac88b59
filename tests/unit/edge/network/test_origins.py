"""How a network shows that there is another one."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from kits.bundle_cloud import FINGERPRINT, write

from edge.network import origins
from edge.network.origins import Fixed, FromCloud, FromFolder
from edge.uplink.clouds.heard import Heard
from shared.errors import UplinkError

OTHER = "fedcba9876543210"


def edition(fingerprint=FINGERPRINT, digest="d"):
    return SimpleNamespace(model=SimpleNamespace(fingerprint=bytes.fromhex(fingerprint)), digest=digest)


def run(check):
    asyncio.run(asyncio.wait_for(check(), 120))


async def turns(count=20):
    for _ in range(count):
        await asyncio.sleep(0)


class Looks:
    """Stands in for sleep: counts the looks, does what the test says after some of them, and ends after the last."""

    def __init__(self, actions, last=60):
        self.actions = actions
        self.count = 0
        self.last = last

    async def __call__(self, seconds):
        assert seconds == origins.LOOK_S
        self.count += 1
        if self.count > self.last:
            raise asyncio.CancelledError
        self.actions.get(self.count, lambda: None)()
        await asyncio.sleep(0)


def test_a_changed_bundle_in_the_folder_is_noticed(tmp_path):
    async def check():
        bundle = write(tmp_path / "bundle")
        current, digest = edition(digest=bundle.manifest.digest), bundle.manifest.digest

        def away():
            (tmp_path / "bundle").rename(tmp_path / "bundle.previous")

        def back():
            (tmp_path / "bundle.previous").rename(tmp_path / "bundle")

        looks = Looks({3: away, 6: back, 9: lambda: write(tmp_path / "bundle", OTHER)})
        origin = FromFolder(tmp_path / "bundle", Heard(), sleep=looks)
        wanted = await origin.changed(current)
        assert wanted != digest
        assert looks.count == 9
        assert await origin.bring(wanted) == str(tmp_path / "bundle")

    run(check)


def test_other_labels_are_another_bundle_though_the_fingerprint_is_the_same(tmp_path):
    async def check():
        bundle = write(tmp_path / "bundle")
        labels = [f"thing {number}" for number in range(1000)]
        looks = Looks({2: lambda: write(tmp_path / "bundle", labels=labels)})
        await FromFolder(tmp_path / "bundle", Heard(), sleep=looks).changed(
            edition(digest=bundle.manifest.digest)
        )
        assert looks.count == 2

    run(check)


def test_a_cloud_that_stays_another_one_than_the_folder_is_said_once(tmp_path, caplog):
    """Both may look at one folder, so for a while a difference means nothing."""

    async def check():
        bundle, heard = write(tmp_path / "bundle"), Heard()
        heard.note(FINGERPRINT)
        looks = Looks(
            {
                3: lambda: heard.note(OTHER),
                10: lambda: heard.note(FINGERPRINT),
                20: lambda: heard.note(OTHER),
            },
            last=60,
        )
        with pytest.raises(asyncio.CancelledError):
            await FromFolder(tmp_path / "bundle", heard, sleep=looks).changed(
                edition(digest=bundle.manifest.digest)
            )

    run(check)
    assert [f"another network (fingerprint {OTHER})" in line.getMessage() for line in caplog.records] == [
        True
    ]


def test_a_cloud_that_names_another_network_is_followed():
    async def check():
        heard = Heard()
        origin = FromCloud(None, SimpleNamespace(heard=heard))
        changed = asyncio.create_task(origin.changed(edition()))
        for said in (FINGERPRINT, "nonsense", None, 7):
            heard.note(said)
            await turns()
            assert not changed.done()
        heard.note(OTHER)
        assert await changed == OTHER
        assert await origin.changed(edition()) == OTHER, "until it is taken, or the cloud goes back"
        heard.note(FINGERPRINT)
        again = asyncio.create_task(origin.changed(edition()))
        await turns()
        assert not again.done()
        again.cancel()

    run(check)


def test_a_cloud_whose_replies_do_not_say_it_is_asked(monkeypatch):
    """Nothing is sent for a still scene or at the split point `output`; and a cloud of 0.5.0 says it in `GET /model` only."""
    monkeypatch.setattr(origins, "ASK_S", 0.001)

    async def check():
        heard, asked = Heard(), []

        async def ask_model():
            asked.append(True)
            if len(asked) < 3:
                raise UplinkError("unreachable", "away")
            heard.note(OTHER)

        origin = FromCloud(None, SimpleNamespace(heard=heard, ask_model=ask_model))
        assert await origin.changed(edition()) == OTHER
        assert len(asked) == 3

    run(check)


def test_an_edge_with_a_network_of_its_own_says_once_that_the_clouds_is_another(caplog):
    async def check():
        heard = Heard()
        watching = asyncio.create_task(Fixed(heard).changed(edition()))
        for said in (FINGERPRINT, OTHER, FINGERPRINT, OTHER, "00" * 8, OTHER):
            heard.note(said)
            await turns()
        assert not watching.done()
        watching.cancel()

    run(check)
    told = [line.getMessage() for line in caplog.records]
    assert len(told) == 2
    assert f"(fingerprint {OTHER}) than this edge ({FINGERPRINT})" in told[0]
    assert "or --model cloud" in told[0]
    assert "00" * 8 in told[1]


def test_a_cloud_that_names_others_all_the_time_does_not_fill_the_log(caplog):
    async def check():
        heard = Heard()
        watching = asyncio.create_task(Fixed(heard).changed(edition()))
        for number in range(150):
            heard.note(f"{number:016x}")
            await turns(3)
        watching.cancel()

    run(check)
    assert len(caplog.records) == 100
