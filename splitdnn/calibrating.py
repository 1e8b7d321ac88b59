"""`splitdnn bundle`, with the edge's sources to read pictures from for `--int8 --calibrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.bundling.command import bundle as make
from shared.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from shared.network.recipe import Recipe


def bundle(arguments: Sequence[str]) -> int:
    """As `shared.bundling.command.bundle`."""
    return make(arguments, read_pictures)


def read_pictures(
    source: str, recipe: Recipe, most: int, progress: Callable[[int], object]
) -> list[NDArray[np.uint8]]:
    """At most `most` pictures of a source, as the network takes them, evenly spread over it. Raises SourceError or SettingsError."""
    try:
        from edge.calibration.pictures import Footage  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"--calibrate reads pictures as the edge does, and {error.name} is not installed: pip install 'splitdnn[edge]'"
        ) from None
    return Footage(source).read(recipe, most, progress=progress)
