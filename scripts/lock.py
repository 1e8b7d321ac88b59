"""Write locks/*.txt: every package that the images install, with the SHA-256 of each file that it may come as.

    .venv/bin/python scripts/lock.py            asks the package index, by pip; a minute
    .venv/bin/python scripts/lock.py --check    whether the files are those of pyproject.toml's pins; asks nobody

The files are made for the images' Python and processor. An image installs with `--require-hashes --no-deps`: a file that was
exchanged on an index, or a new dependency of a dependency, ends the build.

torch and torchvision are not among them: their CPU and CUDA builds come from an index of their own, and so would their hashes.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "locks"
PYTHON = "3.11"
PROCESSORS = ("x86_64", "aarch64")
_NOT_ON = re.compile(r"; platform_machine != '([a-z0-9_]+)'$")
"""The only marker that a pin may have: constriction, the coder of calibrated codecs where there is no compiled one, is not built for ARM."""
_GLIBC = 36
"""Minor version of the images' C library, 2.36: what was built for it or an older one runs there."""
PARTS = {
    "base": (),
    "cloud": ("base",),
    "edge": ("base", "cloud"),
    "torch": ("base", "cloud"),
    "int8": ("base", "cloud", "torch"),
}
"""What is installed in one step, and on top of which others. No image has int8: NNCF brings 240 MB."""
_WITHOUT = ("torch", "torchvision")
_CUDA = re.compile(r"(nvidia|cuda|triton|pytorch-triton)([-_].*)?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9._-]+")

Lock = dict[str, tuple[str, list[str]]]
"""Name -> version and hashes."""


class Refusal(Exception):  # noqa: N818 - it is one
    """Why nothing was written, in one line."""


def name_of(requirement: str) -> str:
    """The package's name as indexes compare it (PEP 503). Raises Refusal."""
    match = _NAME.match(requirement)
    if not match:
        raise Refusal(f"{requirement!r} is not a requirement")
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def read_pins(pyproject: Path = ROOT / "pyproject.toml") -> dict[str, list[str]]:
    """The pins of each part, as they stand in pyproject.toml."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return {
        "base": project["dependencies"],
        "cloud": extras["cloud"],
        "edge": extras["edge"],
        "torch": [*extras["torch"], *extras["timm"], *extras["authority"]],
        "int8": extras["int8"],
    }


def marker_of(requirement: str) -> str:
    """The pin's marker, with its semicolon; empty if it has none."""
    match = _NOT_ON.search(requirement)
    return match[0] if match else ""


def is_for(requirement: str, processor: str) -> bool:
    """Whether it is installed on this kind of processor."""
    return marker_of(requirement) != f"; platform_machine != '{processor}'"


def digest_of(pins: dict[str, list[str]], part: str) -> str:
    """SHA-256 of the pins that a part's lock follows from: its own, and those below it."""
    counted = {each: sorted(pins[each]) for each in (*PARTS[part], part)}
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()


def read_lock(path: Path) -> tuple[str, Lock]:
    """The digest of the pins that a lock was made from, and what it holds."""
    digest, found = "", {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# pins: "):
            digest = line.removeprefix("# pins: ")
        elif line and not line.startswith("#"):
            pin, *hashes = line.split(" --hash=sha256:")
            name, _, version = pin.partition("==")
            found[name] = (version, hashes)
    return digest, found


def problems(folder: Path = FOLDER, pins: dict[str, list[str]] | None = None) -> list[str]:
    """What is wrong with the locks in a folder; empty if they are those of the pins."""
    pins = read_pins() if pins is None else pins
    found = []
    for part, lower in PARTS.items():
        path = folder / f"{part}.txt"
        if not path.exists():
            found.append(f"{path.name} is missing")
            continue
        digest, lock = read_lock(path)
        if digest != digest_of(pins, part):
            found.append(f"{path.name} is of other pins than pyproject.toml's")
        below = {name for each in lower for name in read_lock(folder / f"{each}.txt")[1]}
        for pin in pins[part]:
            name, _, version = pin.partition("==")
            wanted = name_of(name) not in {*_WITHOUT, *below}
            if wanted and lock.get(name_of(name), ("", []))[0] != version:
                found.append(f"{path.name} lacks {pin}")
        found += [f"{path.name}: {name} has no hash" for name, (_, hashes) in lock.items() if not hashes]
    return found


def ask(requirements: list[str], processor: str, *options: str) -> list[dict[str, Any]]:
    """What pip would install for these, in the images on one kind of processor: the items of its report. Raises Refusal.

    `options` are added to pip's own.
    """
    tags = [f"manylinux_2_{minor}_{processor}" for minor in range(_GLIBC, 4, -1)]
    tags += [f"{old}_{processor}" for old in ("manylinux2014", "manylinux2010", "manylinux1", "linux")]
    # pip would judge markers by the machine that it runs on.
    requirements = [each.removesuffix(marker_of(each)) for each in requirements if is_for(each, processor)]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--quiet",
            "--dry-run",
        ]
        command += ["--ignore-installed", "--only-binary", ":all:", "--python-version", PYTHON]
        command += ["--implementation", "cp", "--target", folder, "--report", str(report), *options]
        command += [word for tag in tags for word in ("--platform", tag)]
        if subprocess.run([*command, *requirements], check=False).returncode:
            raise Refusal(
                f"pip finds no files of {', '.join(requirements)} for {processor}; its reason is above"
            )
        installed: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["install"]
    return installed


