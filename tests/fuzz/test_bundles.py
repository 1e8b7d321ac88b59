"""What a bundle says of itself, damaged and sealed again with a right digest: a usable description, or one line that refuses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kits.fuzz.campaign import try_out
from kits.fuzz.mutations import as_json, bent
from kits.numpy_network import PYRAMID, write_bundle

from shared.errors import ModelError
from shared.limits import MAX_ELEMENTS
from shared.network.bundle import bundle_of
from shared.network.manifest import digest_of, parse_manifest
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    import random


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Few classes, so that it is not their names alone that are damaged."""
    folder = tmp_path_factory.mktemp("bundles")
    kinds: list[dict[str, Any]] = [
        {},
        {"pyramid": PYRAMID, "outputs": ["output", "features"]},
        {"task": {"name": "raw", "activation": "none"}},
        {"task": {"name": "segment", "activation": "softmax", "options": {"threshold": 0.5}}},
        {"task": {"name": "detect", "activation": "sigmoid", "options": {"form": "yolo", "threshold": 0.4}}},
    ]
    found = []
    for number, kind in enumerate(kinds):
        bundle = write_bundle(folder / str(number), labels=["a", "b", "c"], **kind)
        found.append(json.loads((bundle.folder / "bundle.json").read_bytes()))
    return found


def test_manifests(seeds):
    def make(chance: random.Random) -> bytes:
        fields = chance.choice(seeds)
        if chance.random() < 0.1:
            return as_json(chance, fields)
        part = chance.choice([*fields, ""])
        fields = {**fields, part: bent(chance, fields[part])} if part else bent(chance, fields)
        if isinstance(fields, dict):
            fields["digest"] = digest_of(fields)
        return json.dumps(fields).encode()

    def check(data: bytes) -> object:
        try:
            manifest = parse_manifest(data, "bundle")
            bundle = bundle_of(Path("nowhere"), manifest)
        except ModelError as error:
            assert "\n" not in str(error)
            return None
        for point in bundle.partition.points.values():
            assert sum(map(len, point.shapes)) > 0
            assert all(0 < side <= MAX_ELEMENTS for shape in point.shapes for side in shape)
        for text in (
            bundle.model.name,
            *bundle.model.labels,
            *bundle.model.outputs,
            *bundle.partition.points,
        ):
            assert text.isprintable() or not any(each < " " for each in text), "it would act on a terminal"
        try:
            make_task(bundle.model, Wanted())
        except ModelError as error:
            assert "\n" not in str(error)
        return manifest

    assert try_out("manifests", 6_000, make, check, seconds=2) > 0.01
