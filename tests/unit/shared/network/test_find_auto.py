"""`--weights auto`: pretrained weights that were kept, else a download, else random ones with a warning."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from kits.engines import warnings
from kits.finding import Maker

from shared.errors import ModelError
from shared.network import find
from shared.network.choice import NetworkChoice
from shared.network.find import find_bundle
from shared.process.cache.folder import Cache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Maker:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(find.tempfile, "tempdir", None)
    (tmp_path / "temporary").mkdir()
    return Maker(monkeypatch)


def test_auto_takes_pretrained_weights_that_were_kept(maker: Maker, tmp_path: Path) -> None:
    for _ in range(2):
        assert maker.find(cache=tmp_path).model.weights == "IMAGENET1K_V1"
    assert [each.weights for each in maker.made] == ["auto"]


def test_a_fetch_that_failed_is_not_tried_again_for_an_hour(
    maker: Maker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "cache"
    maker.pretrained = False
    assert maker.find(cache=cache).model.weights == "random:0"
    assert warnings(caplog) == []  # the child has said it
    maker.clock += 3599
    assert maker.find(cache=cache).model.weights == "random:0"
    assert len(maker.made) == 1
    (warning,) = warnings(caplog)
    assert warning.startswith("weights=auto: no pretrained weights (the last download failed)")
    assert "random ones (seed 0)" in warning
    assert maker.find(cache=cache, weights="random").model.weights == "random:0"
    assert len(maker.made) == 1
    maker.pretrained = True
    maker.clock += 2
    assert maker.find(cache=cache).model.weights == "IMAGENET1K_V1"
    assert [each.weights for each in maker.made] == ["auto", "auto"]


def test_a_fetch_counts_as_failed_for_its_own_network_and_only_while_the_clock_makes_sense(
    maker: Maker, tmp_path: Path
) -> None:
    maker.pretrained = False
    maker.find(cache=tmp_path)
    maker.find("vgg11", tmp_path)
    assert [each.model for each in maker.made] == ["resnet18", "vgg11"]
    maker.clock -= 10
    maker.find(cache=tmp_path)
    assert len(maker.made) == 3


def test_where_only_the_cuts_are_wanted_nothing_is_fetched(
    maker: Maker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert maker.find(cache=tmp_path / "a", fetch=False).model.weights == "random:0"
    assert [each.weights for each in maker.made] == ["random"]
    maker.find(cache=tmp_path / "b")
    assert maker.find(cache=tmp_path / "b", fetch=False).model.weights == "IMAGENET1K_V1"
    assert len(maker.made) == 2
    assert warnings(caplog) == []


def test_only_names_of_published_networks_fall_back_to_random_weights(maker: Maker, tmp_path: Path) -> None:
    """The weights of a function's network are its own, whatever they are called."""
    maker.pretrained = False
    for model, random in (
        ("net.py:build", False),
        ("pkg.net:build", False),
        ("timm:vit", True),
        ("vgg11", True),
    ):
        maker.made.clear()
        for _ in range(2):
            maker.find(model, tmp_path / "cache")
        assert len(maker.made) == 1, model
        maker.find(model, tmp_path / "cache", weights="random")
        assert len(maker.made) == (1 if random else 2), model


def test_a_process_that_waited_for_another_takes_what_that_one_made(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, original = [], Cache.locked

    @contextmanager
    def locked(self: Cache, name: str) -> Iterator[None]:
        held.append(name)
        if len(held) % 2:  # we wait here for another process
            maker.find(cache=cache)
        with original(self, name):
            yield

    monkeypatch.setattr(Cache, "locked", locked)
    for pretrained, weights in ((True, "IMAGENET1K_V1"), (False, "random:0")):
        cache = tmp_path / weights
        maker.made.clear()
        maker.pretrained = pretrained
        assert maker.find(cache=cache).model.weights == weights
        assert len(maker.made) == 1, weights
    assert len(held) == 4


def test_without_torch_random_weights_that_were_kept_are_better_than_none(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(find.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match="run `splitdnn bundle resnet18 -o FOLDER` where torch is"):
        maker.find(cache=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(find.importlib.util, "find_spec", lambda name: name)
        maker.find(cache=tmp_path, weights="random")
    assert maker.find(cache=tmp_path).model.weights == "random:0"
    assert len(warnings(caplog)) == 1
    with monkeypatch.context() as patch:
        patch.setattr(find.importlib.util, "find_spec", lambda name: name)
        maker.find(cache=tmp_path)
    assert maker.find(cache=tmp_path).model.weights == "IMAGENET1K_V1"


def test_nothing_is_made_before_that_may_begin(maker: Maker, tmp_path: Path) -> None:
    """What is kept already waits for nothing."""
    seen: list[int] = []
    for _ in range(2):
        find_bundle(
            NetworkChoice("resnet18"), str(tmp_path / "cache"), patience_s=20, clock=lambda: 0.0,
            hold=lambda: seen.append(len(maker.made)),
        )  # fmt: skip
    assert len(maker.made) == 1
    assert seen == [0]
