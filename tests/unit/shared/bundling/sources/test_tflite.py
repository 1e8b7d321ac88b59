"""What TensorFlow Lite files say of their pictures and classes."""

from __future__ import annotations

import random
import zipfile
from typing import TYPE_CHECKING

from kits.tflite import FLOAT32, INT8, UINT8, metadata, relu

from shared.bundling.sources.file import from_file
from shared.bundling.sources.tflite import read_tflite
from shared.network.choice import NetworkChoice

if TYPE_CHECKING:
    from pathlib import Path

    from shared.bundling.sources.metadata import Said

_HALF = metadata((127.5,), (127.5,))
_LABELS = {"other.txt": "x\ny\n", "labels.txt": "cat\nred fox\n"}


def _said(tmp_path: Path, content: bytes) -> Said:
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    return read_tflite(path)


def test_recipe_and_labels_are_the_files_own(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(relu(said=metadata((10, 20, 30), (2, 3, 4)), files=_LABELS))
    source = from_file(NetworkChoice(str(path)))
    recipe = source.recipe
    assert (recipe.mean, recipe.std, recipe.scale) == ((10, 20, 30), (2, 3, 4), 1)
    assert (recipe.channels, recipe.fit, recipe.width) == ("RGB", "stretch", 8)
    assert source.labels == ("cat", "red fox")
    assert source.notes == ("recipe from TensorFlow Lite metadata in the file",)


def test_pixels_of_a_quantised_input_are_moved_or_the_file_is_not_followed(tmp_path: Path) -> None:
    step = 1 / 127.5
    cases: list[tuple[int, tuple[float, int] | None, bytes, float | None]] = [
        (UINT8, (step, 128), _HALF, 0),
        (UINT8, (step, 127), _HALF, 0),
        (INT8, (step, 0), _HALF, 128),
        (INT8, (step, -1), _HALF, 128),
        (UINT8, (1 / 255, 0), metadata((0,), (255,)), 0),
        (UINT8, None, metadata((0,), (1,)), 0),
        (UINT8, (step, 128), metadata((123.7, 116.3, 103.5), (58.4, 57.1, 57.4)), None),
        (INT8, (step, 100), _HALF, None),
    ]
    for kind, quantised, said, moved in cases:
        found = _said(tmp_path, relu(kind=kind, quantised=quantised, said=said))
        case = (kind, quantised)
        if moved is None:
            assert not found.recipe, case
            assert "--recipe says" in found.notes[0], case
        else:
            assert found.recipe == {"scale": 1.0, "mean": (moved,) * 3, "std": (1.0,) * 3}, case


def test_pixels_fit_a_signed_input_of_which_nothing_is_said(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(relu(kind=INT8, quantised=(1 / 255, -128)))
    recipe = from_file(NetworkChoice(str(path))).recipe
    assert (recipe.scale, recipe.mean, recipe.std) == (1, (128,) * 3, (1,) * 3)


def test_labels_without_metadata_are_the_only_text(tmp_path: Path) -> None:
    for files, labels in (
        ({"a.txt": "cat\ndog\n", "b.bin": "x"}, ("cat", "dog")),
        ({"a.txt": "cat\n", "b.txt": "dog\n"}, ()),
        ({}, ()),
        (None, ()),
    ):
        assert _said(tmp_path, relu(files=files)).labels == labels, files


def test_what_makes_no_sense_is_absent(tmp_path: Path) -> None:
    large = {"labels.txt": "x\n" * (9 << 20)}
    cases = [
        b"",
        b"TFL3",
        relu()[:40],
        relu(said=b"nonsense"),
        relu(said=metadata((float("nan"),), (1,))),
        relu(said=metadata((0,), (0,))),
        relu(said=metadata((1, 2), (1, 2))),
        relu(said=metadata((), ()), files=large),
        relu(files=_LABELS | {"labels.txt": "[" * 100_000 + "]" * 100_000}, said=metadata((), ())),
        relu(files={"labels.txt": "cat\n"}, compression=zipfile.ZIP_LZMA),
        relu(files={"labels.txt": "cat\n"}).replace(b"labels.txt", b"labels.tx\0"),
    ]
    for number, content in enumerate(cases):
        found = _said(tmp_path, content)
        assert (found.recipe, found.labels, found.dialect) == ({}, (), None), number


def test_no_change_of_a_file_is_more_than_unreadable(tmp_path: Path) -> None:
    whole = relu(kind=FLOAT32, said=_HALF, files=_LABELS)
    assert _said(tmp_path, whole).recipe
    assert _said(tmp_path, whole).labels
    pick = random.Random(0)
    lost = 0
    for number in range(1500):
        changed = bytearray(whole)
        for _ in range(pick.choice((1, 2, 8))):
            changed[pick.randrange(len(changed))] = pick.choice((0, 127, 128, 255))
        if number % 4 == 0:
            del changed[pick.randrange(len(changed)) :]
        found = _said(tmp_path, bytes(changed))
        lost += not found.recipe or not found.labels
    assert 100 < lost < 1500
