"""The flags of `splitdnn bundle` that make an int8 bundle, and what it prints of one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from shared.errors import SettingsError
from shared.observing.progress import Progress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from shared.bundling.int8.maker import Int8Report
    from shared.network.bundle import Bundle
    from shared.network.recipe import Recipe

_PICTURES = 300
_NAMED = 8
"""Names of split points that are printed at most."""


class ReadPictures(Protocol):
    """Reads pictures to calibrate on."""

    def __call__(
        self, source: str, recipe: Recipe, most: int, progress: Callable[[int], object], /
    ) -> list[NDArray[np.uint8]]:
        """At most `most` of a source, (height, width, 3) uint8 RGB as the network takes them. Raises SourceError or SettingsError."""


def add_int8_flags(parser: argparse.ArgumentParser) -> None:
    """`--int8`, `--calibrate`, `--pictures`, `--min-agreement` and `--portable`."""
    parser.add_argument(
        "--int8",
        action="store_true",
        help="quantise the network to 8 bits; needs --calibrate, and splitdnn[int8]",
    )
    parser.add_argument(
        "--calibrate",
        metavar="SOURCE",
        help="pictures of yours, without labels: a folder, a clip, or whatever --source takes",
    )
    parser.add_argument(
        "--pictures",
        type=int,
        default=None,
        metavar="N",
        help=f"how many of them at most; default {_PICTURES}",
    )
    parser.add_argument(
        "--min-agreement",
        type=float,
        default=None,
        metavar="SHARE",
        help="least share of the float32 network's answers that int8 has to keep, 0 to 1; default 0.975. Layers that hurt stay in float",
    )
    parser.add_argument(
        "--portable",
        action="store_true",
        help="weights of 7 bits, for processors without VNNI too; some more answers change everywhere",
    )


def check_int8_flags(given: argparse.Namespace) -> None:
    """Raise SettingsError for flags that do not go together, or ModelError if NNCF is missing."""
    if not given.int8:
        if {given.calibrate, given.pictures, given.min_agreement} != {None} or given.portable:
            raise SettingsError(
                "--calibrate, --pictures, --min-agreement and --portable are for --int8, which is not given"
            )
        return
    if given.list:
        raise SettingsError("--list writes nothing, and so nothing in int8; accepted: one of the two")
    if given.calibrate is None:
        raise SettingsError("--int8 needs --calibrate SOURCE: pictures like those that the network is for")
    if given.min_agreement is not None and not 0 <= given.min_agreement <= 1:
        raise SettingsError(f"--min-agreement {given.min_agreement:g}: accepted: 0 to 1")
    from shared.bundling.int8.maker import MIN_PICTURES  # noqa: PLC0415 - brings OpenVINO
    from shared.bundling.int8.quantiser import require_nncf  # noqa: PLC0415

    if not MIN_PICTURES <= _most(given) <= 10_000:
        raise SettingsError(f"--pictures {given.pictures}: accepted: {MIN_PICTURES} to 10000")
    require_nncf()


def _most(given: argparse.Namespace) -> int:
    return _PICTURES if given.pictures is None else int(given.pictures)


def make_and_tell(
    folder: Path, given: argparse.Namespace, read_pictures: ReadPictures, fill: Callable[[Path], object]
) -> None:
    """As `make_int8_beside`, by flags; says on stderr how far it is, and on stdout what came of it. Raises StartupError."""
    from shared.bundling.int8.beside import make_int8_beside  # noqa: PLC0415 - as above
    from shared.bundling.int8.maker import MIN_AGREEMENT  # noqa: PLC0415

    wanted = MIN_AGREEMENT if given.min_agreement is None else given.min_agreement
    progress = Progress(sys.stderr)

    def pictures(recipe: Recipe) -> list[NDArray[np.uint8]]:
        told = lambda read: progress.show("reading pictures", read)  # noqa: E731 - said once
        return read_pictures(given.calibrate, recipe, _most(given), told)

    report, network = make_int8_beside(
        folder, fill, pictures, wanted=wanted, portable=given.portable, show=progress.show
    )
    progress.close()
    print(f"\n{describe_int8(report, wanted, network)}")
    print(f"\nwritten to {folder}; run it with --model {folder}")


def describe_int8(report: Int8Report, wanted: float, network: Bundle) -> str:
    """The text for people."""
    lines = [f"int8, {len(report.trials)} of at most 13 trials; {wanted:.1%} of the answers are to be kept"]
    lines += [
        f"  {trial.setting.what} in float: agreement {trial.agreement:.1%}, {report.unit} {trial.divergence:.4f}"
        f"{'  <- taken' if trial is report.chosen and report.bundle else ''}"
        for trial in report.trials
    ]
    if report.kept:
        kept = report.kept
        lines.append(
            f"agreement  {kept.agreement:.1%} on {kept.pictures} pictures that were held out; 95 % interval {kept.low:.1%} to {kept.high:.1%}"
        )
    lines.append(f"speed      {report.gain:.2f} times float32's, one picture at a time on this machine")
    if report.bundle is None:
        return "\n".join([*lines, f"It stays in float32: {report.why_not}."])
    points = len(report.bundle.partition.points) - 2
    lines.append(
        f"fingerprint {report.bundle.model.fingerprint.hex()}; of the float32 network, {network.model.fingerprint.hex()}"
    )
    lines.append(
        f"cuts       head then tail equals the whole bit for bit at {points} split points; at {len(report.in_symbols)} the network's own "
        "bytes cross (codec uint8+zstd)"
    )
    if report.left_out:
        more = f" and {len(report.left_out) - _NAMED} more" if len(report.left_out) > _NAMED else ""
        lines.append(f"left out   {', '.join(report.left_out[:_NAMED])}{more}: no cut there is exact")
    return "\n".join(lines)
