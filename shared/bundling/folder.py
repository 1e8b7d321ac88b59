"""The folder that a bundle is written to: complete or not there at all, with the bundle that it replaces beside it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import ModelError
from shared.network.bundle import fingerprint_in, float_of, previous_of
from shared.network.manifest import FILES, MANIFEST, read_manifest
from shared.process.exit import at_end

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_target(folder: Path) -> None:
    """Refuse a target that is neither new, nor empty, nor a bundle. Raises ModelError."""
    try:
        found = sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise ModelError(
            f"{folder}: {error.strerror or error}; accepted: a new folder, or a bundle's"
        ) from None
    foreign = [name for name in found if name not in (MANIFEST, *FILES)]
    if foreign or (found and MANIFEST not in found):
        raise ModelError(
            f"{folder}: has {(foreign or found)[0]} and is no bundle; accepted: a new or empty folder, or a bundle's"
        )


@contextlib.contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder`, which takes its place when the block ends without an error. Raises ModelError."""
    check_target(folder)
    folder = folder.absolute()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise ModelError(f"{folder}: {error.strerror or error}") from None

    @at_end  # an interrupt ends the process without unwinding
    def remove() -> None:
        shutil.rmtree(making, ignore_errors=True)

    try:
        yield making
        _publish(making, folder)
    except OSError as error:  # a full disk, most likely
        raise ModelError(f"{folder}: cannot be written: {error.strerror or error}") from error
    finally:
        remove()


def _publish(making: Path, folder: Path) -> None:
    making.chmod(0o755)  # mkdtemp's is for its owner only, and the cloud may be another user
    if (folder / MANIFEST).exists():
        previous = previous_of(folder)
        if previous.exists():
            shutil.rmtree(previous)
        folder.rename(previous)
    elif folder.exists():
        folder.rmdir()
    making.rename(folder)
    sync(folder.parent)


def sync(folder: Path) -> None:
    """Write the folder's entries to disk, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def go_back(folder: Path) -> None:
    """Swap the bundle in `folder` with the one that it replaced, and of an int8 one the float32 bundle beside it. Raises ModelError."""
    folder = folder.absolute()
    previous = previous_of(folder)
    for each in (folder, previous):
        if not (each / MANIFEST).is_file():
            raise ModelError(
                f"{each}: no bundle; `back` needs a bundle and the one that it replaced ({previous.name})"
            )
    _swap(folder)
    try:
        int8 = read_manifest(folder / MANIFEST).int8
    except ModelError:
        return  # whatever it is, it is back
    beside = float_of(folder)
    if int8 and int8.float_fingerprint == fingerprint_in(previous_of(beside)) != fingerprint_in(beside):
        _swap(beside)


def _swap(folder: Path) -> None:
    """Exchange `folder`, if there is one, with what lies in FOLDER.previous. Raises ModelError."""
    aside, previous = folder.with_name(f".{folder.name}-back"), previous_of(folder)
    try:
        there = folder.exists()
        if there:
            folder.rename(aside)
        previous.rename(folder)
        if there:
            aside.rename(previous)
    except OSError as error:
        raise ModelError(f"{folder}: {error.strerror or error}") from None
    sync(folder.parent)
