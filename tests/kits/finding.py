"""Finding bundles with a maker of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kits import bundles

from shared.network import find
from shared.network.choice import NetworkChoice
from shared.network.find import find_bundle

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


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
