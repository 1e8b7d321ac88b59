"""`python -m bench link`: the planner against every plan it could have chosen, over emulated links."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from bench.link.options import read_link_options
from shared.process.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    options = read_link_options(arguments)
    # Two machines: each gets a core, and threads keep to that of whoever starts them.
    cores = sorted(os.sched_getaffinity(0))
    edge_core, cloud_core = cores[0], cores[-1]
    limit_threads(1)
    # Only now: torch and OpenCV read the thread settings when they are imported.
    from bench.link.run import run
    from shared.errors import SplitDNNError

    try:
        files = run(options, edge_core, cloud_core)
    except (SplitDNNError, RuntimeError) as error:
        print(f"python -m bench link: {error}", file=sys.stderr)
        return 1
    print("\nwritten:", *files, sep="\n  ")
    return 0
