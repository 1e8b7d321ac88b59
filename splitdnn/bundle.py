"""Makes and reads bundles from code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shared.network import bundle as room
from shared.network.choice import NAMED_SECONDS, NetworkChoice

if TYPE_CHECKING:
    from shared.network.bundle import Bundle


def make_bundle(
    source: str | Path,
    folder: str | Path,
    weights: str = "auto",
    *,
    seed: int = 0,
    labels: str | None = None,
    recipe: str | None = None,
    task: str | None = None,
) -> Bundle:
    """Make the bundle of `source` in `folder`, which is created; one that is there is kept as FOLDER.previous.

    `source` and the other arguments are those of `load_network`. Takes seconds to a minute, and torch if the source is a torch
    network. Raises ModelError or SettingsError; nothing is left of a bundle that could not be made.
    """
    # Brings OpenVINO, and torch for a source that needs it.
    from shared.bundling.bundler import make_bundle as make  # noqa: PLC0415
    from shared.bundling.folder import replacing  # noqa: PLC0415

    target = Path(folder)
    choice = NetworkChoice(str(source), weights, seed, labels, recipe, task)
    with replacing(target) as making:
        make(choice, making, patience_s=NAMED_SECONDS)
    return room.read_bundle(target, verify=False)


def read_bundle(folder: str | Path, *, verify: bool = True) -> Bundle:
    """Read the bundle in `folder`; `verify` compares every file with its SHA-256. Raises ModelError."""
    return room.read_bundle(Path(folder), verify=verify)
