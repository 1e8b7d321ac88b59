"""Paths and waiting: what every test of whole processes needs. Everything is addressed at 127.0.0.1."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared"
CLIP = DATA / "videos" / "car-detection.mp4"
RESNET50 = DATA / "weights" / "resnet50.pth"
START_S = 240.0
STEP_S = 120.0


def wait_for(condition: Callable[[], Any], what: str, seconds: float = STEP_S) -> Any:
    """Poll until `condition` gives something true; what it raises meanwhile counts as false."""
    deadline = time.monotonic() + seconds
    last: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if value := condition():
                return value
        except urllib.error.HTTPError as error:
            error.close()
            last = error
        except (OSError, ValueError, LookupError) as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:.0f} s: {what} (last error: {last})")


def get_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def ready(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/readyz", timeout=5) as response:
        return response.status == 200
