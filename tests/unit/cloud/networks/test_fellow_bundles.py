"""A bundle from another cloud: nothing that it says is taken on trust, and another one may have it whole."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from kits.numpy_network import write_bundle

from cloud.networks import fellow_bundles as module
from cloud.networks.fellow_bundles import FellowBundles
from shared.errors import FetchError
from shared.network.bundle import read_bundle
from shared.network.making.store import BundleStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OURS, OTHER = b"theirs..", b"other..."
NAME = OURS.hex()


class Sibling:
    """Gives the bundle in a folder; `wrong` may change each answer."""

    def __init__(
        self, folder: Path, wrong: Callable[[str, SimpleNamespace], object] = lambda *_: None
    ) -> None:
        self.url = "http://sibling"
        self.folder, self.wrong = folder, wrong
        self.asked = 0
        self.most = 0

    async def get(self, path: str, _timeout_s: float, most_bytes: int, headers: dict[str, str]) -> Any:
        self.asked += 1
        name = path.removeprefix(f"/bundle/{NAME}").lstrip("/") or "bundle.json"
        answer = SimpleNamespace(code=200, body=(self.folder / name).read_bytes(), headers={})
        if "Range" in headers:
            start, last = map(int, headers["Range"].removeprefix("bytes=").split("-"))
            answer.headers["Content-Range"] = f"bytes {start}-{last}/{len(answer.body)}"
            answer.body, answer.code = answer.body[start : last + 1], 206
        self.most = max(self.most, len(answer.body) if "Range" in headers else 0)
        assert len(answer.body) <= most_bytes
        return None if self.wrong(name, answer) == "silent" else answer


class Siblings:
    """Those that say that they have it, in this order."""

    def __init__(self, *those: Sibling) -> None:
        self.those = those

    async def first(self, path: str, _kind: str, name: str, take: Any) -> Any:
        assert (path, name) == (f"/bundle/{NAME}", NAME)
        for each in self.those:
            if (found := await take(each)) is not None:
                return found
        return None


def fetched(cache: Path, *those: Sibling) -> Path | None:
    async def go() -> Path | None:
        bundles = FellowBundles(Siblings(*those), str(cache), sleep=lambda _: asyncio.sleep(0))  # type: ignore[arg-type]
        return await bundles.fetch(NAME)

    return asyncio.run(go())


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "whole", OURS, **{"network.bin": bytes(range(256)) * 1000})
    return tmp_path / "whole"


def test_it_comes_in_pieces_and_is_kept(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE_BYTES", 100_000)
    sibling = Sibling(whole)
    found = fetched(tmp_path / "cache", sibling)
    assert found
    assert found.parent == tmp_path / "cache"
    assert read_bundle(found).fetched, "no code that it names is run"
    for path in whole.iterdir():
        assert (found / path.name).read_bytes() == path.read_bytes()
    assert sibling.most == 100_000
    asked = sibling.asked
    assert fetched(tmp_path / "cache", sibling) == found
    assert sibling.asked == asked, "it is here"


def test_what_was_kept_and_is_damaged_since_is_fetched_again(whole: Path, tmp_path: Path) -> None:
    found = fetched(tmp_path / "cache", Sibling(whole))
    assert found
    (found / "network.bin").write_bytes(b"damaged")
    assert fetched(tmp_path / "cache", Sibling(whole)) == found
    assert (found / "network.bin").read_bytes() == (whole / "network.bin").read_bytes()


def test_what_another_worker_has_just_fetched_is_not_fetched_again(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = fetched(tmp_path / "cache", Sibling(whole))
    looks, look = iter([None]), module._kept
    monkeypatch.setattr(module, "_kept", lambda *given: next(looks, look(*given)))
    sibling = Sibling(whole)
    assert fetched(tmp_path / "cache", sibling) == found
    assert not sibling.asked


def _shorter(name: str, answer: Any) -> None:
    if name == "network.bin":
        answer.body = answer.body[:-1]


def _elsewhere(name: str, answer: Any) -> None:
    if name == "network.bin":
        answer.headers["Content-Range"] = "bytes 7-9/10"


def _other_bytes(name: str, answer: Any) -> None:
    if name == "network.bin":
        answer.body = bytes(len(answer.body))


def _refuses(name: str, answer: Any) -> None:
    if name == "network.bin":
        answer.code = 403


def _no_manifest(name: str, answer: Any) -> None:
    if name == "bundle.json":
        answer.body = b"{}"


def _falls_silent(name: str, _answer: Any) -> str:
    return "silent" if name == "network.bin" else ""


@pytest.mark.parametrize(
    ("wrong", "result", "text"),
    [
        (_shorter, "cut", "another part came"),
        (_elsewhere, "cut", "another part came"),
        (_other_bytes, "damaged", "another SHA-256"),
        (_refuses, "cut", "gives no more: 403"),
        (_no_manifest, "damaged", "bundle.json"),
        (_falls_silent, "cut", "no answer"),
    ],
)
def test_what_is_not_whole_is_not_kept_and_another_cloud_may_have_it(
    whole: Path, tmp_path: Path, wrong: Any, result: str, text: str
) -> None:
    with pytest.raises(FetchError) as caught:
        fetched(tmp_path / "cache", Sibling(whole, wrong))
    assert caught.value.result == result
    assert text in str(caught.value) or text == "bundle.json"
    assert BundleStore(str(tmp_path / "cache")).find(NAME) is None
    assert sum(each.stat().st_size for each in (tmp_path / "cache").rglob("*") if each.is_file()) == 0
    found = fetched(tmp_path / "cache", Sibling(whole, wrong), Sibling(whole))
    assert found
    assert read_bundle(found).model.fingerprint == OURS


def test_one_that_gives_too_many_files_at_the_moment_is_asked_again(whole: Path, tmp_path: Path) -> None:
    left = iter([503, 503])

    def crowded(name: str, answer: Any) -> None:
        if name == "network.bin":
            answer.code = next(left, answer.code)

    assert fetched(tmp_path / "cache", Sibling(whole, crowded))


def test_another_network_in_its_place_is_not_taken(tmp_path: Path) -> None:
    write_bundle(tmp_path / "other", OTHER)
    with pytest.raises(FetchError, match=f"was asked for {NAME} and gave {OTHER.hex()}"):
        fetched(tmp_path / "cache", Sibling(tmp_path / "other"))


def test_without_room_or_a_sibling_nothing_is_fetched(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fetched(tmp_path / "cache") is None
    monkeypatch.setattr(BundleStore, "free_bytes", lambda _: 1000)
    sibling = Sibling(whole)
    with pytest.raises(FetchError, match="has no room for"):
        fetched(tmp_path / "cache", sibling)
    assert sibling.asked == 1


def test_what_another_worker_fetches_is_waited_for(whole: Path, tmp_path: Path) -> None:
    async def go() -> None:
        cache, sibling, looked = tmp_path / "cache", Sibling(whole), asyncio.Event()

        async def sleep(_s: float) -> None:
            looked.set()
            await asyncio.sleep(0)

        bundles = FellowBundles(Siblings(sibling), str(cache), sleep=sleep)  # type: ignore[arg-type]
        with BundleStore(str(cache)).unfinished(NAME):
            waiting = asyncio.create_task(bundles.fetch(NAME))
            await looked.wait()
            assert not sibling.asked
        assert await waiting
        assert sibling.asked

    asyncio.run(go())
