"""An int8 bundle with the float32 bundle that it is made of beside it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from shared.bundling.folder import check_target, replacing
from shared.bundling.int8.maker import MIN_AGREEMENT, make_int8
from shared.network.bundle import float_of, read_bundle
from shared.network.manifest import FILES, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from shared.bundling.int8.maker import Int8Report
    from shared.network.bundle import Bundle
    from shared.network.recipe import Recipe


def make_int8_beside(
    folder: Path,
    fill: Callable[[Path], object],
    pictures: Callable[[Recipe], Sequence[NDArray[np.uint8]]],
    *,
    wanted: float = MIN_AGREEMENT,
    portable: bool = False,
    show: Callable[..., object] = lambda *_: None,
) -> tuple[Int8Report, Bundle]:
    """Make the float32 bundle in FOLDER.float and the int8 one in FOLDER; or the float32 one in FOLDER, if int8 is not worth it.

    `fill` fills an empty folder with the float32 bundle; `pictures` are for its recipe; the others are `make_int8`'s. What is there stays
    until both are made. Returns what `make_int8` reports, and the float32 bundle, which lies elsewhere by then. Raises StartupError.
    """
    check_target(folder)
    with replacing(float_of(folder)) as in_float:
        fill(in_float)
        network = read_bundle(in_float, verify=False)
        found = pictures(network.model.recipe)
        with replacing(folder) as making:
            report = make_int8(network, found, making, wanted=wanted, portable=portable, show=show)
            if report.bundle is None:
                for name in (MANIFEST, *FILES):
                    shutil.copy2(in_float / name, making / name)
    if report.bundle is None:
        shutil.rmtree(float_of(folder))
    return report, network
