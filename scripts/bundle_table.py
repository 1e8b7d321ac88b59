"""The table of what can be bundled, as Markdown on stdout: parity, split points, time and memory of each network.

    python scripts/bundle_table.py all                          every classifier of torchvision, with random weights
    python scripts/bundle_table.py onnx                         ONNX files that several exporters write here
    python scripts/bundle_table.py resnet18 timm:vit_tiny_patch16_224 mynet.py:build net.onnx

Each is bundled in a process of its own, into a folder that is removed; one that fails has the reason in its row.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from shared.errors import SplitDNNError  # noqa: E402
from shared.network.choice import NAMED_SECONDS, NetworkChoice  # noqa: E402
from shared.process.threads import limit_threads  # noqa: E402
from shared.torch_network.source import is_torch_source  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_COLUMNS = (
    "network", "from", "parity with", "relative error", "head then tail", "split points", "default point",
    "bytes there", "seconds", "memory",
)  # fmt: skip
_ONE = "--one"
_EVERY = "from shared.torch_network.vision import list_models, torchvision; print(*list_models(module=torchvision.models), sep='\\n')"
"""Prints the names of torchvision's classifiers; a process of its own, as this one does without torch."""


@dataclass(frozen=True)
class Row:
    """What was found out about one network; `problem` says in one line why it is not bundled."""

    origin: str
    problem: str = ""
    framework: str = ""
    parity: float = 0.0
    cut_error: float = 0.0
    checked: int = 0
    points: int = 0
    default: str = ""
    default_bytes: int = 0
    seconds: float = 0.0
    memory_mb: int = 0

    def cells(self, network: str) -> list[str]:
        if self.problem:
            return [f"`{network}`", self.origin, f"not bundled: {self.problem}", *[""] * (len(_COLUMNS) - 3)]
        return [
            f"`{network}`", self.origin, self.framework, f"{self.parity:.1e}", f"{self.cut_error:.1e} at {self.checked}",
            str(self.points), f"`{self.default}`", f"{self.default_bytes:,}", f"{self.seconds:.1f}", f"{self.memory_mb} MB",
        ]  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 if a network is not bundled."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="+", help="`all`, `onnx`, or sources as --model takes them")
    parser.add_argument("--weights", default="random", help="of networks from torch")
    parser.add_argument("--seconds", type=float, default=900.0, help="that one network may take")
    parser.add_argument(
        "--tensorflow",
        default="",
        help="an interpreter that has tensorflow and tf2onnx, for one more ONNX file",
    )
    given = parser.parse_args(arguments)
    print("| " + " | ".join(_COLUMNS) + " |\n|" + "---|" * len(_COLUMNS), flush=True)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="splitdnn-table-") as folder:
        for name, source, origin in _sources(given.networks, Path(folder), given.tensorflow):
            weights = given.weights if is_torch_source(source) else "auto"
            row = _bundled(source, origin, weights, given.seconds)
            failed += bool(row.problem)
            print("| " + " | ".join(cell.replace("|", "\\|") for cell in row.cells(name)) + " |", flush=True)
    return 1 if failed else 0


def _sources(networks: Sequence[str], folder: Path, tensorflow: str) -> Iterator[tuple[str, str, str]]:
    """Name, source and origin of each network."""
    for given in networks:
        if given == "all":
            for name in _asked("-c", _EVERY):
                yield name, name, "torchvision"
        elif given == "onnx":
            for line in _asked(
                "scripts/onnx_networks.py", str(folder), *([tensorflow] if tensorflow else [])
            ):
                origin, path = line.split("\t")
                yield Path(path).name, path, origin
        elif given.startswith("timm:"):
            yield given, given, "timm"
        elif is_torch_source(given):
            yield given, given, "a function" if ":" in given else "torchvision"
        else:
            yield Path(given).name, given, "a file"


def _asked(*command: str) -> list[str]:
    """The lines that this prints, in a process of its own: torch stays out of this one."""
    done = subprocess.run([sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()


def _bundled(source: str, origin: str, weights: str, seconds: float) -> Row:
    choice = json.dumps(asdict(NetworkChoice(source, weights)))
    with tempfile.TemporaryDirectory(prefix="splitdnn-bundle-") as folder:
        try:
            done = subprocess.run(
                [sys.executable, __file__, _ONE, choice, folder],
                capture_output=True, text=True, timeout=seconds, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Row(origin, f"it takes more than {seconds:g} s")
    try:
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return Row(origin, f"the process ended with {done.returncode}: {last}")
    return Row(origin, **found)


def _one(choice: str, folder: str) -> None:
    """Bundle one network and print what a `Row` holds of it, as JSON."""
    limit_threads(0)
    from shared.bundling.bundler import make_reported  # noqa: PLC0415 - after the threads are limited

    start = time.perf_counter()
    try:
        bundle, report = make_reported(
            NetworkChoice(**json.loads(choice)), Path(folder), patience_s=NAMED_SECONDS
        )
    except SplitDNNError as error:
        print(json.dumps({"problem": str(error)}))
        return
    default = bundle.partition.default()
    found = {
        "framework": report.reference or "none here: OpenVINO itself",
        "parity": report.parity,
        "cut_error": report.cut_error,
        "checked": report.checked,
        "points": len(bundle.partition.points),
        "default": default.name,
        "default_bytes": default.float32_bytes,
        "seconds": time.perf_counter() - start,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    if sys.argv[1:2] == [_ONE]:
        _one(*sys.argv[2:])
    else:
        sys.exit(main(sys.argv[1:]))
