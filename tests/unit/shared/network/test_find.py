"""The bundle that the settings name: a folder, one that was kept, or one that a child process makes."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from kits import bundles
from kits.engines import warnings

from shared.errors import ModelError, SettingsError
from shared.network import find
from shared.network.choice import NetworkChoice
from shared.network.find import bundle_folder, find_bundle
from shared.process.cache import Cache

if TYPE_CHECKING:
    from pathlib import Path


class Maker:
    """Stands for the child process: writes a small bundle, or fails as the test says."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.made: list[NetworkChoice] = []
        self.pretrained = True
        self.error: Exception | None = None
        self.clock = 1_000_000.0
        patch.setattr(find, "make_in_child", self._make)

    def _make(self, choice: NetworkChoice, folder: Path, patience_s: float) -> None:
        assert patience_s == 20
        assert list(folder.iterdir()) == []
        self.made.append(choice)
        if self.error:
            (folder / "network.bin").write_bytes(b"half of it")
            raise self.error
        random = choice.weights == "random" or not self.pretrained
        weights = f"random:{choice.seed}" if random else "IMAGENET1K_V1"

        def change(fields: dict[str, Any]) -> None:
            fields["weights"] = weights

        bundles.make(folder, change=change)

    def find(self, model: str = "resnet18", cache: Path | str = "", **options: Any) -> Any:
        fetch = options.pop("fetch", True)
        choice = NetworkChoice(model, **options)
        return find_bundle(choice, str(cache), patience_s=20, fetch=fetch, clock=lambda: self.clock)


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Maker:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(find.tempfile, "tempdir", None)
    (tmp_path / "temporary").mkdir()
    return Maker(monkeypatch)


def entries(cache: Path) -> list[str]:
    return sorted(path.name.partition("-")[0] for path in cache.iterdir())


# --- folders ----------------------------------------------------------------------------------------------------------


