"""The bundle that the settings name: a folder, one that was kept, or one that a child process makes."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest
from kits import bundles
from kits.engines import warnings
from kits.finding import Maker

from shared.errors import ModelError, SettingsError
from shared.network import find
from shared.network.bundle import previous_of
from shared.network.find import bundle_folder

if TYPE_CHECKING:
    from pathlib import Path

    from shared.network.choice import NetworkChoice


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
    with pytest.raises(ModelError, match=r"network\.bin is not the file that was written"):
        maker.find("tiny")


def test_a_folder_that_is_no_bundle_is_refused_unless_it_only_has_a_networks_name(
    maker: Maker, tmp_path: Path
) -> None:
    (tmp_path / "resnet18").mkdir()
    with pytest.raises(
        ModelError, match=r"this folder has no bundle\.json; accepted: a folder that `splitdnn bundle` wrote"
    ):
        maker.find(str(tmp_path / "resnet18"))
    assert maker.find("resnet18").model.name == "tiny"
    for model in ("resnet18", "no/such/folder", "x" * 5000, "a\0b"):
        assert bundle_folder(model) is None


def test_a_folder_is_found_while_another_bundle_is_put_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, new = tmp_path / "net", tmp_path / "new"
    for folder in (here, new):
        folder.mkdir()
        bundles.make(folder)
    here.rename(previous_of(here))
    monkeypatch.setattr("shared.network.find.time.sleep", lambda _seconds: new.rename(here))
    assert bundle_folder(str(here)) == here


def test_a_bundles_labels_can_be_replaced_but_not_its_recipe_and_task(maker: Maker, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    bundles.make(tmp_path / "tiny")
    (tmp_path / "five").write_text("\n".join("abcde"))
    (tmp_path / "four").write_text("\n".join("abcd"))
    assert maker.find("tiny", labels="five").model.labels == tuple("abcde")
    with pytest.raises(ModelError, match="it has 4 names, and the network has 5 classes"):
        maker.find("tiny", labels="four")
    for name, value in (("recipe", "size=96"), ("task", "detect:form=yolov8")):
        with pytest.raises(
            SettingsError,
            match=f"{name} {value}: the bundle tiny has its own; make it again with `splitdnn bundle SOURCE --{name} {value}",
        ):
            maker.find("tiny", **{name: value})


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
    for changes in (
        {},
        {"weights": "V2"},
        {"seed": 1},
        {"labels": "x"},
        {"recipe": "size=96"},
        {"task": "detect:form=yolov8"},
        {"model": "vgg11"},
    ):
        maker.made.clear()
        options = {"model": "resnet18", "weights": "V1"} | changes
        maker.find(cache=cache, **options)
        assert len(maker.made) == 1, changes
        maker.find(cache=cache, **options)
        assert len(maker.made) == 1, changes
    monkeypatch.setattr("shared.network.making.bundle_key._version", lambda _: "99")
    maker.find(cache=cache, weights="V1")
    assert len(maker.made) == 2


def test_a_kept_bundle_that_is_damaged_or_of_another_schema_is_made_again(
    maker: Maker, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = maker.find(cache=tmp_path / "cache", weights="V1")
    bundle.network.write_text("<net")
    assert maker.find(cache=tmp_path / "cache", weights="V1").folder == bundle.folder
    assert len(maker.made) == 2
    read, schema = (
        find.read_bundle,
        ModelError("bundle x: schema 2 is newer than this version of splitdnn reads"),
    )
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
    """The child meets it, and says so in the system's words, or in OpenVINO's."""
    cache, original = tmp_path / "cache", find.make_in_child
    said = [os.strerror(errno.ENOSPC), "basic_ios::clear: iostream error"]

    def full(choice: NetworkChoice, folder: Path, patience_s: float) -> None:
        if folder.parent == cache:
            raise ModelError(f"{folder}/network.xml: cannot be written: {said[-1]}")
        original(choice, folder, patience_s)

    monkeypatch.setattr(find, "make_in_child", full)
    while said:
        caplog.clear()
        assert maker.find(cache=cache).folder.parent == tmp_path / "temporary"
        (warning,) = warnings(caplog)
        assert "cannot keep bundle-" in warning
        assert warning.endswith(f"{said.pop()} (is the disk full?)")
        assert list(cache.iterdir()) == []

    def refuse(**_: Any) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(find.tempfile, "mkdtemp", refuse)
    with pytest.raises(ModelError, match="its bundle cannot be written: "):
        maker.find()


def test_without_torch_the_error_says_what_to_run(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
