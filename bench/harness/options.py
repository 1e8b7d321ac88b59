"""Command-line options as dataclasses: one field an option, with its default, its value for `--quick` and its help."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from bench.harness.process import ROOT
from bench.harness.system import Setup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DATA = ROOT.parent / "shared"
IMAGES = DATA / "images"
"""Photographs, each named by its class."""


def option(default: Any, help_text: str = "", *, quick: Any = None, **flag: Any) -> Any:
    """A field of `Options`; one without a help text is not a flag, and only `--quick` changes it.

    `flag` is for argparse's `add_argument`; the type of the value is that of `default` unless it holds another one.
    """
    return field(default=default, metadata={"help": help_text, "quick": quick, "flag": flag})


@dataclass(frozen=True)
class Options:
    """The options of one command. Its flags are the fields made by `option`; the docstring is what `--help` says of it."""

    command: ClassVar[str]
    """The word after `python -m bench`."""

    def wrong(self) -> str | None:
        """What is wrong with the values together, if anything is."""
        return None

    @classmethod
    def read(cls, arguments: Sequence[str]) -> Self:
        """From the command line, on which a given value beats that of `--quick`.

        Ends the process with a usage line where the arguments cannot be read, or something is `wrong` with them.
        """
        prog = f"python -m bench {cls.command}"
        parser = argparse.ArgumentParser(
            prog=prog, description=cls.__doc__, argument_default=argparse.SUPPRESS
        )
        known = fields(cls)
        for each in known:
            if each.metadata["help"]:
                _add(parser, each.name, each.default, each.metadata)
        given = vars(parser.parse_args(arguments))
        quick = {each.name: each.metadata["quick"] for each in known if each.metadata["quick"] is not None}
        options = cls(**(quick if given.get("quick") else {}) | given)
        if wrong := options.wrong():
            parser.error(wrong)
        return options


def _add(parser: argparse.ArgumentParser, name: str, default: Any, metadata: Any) -> None:
    flag = f"--{name.replace('_', '-')}"
    if default is False:
        parser.add_argument(flag, action="store_true", help=metadata["help"])
        return
    text = ",".join(f"{each}" for each in default) if isinstance(default, tuple) else default
    help_text = metadata["help"] if default in (None, "", ()) else f"{metadata['help']} (default: {text})"
    usual: dict[str, Any] = {"type": str if default is None else type(default), "help": help_text}
    if isinstance(default, tuple):
        usual |= {"type": numbers if default and isinstance(default[0], float) else names, "metavar": "A,B"}
    parser.add_argument(flag, **usual | metadata["flag"])


def number_between(kind: type[int | float], low: float, high: float = float("inf")) -> Callable[[str], float]:
    """For argparse: a number within bounds."""

    def read(text: str) -> float:
        number = kind(text)
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text}: accepted are {low:g} to {high:g}")
        return number

    return read


positive = number_between(int, 1)


def names(text: str) -> tuple[str, ...]:
    """For argparse: names between commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def numbers(text: str) -> tuple[float, ...]:
    """For argparse: numbers between commas."""
    return tuple(float(each) for each in text.split(","))


@contextlib.contextmanager
def kept_or_temporary(folder: Path | None) -> Iterator[Path]:
    """The folder, created if it is missing; for None a temporary one that is removed after the block."""
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="splitdnn-bench-") as temporary:
        yield Path(temporary)


def first_file(path: Path, otherwise: str) -> str:
    return str(path) if path.is_file() else otherwise


def weights_of(model: str) -> str:
    """Those of the data folder for a name, or random ones; a file or a bundle has its own."""
    own = Path(model).exists() or ":" in model
    return "auto" if own else first_file(DATA / "weights" / f"{model}.pth", "random")


@dataclass(frozen=True)
class SystemOptions(Options):
    """What the processes of a run are given: real weights and a real clip where the data folder has them."""

    weights: str = option(
        first_file(DATA / "weights" / "resnet50.pth", "random"), "file, random or pretrained"
    )
    source: str = option(
        first_file(DATA / "videos" / "car-detection.mp4", "synthetic:fps=0,frames=377"),
        "as the edge takes it",
    )
    engine: str | None = option(None, "auto, torch or openvino (default: as edge and cloud choose)")
    precision: str | None = option(None, "auto, float32, bfloat16 or float16")
    threads: int | None = option(None, "of every process (default: its own)", type=positive)

    @property
    def setup(self) -> Setup:
        return Setup(self.weights, self.source, self.engine, self.precision, self.threads)


@dataclass(frozen=True)
class ReportOptions(Options):
    """What every report has."""

    quick: bool = option(False, "a little of everything, to see that it works")
    results: Path = option(ROOT / "bench" / "results", "folder")

    def report(self, measure: Callable[[Self], list[Path]], *errors: type[Exception]) -> int:
        """Measure, and name the files that were written; the exit status, 1 for one of `errors`, which is printed."""
        try:
            files = measure(self)
        except errors as error:
            print(f"python -m bench {self.command}: {error}", file=sys.stderr)
            return 1
        print("\nwritten:", *files, sep="\n  ")
        return 0


@dataclass(frozen=True)
class ModelOptions(ReportOptions):
    """What the reports on one network have."""

    model: str = option("resnet50", "as edge and cloud take it")
    weights: str = option(
        "", "(default: the model's file of ../shared/weights, or random; none for a file or a bundle)"
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", self.weights or weights_of(self.model))
