"""`splitdnn bundle` and `splitdnn back`."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.bundling.int8.command import add_int8_flags, check_int8_flags, make_and_tell
from shared.errors import SettingsError, SplitDNNError
from shared.network.choice import NetworkChoice
from shared.observing.logs import configure_logs
from shared.process.machine import expand_home
from shared.process.settings import parse_flags, print_error
from shared.process.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from shared.bundling.bundler import Report
    from shared.bundling.int8.command import ReadPictures
    from shared.network.bundle import Bundle

_SOURCES = "a torchvision name, timm:NAME, file.py:build, package.module:build, or an ONNX, OpenVINO (.xml) or tflite file"


def bundle(arguments: Sequence[str], read_pictures: ReadPictures | None = None) -> int:
    """Make, list or inspect a bundle. Exit status 0, or 2 with one line on stderr. `read_pictures`: for `--calibrate`."""
    return _guarded(lambda: _bundle(arguments, read_pictures))


def back(arguments: Sequence[str]) -> int:
    """Swap a bundle with the one that it replaced. Exit status 0, or 2 with one line on stderr."""
    return _guarded(lambda: _back(arguments))


def _guarded(run: Callable[[], None]) -> int:
    try:
        run()
    except SystemExit as ended:  # of --help
        return int(ended.code or 0)
    except SplitDNNError as error:
        print_error(error)
        return 2
    except BrokenPipeError:  # the reader of our output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="splitdnn bundle",
        description="Make a bundle: a network as data, which edge and cloud run with --model FOLDER.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("source", nargs="?", help=_SOURCES)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        help="where to write it; over a bundle, that one is kept as FOLDER.previous",
    )
    parser.add_argument(
        "--weights", default="auto", help="auto, random, a name of torchvision's, or the path of a state dict"
    )
    parser.add_argument("--seed", type=int, default=0, help="of random weights")
    parser.add_argument("--labels", metavar="FILE", help="the classes' names")
    parser.add_argument(
        "--recipe",
        metavar="CHANGES",
        help="as in size=320x240,fit=letterbox,mean=0:0:0,std=1:1:1,scale=255,channels=BGR",
    )
    parser.add_argument(
        "--task",
        metavar="TASK",
        help="what the outputs mean: classify, detect, segment, raw, with options as in detect:form=yolov8,threshold=0.3",
    )
    parser.add_argument(
        "--check",
        choices=("stage_ends", "all"),
        default="stage_ends",
        help="where head then tail is compared with the whole",
    )
    add_int8_flags(parser)
    parser.add_argument("--list", action="store_true", help="print the split points; write nothing")
    parser.add_argument("--inspect", metavar="FOLDER", help="verify the bundle in FOLDER and describe it")
    return parser


def _bundle(arguments: Sequence[str], read_pictures: ReadPictures | None) -> None:
    given = argparse.Namespace(**_parsed(_parser(), arguments))
    if given.inspect is not None:
        _inspect(expand_home(given.inspect))
        return
    if given.source is None:
        raise SettingsError(f"splitdnn bundle needs a source: {_SOURCES}")
    if given.output is None and not given.list:
        raise SettingsError("splitdnn bundle needs -o FOLDER, or --list to write nothing")
    check_int8_flags(given)
    configure_logs("info", "text")
    limit_threads(0)
    choice = NetworkChoice(given.source, given.weights, given.seed, given.labels, given.recipe, given.task)
    if given.list:
        _list(choice)
        return
    folder = expand_home(given.output)
    if given.int8:
        if read_pictures is None:
            raise SettingsError("--int8 is for `splitdnn bundle`, which reads the pictures")
        make_and_tell(
            folder, given, read_pictures, lambda making: _print(*_fill(choice, making, given.check))
        )
        return
    made, report = _make(choice, folder, given.check)
    _print(made, report)
    print(f"\nwritten to {made.folder}; run it with --model {made.folder}")


def _parsed(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> dict[str, object]:
    try:
        return parse_flags(parser, list(arguments))
    except argparse.ArgumentError as error:
        raise SettingsError(str(error)) from None


def _make(choice: NetworkChoice, folder: Path, check: str) -> tuple[Bundle, Report]:
    from shared.bundling.folder import replacing  # noqa: PLC0415 - after the threads are limited
    from shared.network.bundle import read_bundle  # noqa: PLC0415

    with replacing(folder) as making:
        _, report = _fill(choice, making, check)
    return read_bundle(folder), report


def _fill(choice: NetworkChoice, making: Path, check: str) -> tuple[Bundle, Report]:
    from shared.bundling.bundler import make_reported  # noqa: PLC0415 - as above
    from shared.network.choice import NAMED_SECONDS  # noqa: PLC0415

    return make_reported(
        choice, making, patience_s=NAMED_SECONDS, check="all" if check == "all" else "stage_ends"
    )


def _list(choice: NetworkChoice) -> None:
    from shared.bundling.bundler import find_split_points  # noqa: PLC0415 - as above
    from shared.engines.load import describe_split_points  # noqa: PLC0415
    from shared.network.choice import NAMED_SECONDS  # noqa: PLC0415

    if choice.weights == "auto":  # where a network can be cut does not depend on them, so none are fetched
        choice = replace(choice, weights="random")
    print(describe_split_points(find_split_points(choice, patience_s=NAMED_SECONDS)))


def _inspect(folder: Path) -> None:
    from shared.network.bundle import read_bundle  # noqa: PLC0415 - as above

    _print(read_bundle(folder), None)


def _print(made: Bundle, report: Report | None) -> None:
    from shared.bundling.report import describe_bundle  # noqa: PLC0415 - as above

    print(describe_bundle(made, report))


def _back(arguments: Sequence[str]) -> None:
    from shared.bundling.folder import go_back  # noqa: PLC0415 - as above
    from shared.network.manifest import read_manifest  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="splitdnn back",
        description="Swap a bundle with the one that it replaced (FOLDER.previous). A running cloud notices within seconds.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="FOLDER", help="the bundle's folder")
    folder = expand_home(str(_parsed(parser, arguments)["folder"]))
    go_back(folder)
    manifest = read_manifest(folder / "bundle.json")
    print(
        f"{folder} is {manifest.name}, weights {manifest.weights}, fingerprint {manifest.fingerprint} again"
    )
