"""Install torch and torchvision at pyproject.toml's versions as CPU builds (with --cuda: as CUDA builds).

On Linux a plain `pip install torch` brings gigabytes of CUDA libraries that a machine without a GPU cannot use. So
they come from PyTorch's own index of CPU builds, and only where that index does not answer from plain pip, after a dry
run has shown that nothing for CUDA would come along.

The two packages come without their dependencies: `pip install .` and the images' next step fetch those, at the pins
of pyproject.toml, from the usual place. The index is never an *extra* index, as pip might then take either's torch.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import json
import re
import runpy
import subprocess
import sys
import threading
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CUDA_INDEX = "https://download.pytorch.org/whl/cu130"
PACKAGES = ("torch", "torchvision")
ANSWER_SECONDS = 6.0
_CUDA_PACKAGE = re.compile(r"(nvidia|cuda|triton|pytorch-triton)([-_].*)?", re.IGNORECASE)


class Refusal(Exception):  # noqa: N818 - it is one
    """Why nothing (more) was installed, in one line."""


def read_pins(pyproject: Path) -> dict[str, str]:
    """`{"torch": "2.13.0", "torchvision": …}` from the project's extra `torch`."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    dependencies = project["optional-dependencies"]["torch"]
    pins = dict(dependency.split("==", 1) for dependency in dependencies if "==" in dependency)
    return {name: pins[name].strip() for name in PACKAGES}


def pip(*arguments: str, capture: bool = False) -> str:
    """Run this interpreter's pip; its standard output where `capture`."""
    command = [sys.executable, "-m", "pip", *arguments]
    finished = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE if capture else None)
    if finished.returncode:
        raise Refusal(f"`pip {' '.join(arguments)}` failed; its reason is above")
    return finished.stdout or ""


def index_answers(index: str, seconds: float = ANSWER_SECONDS) -> bool:
    """Whether `index` lists torch within `seconds`, all in all: name look-ups and several addresses included."""
    answers: list[bool] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(f"{index.rstrip('/')}/torch/", timeout=seconds) as response:
                answers.append(response.status == 200)
        except (urllib.error.URLError, OSError, ValueError):
            answers.append(False)

    asking = threading.Thread(
        target=ask, daemon=True
    )  # a thread, as urlopen's limit is for each address anew
    asking.start()
    asking.join(seconds)
    return answers == [True]


def cuda_packages(report: str) -> list[str]:
    """The names in pip's installation report that are there for CUDA."""
    names = {str(item["metadata"]["name"]) for item in json.loads(report)["install"]}
    return sorted(name for name in names if _CUDA_PACKAGE.fullmatch(name))


def installed_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def installed_cuda() -> str | None:
    """`torch.version.cuda`, read without importing torch, which takes seconds and wants its dependencies."""
    importlib.invalidate_caches()
    torch = importlib.util.find_spec("torch")
    if torch is None or torch.origin is None:
        return None
    version: str | None = runpy.run_path(str(Path(torch.origin).with_name("version.py"))).get("cuda")
    return version


def problem(pins: dict[str, str], *, cuda: bool) -> str | None:
    """What is wrong with what is installed, or None."""
    for name, pin in pins.items():
        version = installed_version(name)
        if version is None:
            return f"{name} is not installed"
        if version.partition("+")[0] != pin:  # 2.13.0+cpu is a build of 2.13.0
            return f"{name} {version} is installed, not {pin}"
    found = installed_cuda()
    if cuda and found is None:
        return "the installed torch is a CPU build, not one for CUDA"
    if not cuda and found is not None:
        return f"the installed torch is built for CUDA {found}, not for the CPU"
    return None


def install(pins: dict[str, str], index: str, *, cuda: bool) -> str:
    """Install what is missing; says in one line which way it took. Raises Refusal."""
    if problem(pins, cuda=cuda) is None:
        return f"torch {installed_version('torch')} is there already"
    wanted = [f"{name}=={pin}" for name, pin in pins.items()]
    # Forced, as a CUDA build of the same version would otherwise count as installed.
    ours = ["install", "--disable-pip-version-check", "--force-reinstall", "--no-deps"]
    if index_answers(index):
        way = f"from {index}"
        pip(*ours, "--index-url", index, *wanted)
    else:
        way = f"with plain pip, as {index} does not answer"
        if not cuda:
            # --ignore-installed: what is there from an earlier accident must show up in the report too.
            look = ["install", "--disable-pip-version-check", "--quiet", "--dry-run", "--ignore-installed"]
            foreign = cuda_packages(pip(*look, "--report", "-", *wanted, capture=True))
            if foreign:
                raise Refusal(
                    f"{index} does not answer, and plain pip would bring CUDA libraries ({', '.join(foreign[:3])}"
                    f"{', …' if len(foreign) > 3 else ''}); give --index an index of CPU builds that can be reached"
                )
        pip(*ours, *wanted)
    importlib.invalidate_caches()
    remaining = problem(pins, cuda=cuda)
    if remaining:
        raise Refusal(f"{remaining} (installed {way})")
    return f"installed torch {installed_version('torch')} {way}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--cuda", action="store_true", help="builds for CUDA, where CPU builds are a mistake")
    parser.add_argument("--index", default=None, help=f"default: {CPU_INDEX}; with --cuda: {CUDA_INDEX}")
    options = parser.parse_args(arguments)
    index = options.index or (CUDA_INDEX if options.cuda else CPU_INDEX)
    try:
        pins = read_pins(Path(__file__).resolve().parent.parent / "pyproject.toml")
        print(f"install_torch: {install(pins, index, cuda=options.cuda)}", flush=True)
    except Refusal as refusal:
        print(f"install_torch: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
