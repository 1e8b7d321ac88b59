"""`python -m bench rate`: bytes per frame against what they do to the answers, from real bitstreams."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.rate.options import read_rate_options
from shared.process.threads import available_cores, limit_threads

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write. Without photographs there is nothing to measure, which is an error only if they were named."""
    options = read_rate_options(arguments)
    if not options.images.is_dir():
        print(f"python -m bench rate: no folder {options.images}: nothing is measured", file=sys.stderr)
        return 2 if options.images_named else 0
    # numpy's own threads are one, so that a codec is measured on one core; engines are given all of them.
    limit_threads(1)
    # Only now: numpy and torch read the thread settings when they are imported.
    from bench.rate.run import run
    from shared.errors import SplitDNNError

    try:
        files = run(options, available_cores())
    except (SplitDNNError, ValueError) as error:
        print(f"python -m bench rate: {error}", file=sys.stderr)
        return 1
    print("\nwritten:", *files, sep="\n  ")
    return 0
