"""Makes and reads bundles from code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import SettingsError
from shared.network import bundle as room
from shared.network.choice import NAMED_SECONDS, NetworkChoice
from splitdnn.checks import contiguous_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from shared.network.bundle import Bundle
    from shared.network.recipe import Recipe


def make_bundle(
    source: str | Path,
    folder: str | Path,
    weights: str = "auto",
    *,
    seed: int = 0,
    labels: str | None = None,
    recipe: str | None = None,
    task: str | None = None,
    int8: Sequence[NDArray[np.uint8]] | None = None,
    min_agreement: float = 0.975,
    portable: bool = False,
) -> Bundle:
    """Make the bundle of `source` in `folder`, which is created; one that is there is kept as FOLDER.previous.

    `source` and the arguments up to `task` are those of `load_network`. `int8`: at least 48 pictures of any size, (height, width, 3)
    uint8 RGB, to quantise the network by (see docs/bundle.md), of whose answers `min_agreement`, 0 … 1, is to be kept; `portable`:
    weights of 7 bits, for processors without VNNI. `Bundle.manifest.precision` then says whether int8 was worth it, and
    `Bundle.manifest.int8` what it keeps; the float32 bundle lies in FOLDER.float.

    Takes seconds to a minute, and torch if the source is a torch network; with `int8` minutes, NNCF and OpenCV. Raises ModelError or
    SettingsError; nothing is left of a bundle that could not be made.
    """
    # Brings OpenVINO, and torch for a source that needs it.
    from shared.bundling.bundler import make_bundle as make  # noqa: PLC0415
    from shared.bundling.folder import replacing  # noqa: PLC0415

    target = Path(folder)
    choice = NetworkChoice(str(source), weights, seed, labels, recipe, task)

    def fill(making: Path) -> None:
        make(choice, making, patience_s=NAMED_SECONDS)

    if int8 is not None:
        _make_int8(target, fill, int8, min_agreement, portable=portable)
    else:
        with replacing(target) as making:
            fill(making)
    return room.read_bundle(target, verify=False)


def _make_int8(
    target: Path,
    fill: Callable[[Path], None],
    pictures: Sequence[NDArray[np.uint8]],
    wanted: float,
    *,
    portable: bool,
) -> None:
    """`pictures` are the caller's. Raises SettingsError or ModelError."""
    from shared.bundling.int8.beside import make_int8_beside  # noqa: PLC0415 - as above
    from shared.bundling.int8.quantiser import require_nncf  # noqa: PLC0415 - as above
    from shared.network.recipes.resize import fit_picture  # noqa: PLC0415 - brings OpenCV

    if not 0 <= wanted <= 1:
        raise SettingsError(f"min_agreement={wanted:g}; accepted: 0 to 1")
    checked = [contiguous_picture(picture) for picture in pictures]
    require_nncf()

    def prepared(recipe: Recipe) -> list[NDArray[np.uint8]]:
        return [fit_picture(picture, recipe) for picture in checked]

    make_int8_beside(target, fill, prepared, wanted=wanted, portable=portable)


def read_bundle(folder: str | Path, *, verify: bool = True) -> Bundle:
    """Read the bundle in `folder`; `verify` compares every file with its SHA-256. Raises ModelError."""
    return room.read_bundle(Path(folder), verify=verify)
