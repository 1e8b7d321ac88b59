"""Build the compiled libraries, which are kept in the repository: who installs or runs them needs no compiler.

    .venv/bin/python scripts/native.py            for all processors; takes Debian 12's gcc and gcc-aarch64-linux-gnu
    .venv/bin/python scripts/native.py --check    whether what is kept was built from these sources; needs no compiler
    .venv/bin/python scripts/native.py --compare  builds for this processor, and compares with what is kept, byte by byte

The same compiler makes the same bytes anywhere. The libraries need nothing but memcpy and memset of whatever C library is there, so
they run with glibc and with musl. `sha256sum --check locks/native.sha256` verifies sources and libraries.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = {
    "calibrated": ROOT / "shared/codecs/calibrated/native",
    "pictures": ROOT / "shared/network/recipes/native",
}
"""Where each has the folders `source` and `lib`."""
LOCK = ROOT / "locks/native.sha256"
COMPILER_VERSION = "12.2.0"
_FLAGS = (
    "-std=c11 -O2 -ftree-vectorize -fPIC -fvisibility=hidden -fno-asynchronous-unwind-tables "
    "-ffp-contract=off -fno-math-errno -fno-trapping-math -Wall -Wextra -Werror"
)
"""No contraction: a product is rounded before it is added to something, as in numpy."""
_LINK = "-shared -nostdlib -s -Wl,--build-id=none,-z,noexecstack,-z,relro,-z,now"

_AVX512 = "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mbmi -mbmi2 -mpopcnt -mprefer-vector-width=512"


class Target(NamedTuple):
    """A processor, and the levels of its instructions."""

    compiler: str
    levels: dict[str, str]
    """The compiler's flags of each."""


TARGETS = {
    "x86_64": Target(
        "gcc",
        {
            "sse4": "-msse4.2 -mpopcnt",
            "avx2": "-mavx2 -mbmi -mbmi2 -mpopcnt",
            "avx512": _AVX512,
            "vnni": f"{_AVX512} -mavx512vnni",
        },
    ),
    "aarch64": Target("aarch64-linux-gnu-gcc", {"neon": ""}),
}


_LEFT_OUT = {"pictures": ("avx512", "vnni")}
"""Levels that bring a library nothing."""


def build(name: str, processor: str, compiler: str, into: Path) -> Path:
    """Compile and link a library; gives its file. Raises SystemExit where the compiler is another."""
    found = subprocess.run([compiler, "-dumpfullversion"], capture_output=True, text=True, check=False)
    if found.stdout.strip() != COMPILER_VERSION:
        raise SystemExit(f"{compiler} is {found.stdout.strip() or 'not there'}, not gcc {COMPILER_VERSION}")
    library, folder = into / f"{name}-{processor}.so", LIBRARIES[name] / "source"
    wanted = [level for level in TARGETS[processor].levels if level not in _LEFT_OUT.get(name, ())]
    with tempfile.TemporaryDirectory() as scratch:
        objects = []
        steps = {
            f"level_{level}": ("level.c", f"-DLEVEL={level} {TARGETS[processor].levels[level]}")
            for level in wanted
        }
        for step, (source, flags) in {**steps, "library": ("library.c", "")}.items():
            objects.append(f"{scratch}/{step}.o")
            command = [compiler, *_FLAGS.split(), *flags.split(), "-c", source, "-o", objects[-1]]
            subprocess.run(command, cwd=folder, check=True)
        subprocess.run([compiler, *_LINK.split(), *objects, "-lgcc", "-o", str(library)], check=True)
    return library


def sources() -> list[Path]:
    """What is compiled, and this script, which says how."""
    found = [path for folder in LIBRARIES.values() for path in (folder / "source").glob("*.[ch]")]
    return [*sorted(found), Path(__file__).resolve()]


def libraries() -> list[Path]:
    """All that are kept."""
    return [
        folder / "lib" / f"{name}-{target}.so" for name, folder in LIBRARIES.items() for target in TARGETS
    ]


def lock_text() -> str:
    """What locks/native.sha256 should hold."""
    files = [*sources(), *libraries()]
    lines = [f"{_hash(path)}  {path.relative_to(ROOT).as_posix()}\n" for path in files]
    head = f"# The compiled libraries, built with gcc {COMPILER_VERSION} by scripts/native.py: do not edit.\n"
    return head + "".join(lines)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "none"


def main(arguments: list[str]) -> int:
    """Exit status 0, or 1 if what is kept is not what it should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument(
        "--only", choices=TARGETS, help="build for this processor; the others stay, and so does the lock"
    )
    for name, target in TARGETS.items():
        parser.add_argument(f"--{name}-compiler", default=target.compiler, metavar="COMMAND")
    given = parser.parse_args(arguments)
    if given.check:
        same = LOCK.exists() and LOCK.read_text(encoding="utf-8") == lock_text()
        print(
            "the libraries are of these sources"
            if same
            else f"{LOCK.name} says otherwise: run scripts/native.py"
        )
        return 0 if same else 1
    if given.compare:
        name = platform.machine()
        with tempfile.TemporaryDirectory() as folder:
            compiler = getattr(given, f"{name}_compiler")
            found = {
                kept: build(library, name, compiler, Path(folder)) for library, kept in LIBRARIES.items()
            }
            same = all(
                built.read_bytes() == (kept / "lib" / built.name).read_bytes()
                for kept, built in found.items()
            )
        print("the same bytes" if same else "other bytes")
        return 0 if same else 1
    for name in [given.only] if given.only else TARGETS:
        for library, kept in LIBRARIES.items():
            built = build(library, name, getattr(given, f"{name}_compiler"), kept / "lib")
            print(f"{built.relative_to(ROOT)}: {built.stat().st_size} bytes")
    if given.only:
        print(f"{LOCK.name} stays as it is: it is of libraries for all processors")
    else:
        LOCK.write_text(lock_text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