def test_a_bundles_folder_is_read_and_verified(maker: Maker, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    made = bundles.make(tmp_path / "tiny")
    for model in ("tiny", str(tmp_path / "tiny")):
        found = maker.find(model)
        assert found.model.fingerprint == made.model.fingerprint
    assert maker.made == []
    data = bytearray(made.constants.read_bytes())
    data[7] ^= 1
    made.constants.write_bytes(data)
    with pytest.raises(ModelError, match="network.bin is not the file that was written"):
        maker.find("tiny")


def test_a_folder_that_is_no_bundle_is_refused_unless_it_only_has_a_networks_name(
    maker: Maker, tmp_path: Path
) -> None:
    (tmp_path / "resnet18").mkdir()
    with pytest.raises(ModelError, match=r"this folder has no bundle\.json; accepted: a folder that `splitdnn bundle` wrote"):
        maker.find(str(tmp_path / "resnet18"))
    assert maker.find("resnet18").model.name == "tiny"
    for model in ("resnet18", "no/such/folder", "x" * 5000, "a\0b"):
        assert bundle_folder(model) is None


def test_a_bundles_labels_can_be_replaced_but_not_its_recipe(maker: Maker, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    bundles.make(tmp_path / "tiny")
    (tmp_path / "five").write_text("\n".join("abcde"))
    (tmp_path / "four").write_text("\n".join("abcd"))
    assert maker.find("tiny", labels="five").model.labels == tuple("abcde")
    with pytest.raises(ModelError, match="4 names; accepted: 5"):
        maker.find("tiny", labels="four")
    with pytest.raises(SettingsError, match="the bundle tiny has its own; make it again with `splitdnn bundle SOURCE"):
        maker.find("tiny", recipe="size=96")


def test_weights_beside_a_bundle_are_said_to_be_of_no_use(
    maker: Maker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "tiny").mkdir()
    bundles.make(tmp_path / "tiny")
    maker.find("tiny")
    assert warnings(caplog) == []
    maker.find("tiny", weights="mine.pth")
    assert warnings(caplog) == [
        "weights mine.pth: the bundle tiny has its own, random:5; only the engine torch reads them anew"
    ]


# --- kept and made ----------------------------------------------------------------------------------------------------


def test_a_bundle_is_made_once_and_kept(maker: Maker, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = maker.find(cache=cache, weights="DEFAULT")
    again = maker.find(cache=cache, weights="DEFAULT")
    assert len(maker.made) == 1
    assert first.folder == again.folder
    assert first.folder.parent == cache
    assert entries(cache) == ["bundle"]


def test_whatever_a_bundle_depends_on_makes_another_one(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    for changes in ({}, {"weights": "V2"}, {"seed": 1}, {"labels": "x"}, {"recipe": "size=96"}, {"model": "vgg11"}):
        maker.made.clear()
        options = {"model": "resnet18", "weights": "V1"} | changes
        maker.find(cache=cache, **options)
        assert len(maker.made) == 1, changes
        maker.find(cache=cache, **options)
        assert len(maker.made) == 1, changes
    monkeypatch.setattr("shared.network.bundle_key._version", lambda _: "99")
    maker.find(cache=cache, weights="V1")
    assert len(maker.made) == 2


def test_a_kept_bundle_that_is_damaged_or_of_another_schema_is_made_again(
    maker: Maker, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = maker.find(cache=tmp_path / "cache", weights="V1")
    bundle.network.write_text("<net")
    assert maker.find(cache=tmp_path / "cache", weights="V1").folder == bundle.folder
    assert len(maker.made) == 2
    read, schema = find.read_bundle, ModelError("bundle x: schema 2 is newer than this version of splitdnn reads")
    answers = [schema]

    def read_bundle(folder: Path, *, verify: bool) -> Any:
        if answers:
            raise answers.pop()
        return read(folder, verify=verify)

    monkeypatch.setattr(find, "read_bundle", read_bundle)
    assert maker.find(cache=tmp_path / "cache", weights="V1").folder == bundle.folder
    assert len(maker.made) == 3
    assert warnings(caplog)[-1] == f"{schema}; it is made again"


def test_what_the_child_says_is_the_error_and_nothing_is_left(maker: Maker, tmp_path: Path) -> None:
    maker.error = ModelError("unknown model resnt18; did you mean resnet18?")
    for cache in ("", tmp_path / "cache"):
        with pytest.raises(ModelError, match="did you mean"):
            maker.find("resnt18", cache)
    assert list((tmp_path / "cache").iterdir()) == []
    assert list((tmp_path / "temporary").iterdir()) == []


# --- without a cache --------------------------------------------------------------------------------------------------


def test_without_a_cache_a_bundle_lasts_as_long_as_the_process(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_end = []
    monkeypatch.setattr(find, "at_end", at_end.append)
    bundle = maker.find()
    assert bundle.folder.parent == tmp_path / "temporary"
    (tidy,) = at_end
    tidy()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_full_disk_costs_a_warning_and_the_cache(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The child meets it, and says so in its own words."""
    cache, original = tmp_path / "cache", find.make_in_child

    def full(choice: NetworkChoice, folder: Path, patience_s: float) -> None:
        if folder.parent == cache:
            raise ModelError(f"{folder}/network.bin: cannot be written: {os.strerror(errno.ENOSPC)}")
        original(choice, folder, patience_s)

    monkeypatch.setattr(find, "make_in_child", full)
    assert maker.find(cache=cache).folder.parent == tmp_path / "temporary"
    (warning,) = warnings(caplog)
    assert "cannot keep bundle-" in warning
    assert os.strerror(errno.ENOSPC) in warning
    assert list(cache.iterdir()) == []
    monkeypatch.setattr(find.tempfile, "mkdtemp", lambda **_: os.mkdir("/proc/no"))
    with pytest.raises(ModelError, match="its bundle cannot be written: "):
        maker.find()


def test_without_torch_the_error_says_what_to_run(maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = maker.find(cache=tmp_path / "cache", weights="V1").folder
    maker.made.clear()
    monkeypatch.setattr(find.importlib.util, "find_spec", lambda _: None)
    for model in ("resnet18", "timm:vit_tiny", "net.py:build", "package.net:build"):
        with pytest.raises(ModelError) as refusal:
            maker.find(model, tmp_path / "cache")
        assert f"run `splitdnn bundle {model} -o FOLDER` where torch is" in str(refusal.value), model
        assert "\n" not in str(refusal.value)
    assert maker.made == []
    assert maker.find(cache=tmp_path / "cache", weights="V1").folder == kept
    (tmp_path / "net.onnx").write_bytes(b"onnx")
    assert maker.find(str(tmp_path / "net.onnx")).model.name == "tiny"


# --- weights=auto -----------------------------------------------------------------------------------------------------


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
    for model, random in (("net.py:build", False), ("pkg.net:build", False), ("timm:vit", True), ("vgg11", True)):
        maker.made.clear()
        for _ in range(2):
            maker.find(model, tmp_path / "cache")
        assert len(maker.made) == 1, model
        maker.find(model, tmp_path / "cache", weights="random")
        assert len(maker.made) == (1 if random else 2), model


def test_a_process_that_waited_for_another_takes_what_that_one_made(maker: Maker, tmp_path: Path) -> None:
    for pretrained in (True, False):
        cache = tmp_path / str(pretrained)
        maker.made.clear()
        maker.pretrained = pretrained

        @contextmanager
        def locked(_self: Cache, _name: str, cache: Path = cache) -> Any:
            if not maker.made:  # the other process, which was first
                maker.made.append(NetworkChoice("other"))
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(Cache, "locked", original)
                    maker.find(cache=cache)
            yield

        original = Cache.locked
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Cache, "locked", locked)
            found = maker.find(cache=cache)
        assert [each.model for each in maker.made] == ["other", "resnet18"], pretrained
        assert found.model.weights == ("IMAGENET1K_V1" if pretrained else "random:0")
