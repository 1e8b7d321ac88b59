"""What the tests of the disk cache store."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = {"network.xml": b"<net/>", "network.bin": bytes(range(256)) * 64}


def name(number: int = 0, kind: str = "bundle") -> str:
    return f"{kind}-{number:024x}"


def write(folder: Path) -> None:
    for file, data in FILES.items():
        (folder / file).write_bytes(data)


def content(entry: Path) -> dict[str, bytes]:
    return {file: (entry / file).read_bytes() for file in FILES}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
