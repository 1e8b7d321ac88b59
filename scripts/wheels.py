"""Ask the package index whether every package that the images install comes as a wheel for 64-bit ARM and the images' Python.

    .venv/bin/python scripts/wheels.py                     what lacks, by pip; a minute or two
    .venv/bin/python scripts/wheels.py --processor x86_64  the same for another kind of processor

Every pin of locks/*.txt is asked for by itself, without what it needs, which the locks hold too; its hash must be one of the
lock's. torch and torchvision have no lock: they are asked for on the index of CPU builds that the images use, and
on the usual one where that does not answer. Nothing is installed. Exit status 1 if something lacks.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from types import ModuleType

FOLDER = Path(__file__).resolve().parent


def script(name: str) -> ModuleType:
    """Another script of this folder."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lock, install_torch = script("lock"), script("install_torch")


@dataclass(frozen=True)
class Found:
    """What the index has for one pin."""

    part: str
    pin: str
    tag: str
    """The wheel's platform, `any` for one of every machine; `not installed` where a marker leaves it out; empty if there is none."""
    problem: str = ""


def pins_of(path: Path) -> list[tuple[str, list[str]]]:
    """The pins of a lock, with their markers and hashes."""
    _, held = lock.read_lock(path)
    return [(f"{name}=={version}", hashes) for name, (version, hashes) in sorted(held.items())]


def look(part: str, pins: list[tuple[str, list[str]]], processor: str, *options: str) -> list[Found]:
    """All pins in one question; one by one if that has no answer, as pip names only the first that lacks."""
    wanted = [(pin, hashes) for pin, hashes in pins if lock.is_for(pin, processor)]
    found = [Found(part, pin, "not installed") for pin, _ in pins if not lock.is_for(pin, processor)]
    try:
        items = lock.ask([pin for pin, _ in wanted], processor, "--no-deps", *options)
    except lock.Refusal:
        items = []
        for pin, _ in wanted:
            try:
                items += lock.ask([pin], processor, "--no-deps", *options)
            except lock.Refusal:
                continue
    by_name = {lock.name_of(item["metadata"]["name"]): item for item in items}
    return found + [judge(part, pin, hashes, by_name.get(lock.name_of(pin))) for pin, hashes in wanted]


def judge(part: str, pin: str, hashes: list[str], item: dict[str, Any] | None) -> Found:
    """`item`: of pip's report, None if there is none. Without `hashes` none is compared."""
    if item is None:
        return Found(part, pin, "", "no wheel")
    info = item["download_info"]
    name = unquote(urlsplit(info["url"]).path.rpartition("/")[2])
    if not name.endswith(".whl"):
        return Found(part, pin, "", f"{name} is no wheel")
    digest = info.get("archive_info", {}).get("hashes", {}).get("sha256", "")
    tag = name.removesuffix(".whl").rpartition("-")[2]
    if hashes and digest not in hashes:
        return Found(part, pin, tag, f"{name} is not a file of the lock")
    return Found(part, pin, tag)


def look_for_torch(processor: str, index: str) -> list[Found]:
    """torch and torchvision, and on which index."""
    pins = install_torch.read_pins(lock.ROOT / "pyproject.toml")
    wanted = [(f"{name}=={version}", list[str]()) for name, version in pins.items()]
    if install_torch.index_answers(index):
        return look(f"torch, of {index}", wanted, processor, "--index-url", index)
    return look(f"torch, of the usual index, as {index} does not answer", wanted, processor)


def report(found: list[Found], processor: str) -> str:
    """For people: the numbers, then what lacks or is left out."""
    lines = []
    for part in dict.fromkeys(each.part for each in found):
        own = [each for each in found if each.part == part]
        lacking = [each for each in own if each.problem]
        left_out = [each.pin.partition("=")[0] for each in own if each.tag == "not installed"]
        universal = sum(each.tag == "any" and not each.problem for each in own)
        built = len(own) - len(lacking) - len(left_out) - universal
        text = f"{part}: {len(own)} pins, {universal} for every machine, {built} built for {processor}"
        text += f", {len(left_out)} left out there ({', '.join(left_out)})" if left_out else ""
        lines.append(f"{text}, {len(lacking)} lacking")
        lines += [f"  {each.pin}: {each.problem}" for each in lacking]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--processor", default="aarch64", choices=lock.PROCESSORS, help="default: aarch64")
    parser.add_argument("--index", default=install_torch.CPU_INDEX, help="of torch; default: %(default)s")
    options = parser.parse_args(arguments)
    found = []
    for part in lock.PARTS:
        found += look(part, pins_of(lock.FOLDER / f"{part}.txt"), options.processor)
        print(f"wheels: {part} looked at", file=sys.stderr, flush=True)
    found += look_for_torch(options.processor, options.index)
    print(report(found, options.processor))
    return 1 if any(each.problem for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())
