"""The small network of `kits.quantised` as a float32 bundle and the int8 one that is made of it, without NNCF."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from kits import quantised

from shared.bundling.bundler import make_bundle
from shared.bundling.folder import replacing
from shared.bundling.int8 import maker, quantiser
from shared.engines.openvino.runtime import ov
from shared.network.bundle import Bundle, float_of, read_bundle
from shared.network.choice import NetworkChoice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.bundling.int8.maker import Int8Report

_HOME = tempfile.TemporaryDirectory(prefix="splitdnn-tests-")
RECIPE = f"size={quantised.SIDE}x{quantised.SIDE}"


def fill_float(making: Path) -> None:
    """Fill an empty folder with the float32 bundle."""
    source = Path(_HOME.name) / "small.xml"
    if not source.exists():
        ov.save_model(quantised.network(), source, compress_to_fp16=False)
    make_bundle(NetworkChoice(str(source), recipe=RECIPE, task="classify"), making, patience_s=1)


def float_bundle(folder: Path) -> Bundle:
    """The float32 bundle, in a new `folder`."""
    with replacing(folder) as making:
        fill_float(making)
    return read_bundle(folder)


def int8_of(
    network: Bundle, folder: Path, *, wanted: float = 0.5, gain: float = 2.0, levels: int = 256
) -> Int8Report:
    """The int8 bundle of a float32 one, in the empty `folder`. `gain`: how many times as fast it is said to be."""
    with without_nncf(gain=gain, levels=levels):
        return maker.make_int8(network, quantised.pictures(maker.MIN_PICTURES), folder, wanted=wanted)


@contextmanager
def without_nncf(*, gain: float = 2.0, levels: int = 256) -> Iterator[None]:
    """`kits.quantised` quantises in its place, and the result is said to be `gain` times as fast."""
    with (
        mock.patch.object(maker, "quantise", partial(quantised.quantise, levels=levels)),
        mock.patch.object(maker, "nncf_version", lambda: "none"),
        mock.patch.object(maker, "speed_gain", lambda *_: gain),
        mock.patch.object(quantiser, "require_nncf", lambda: None),
    ):
        yield


@cache
def made() -> tuple[Bundle, Int8Report]:
    """Both, made once for all tests of a process: the float32 one lies in FOLDER.float."""
    folder = Path(_HOME.name) / "int8"
    network = float_bundle(float_of(folder))
    folder.mkdir()
    return network, int8_of(network, folder)
