"""The folders that lie beside a bundle's, by whatever name that is called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kits.naming import naming
from kits.numpy_network import write_bundle

from shared.network.bundle import float_beside, float_of, previous_of, read_bundle

if TYPE_CHECKING:
    import pytest


def test_what_lies_beside_a_folder_is_found_by_any_name_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path / "net", tmp_path / "net.float"):
        write_bundle(folder)
    inside = tmp_path / "net" / "inside"
    inside.mkdir()
    here = tmp_path / "net.float", tmp_path / "net.previous"
    for place, name in ((tmp_path, "net"), (tmp_path, "./net/"), (tmp_path / "net", "."), (inside, "..")):
        monkeypatch.chdir(place)
        with naming(name):
            assert (float_of(Path(name)).absolute(), previous_of(Path(name)).absolute()) == here
            assert float_beside(read_bundle(Path(name))) is None