def resolve(requirements: list[str], processor: str, *options: str) -> Lock:
    """What `ask` is answered, as a lock. Raises Refusal."""
    installed = ask(requirements, processor, *options)
    found: Lock = {}
    for each in installed:
        name = name_of(each["metadata"]["name"])
        digest = each["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256")
        if not digest:
            raise Refusal(f"the index gives no SHA-256 for {name}")
        found[name] = (each["metadata"]["version"], [digest])
    return found


def torch_brings() -> list[str]:
    """What torch, torchvision and timm need besides each other and CUDA, by what is installed here."""
    found = set()
    for package in (*_WITHOUT, "timm"):
        for line in importlib.metadata.requires(package) or []:
            requirement, _, marker = line.partition(";")
            name = name_of(requirement)
            if "extra ==" not in marker and name not in _WITHOUT and not _CUDA.fullmatch(name):
                found.add(requirement.strip())
    return sorted(found)


def wanted(pins: dict[str, list[str]], part: str) -> list[str]:
    """The requirements that are resolved for a part: those below it too, which its own must agree with."""
    own = [pin for each in (*PARTS[part], part) for pin in pins[each]]
    return [pin for pin in own if name_of(pin) not in (*_WITHOUT, "timm")] + (
        torch_brings() if part == "torch" else []
    )


def make(part: str, pins: dict[str, list[str]], below: Lock) -> str:
    """The text of a part's lock; `below` is what the steps before it install. Raises Refusal."""
    merged: Lock = {}
    markers = {name_of(pin): marker_of(pin) for each in (*PARTS[part], part) for pin in pins[each]}
    for processor in PROCESSORS:
        found = resolve(wanted(pins, part), processor)
        if part == "torch":
            found |= timm_itself(pins, processor)
        for name, (found_version, hashes) in found.items():
            version = found_version + markers.get(name, "")
            before = below.get(name) or merged.get(name)
            if before and before[0] != version:
                raise Refusal(f"{name} would be {before[0]} and {version}; pin it in pyproject.toml")
            if name not in below:
                # In the order of PROCESSORS, by which a bill of materials knows which it was.
                merged[name] = (version, list(dict.fromkeys([*merged.get(name, ("", []))[1], *hashes])))
    lines = [
        f"# What is installed for {part}, for {' and '.join(PROCESSORS)}. Made by scripts/lock.py: do not edit.",
        f"# pins: {digest_of(pins, part)}",
    ]
    for name, (version, hashes) in sorted(merged.items()):
        lines.append(" ".join([f"{name}=={version}", *(f"--hash=sha256:{each}" for each in hashes)]))
    return "\n".join(lines) + "\n"


def timm_itself(pins: dict[str, list[str]], processor: str) -> Lock:
    """timm without what it needs, torch among that."""
    (pin,) = (pin for pin in pins["torch"] if name_of(pin) == "timm")
    return {name: each for name, each in resolve([pin], processor, "--no-deps").items() if name == "timm"}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--check", action="store_true", help="say what is out of date, write nothing")
    parser.add_argument("parts", nargs="*", default=[], help=f"some of {', '.join(PARTS)}; default: all")
    options = parser.parse_args(arguments)
    if options.check:
        found = problems()
        for line in found:
            print(f"lock: {line}; run scripts/lock.py", file=sys.stderr)
        return 1 if found else 0
    pins = read_pins()
    try:
        for part in options.parts or PARTS:
            below: Lock = {}
            for each in PARTS[part]:
                below |= read_lock(FOLDER / f"{each}.txt")[1]
            text = make(part, pins, below)
            FOLDER.mkdir(exist_ok=True)
            (FOLDER / f"{part}.txt").write_text(text, encoding="utf-8")
            print(f"lock: locks/{part}.txt: {text.count('--hash=')} files", flush=True)
    except Refusal as refusal:
        print(f"lock: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
