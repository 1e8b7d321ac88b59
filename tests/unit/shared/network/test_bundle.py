"""Reading a bundle: what was changed, is too large, or makes no sense is refused in one line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from kits.bundles import CLASSES, POINTS, SHAPES, make, recipe

from shared.errors import ModelError
from shared.limits import MAX_BUNDLE_FILE_BYTES, MAX_LABELS, MAX_MANIFEST_BYTES
from shared.network.bundle import read_bundle
from shared.network.manifest import FILES, MANIFEST, SCHEMA, digest_of, parse_manifest, write_manifest
from shared.network.partition import OUTPUT
from shared.tasks.spec import TaskSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def manifest(folder: Path) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    return fields


def with_change(fields: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> bytes:
    """The changed manifest with a digest that fits it again: what another program might have written."""
    changed = json.loads(json.dumps(fields))
    change(changed)
    changed["digest"] = digest_of(changed)
    return json.dumps(changed).encode()


def refusal(data: bytes) -> str:
    with pytest.raises(ModelError) as error:
        parse_manifest(data, "bundle there")
    text = str(error.value)
    assert text.startswith("bundle there: ")
    assert "\n" not in text
    assert len(text) < 1000
    return text


def test_a_bundle_is_read_as_it_was_written(tmp_path: Path) -> None:
    for outputs, batch in ((1, None), (2, 1)):
        folder = tmp_path / str(outputs)
        folder.mkdir()
        bundle = make(folder, outputs=outputs, batch=batch)
        assert (bundle.folder, bundle.batch) == (folder, batch)
        assert list(bundle.partition.points) == list(POINTS)
        assert bundle.partition.points["pool"].shape == SHAPES["pool"]
        assert bundle.partition.points[OUTPUT].shapes == (((CLASSES,), (17,))[:outputs])
        assert bundle.model.recipe == recipe()
        assert bundle.model.outputs == ("classes", "widths")[:outputs]
        assert bundle.model.task == (TaskSpec("classify", "softmax") if outputs == 1 else TaskSpec("raw"))
        assert len(bundle.model.fingerprint) == 8
        assert len(bundle.model.labels) == (CLASSES if outputs == 1 else 0)
        assert all(path.is_file() for path in (bundle.network, bundle.constants, bundle.probe))


def test_every_file_is_compared_with_its_digest(tmp_path: Path) -> None:
    make(tmp_path)
    for name in FILES:
        good = (tmp_path / name).read_bytes()
        for what, data in (
            ("another byte", good[:-1] + bytes([good[-1] ^ 1])),
            ("shorter", good[:-1]),
            ("longer", good + b"x"),
        ):
            (tmp_path / name).write_bytes(data)
            with pytest.raises(ModelError) as error:
                read_bundle(tmp_path)
            assert f"{name} is not the file that was written" in str(error.value), what
            assert read_bundle(tmp_path, verify=False).folder == tmp_path
        (tmp_path / name).unlink()
        with pytest.raises(ModelError, match=f"{name}: No such file"):
            read_bundle(tmp_path)
        (tmp_path / name).write_bytes(good)
    assert read_bundle(tmp_path).folder == tmp_path


def test_a_manifest_that_was_changed_by_hand_says_so(tmp_path: Path) -> None:
    make(tmp_path)
    fields = manifest(tmp_path)
    for key, value in (
        ("name", "other"),
        ("labels", []),
        ("fingerprint", "0" * 16),
        ("digest", "0" * 64),
        ("digest", None),
    ):
        assert "was changed after it was written" in refusal(json.dumps(fields | {key: value}).encode()), key
    del fields["digest"]
    assert "was changed after it was written" in refusal(json.dumps(fields).encode())


def test_what_is_no_manifest_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    fields = manifest(tmp_path)
    for data, said in (
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "names no schema version"),
        (b'{"schema": true}', "names no schema version"),
        (b'{"schema": 0}', "names no schema version"),
        (b'{"schema": "1"}', "names no schema version"),
        (b" " * (MAX_MANIFEST_BYTES + 1), f"longer than {MAX_MANIFEST_BYTES} bytes"),
        (
            with_change(fields, lambda each: each.update(schema=SCHEMA + 1)),
            "is newer than this version of splitdnn reads",
        ),
    ):
        assert said in refusal(data), data[:40]
    with pytest.raises(ModelError, match=r"bundle \S+: bundle.json: No such file"):
        read_bundle(tmp_path / "nowhere")


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "unknown key": (lambda each: each.update(more=1), "more: Extra inputs"),
    "missing key": (lambda each: each.pop("weights"), "weights: Field required"),
    "fingerprint": (lambda each: each.update(fingerprint="xyz"), "fingerprint: "),
    "labels": (lambda each: each.update(labels=["a"] * (MAX_LABELS + 1)), "labels: List should have at most"),
    "task": (lambda each: each["task"].update(name=""), "task.name: "),
    "batch": (lambda each: each.update(batch=4), "batch"),
    "precision": (lambda each: each.update(precision="int8"), "precision: "),
    "too large a file": (
        lambda each: each["files"]["network.bin"].update(bytes=MAX_BUNDLE_FILE_BYTES + 1),
        "files.network.bin.bytes: ",
    ),
    "a graph": (lambda each: each["files"]["network.xml"].update(bytes=1 << 28), "network.xml has 2684"),
    "digest of a file": (
        lambda each: each["files"]["network.bin"].update(sha256="0"),
        "files.network.bin.sha256: ",
    ),
    "another file": (
        lambda each: each["files"].update({"../x": each["files"]["network.bin"]}),
        "lists the files ../x, ",
    ),
    "no file": (lambda each: each["files"].pop("network.bin"), "lists the files "),
    "one point": (
        lambda each: each.update(split_points=each["split_points"][:1]),
        "split_points: List should have",
    ),
    "no input": (lambda each: each["split_points"].pop(0), "do not go from input to output"),
    "no output": (lambda each: each["split_points"].pop(), "do not go from input to output"),
    "a name twice": (lambda each: each["split_points"][1].update(name="relu"), "each named once"),
    "no shape": (lambda each: each["split_points"][1].update(shapes=[]), "split_points.1.shapes: "),
    "an empty tensor": (
        lambda each: each["split_points"][1].update(shapes=[[0, 4]]),
        "conv is too large for a frame",
    ),
    "too many dimensions": (
        lambda each: each["split_points"][1].update(shapes=[[1] * 5]),
        "too large for a frame",
    ),
    "too long a side": (
        lambda each: each["split_points"][1].update(shapes=[[1 << 16]]),
        "too large for a frame",
    ),
    "too many elements": (
        lambda each: each["split_points"][1].update(shapes=[[1 << 13] * 2]),
        "too large for a frame",
    ),
    "negative work": (
        lambda each: each["split_points"][1].update(head_macs=-1),
        "split_points.1.head_macs: ",
    ),
    "endless work": (
        lambda each: each["split_points"][1].update(head_macs=10**400),
        "split_points.1.head_macs: ",
    ),
    "an output of no size": (
        lambda each: each["split_points"][-1].update(shapes=[[0]]),
        "outputs have the sizes",
    ),
    "a negative output": (
        lambda each: each["split_points"][-1].update(shapes=[[-5]]),
        "outputs have the sizes",
    ),
    "too large an output": (
        lambda each: each["split_points"][-1].update(shapes=[[10**12]]),
        "outputs have the sizes",
    ),
    "more outputs": (lambda each: each.update(outputs=["a", "b"]), "one for each of 2"),
    "seven": (lambda each: each["split_points"][1].update(shapes=[[4]] * 7), "7 tensors cross; accepted: 1"),
    "too many elements in all": (
        lambda each: each["split_points"][1].update(shapes=[[1 << 11, 1 << 12]] * 3),
        "too large for a frame",
    ),
    "lines in the name": (lambda each: each.update(name="a\nb"), "'a\\nb' has control characters"),
    "a terminal's codes": (lambda each: each["labels"].__setitem__(0, "\x1b[2J"), "has control characters"),
    "an option": (lambda each: each["task"].update(options={"a": "a\nb"}), "has control characters"),
    "a task": (lambda each: each["task"].update(name="a\nb"), "has control characters"),
    "half a character": (lambda each: each["labels"].__setitem__(0, "\ud800"), "labels.0: "),
    "a long label": (lambda each: each["labels"].__setitem__(0, "a" * 1001), "labels.0: "),
    "too long a name": (lambda each: each["split_points"][1].update(name="x" * 65), "too large for a frame"),
}


def test_the_schema_is_the_oldest_that_says_everything(tmp_path: Path) -> None:
    make(tmp_path)
    fields = {
        key: value for key, value in manifest(tmp_path).items() if key not in ("schema", "files", "digest")
    }
    several = [
        each | {"shapes": [[4], [4, 2]]} if each["name"] == "relu" else each
        for each in fields["split_points"]
    ]
    for change, schema in (
        ({}, 1),
        ({"task": {"name": "raw", "activation": "none"}}, 1),
        ({"task": {"name": "detect", "activation": "none", "options": {"form": "rows"}}}, 2),
        ({"split_points": several}, 2),
    ):
        write_manifest(tmp_path, fields | change)
        assert manifest(tmp_path)["schema"] == schema, change
    older = with_change(manifest(tmp_path), lambda each: each.update(schema=1))
    assert "only schema 2 has" in refusal(older)
    points = read_bundle(tmp_path).partition.points
    assert points["relu"].shapes == ((4,), (4, 2))
    assert (points["relu"].elements, points["relu"].float32_bytes) == (12, 48)


def test_every_value_is_checked(tmp_path: Path) -> None:
    make(tmp_path)
    fields = manifest(tmp_path)
    parse_manifest(with_change(fields, lambda _: None), "the same")
    for what, (change, said) in CHANGES.items():
        assert said in refusal(with_change(fields, change)), what


def test_a_recipe_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    for change in (
        {"width": 0},
        {"width": "8"},
        {"fit": "squeeze"},
        {"more": 1},
        {"std": [0, 0, 0]},
        {"mean": [1]},
    ):
        (tmp_path / MANIFEST).write_bytes(
            with_change(manifest(tmp_path), lambda each, change=change: each["recipe"].update(change))
        )
        with pytest.raises(ModelError, match=r"^bundle \S+: recipe: [^\n]+$"):
            read_bundle(tmp_path)
        make(tmp_path)
