"""`python -m shared.bundling CHOICE FOLDER PATIENCE_S`: the process that makes a bundle for another one.

The maker needs torch and several times the network's size in memory, which end with this process. CHOICE is a NetworkChoice as
JSON. Exit status 0, or 2 with one line on stderr.
"""

from __future__ import annotations

from shared.process.exit import leave_on_interrupt, run_process

if __name__ == "__main__":
    leave_on_interrupt()  # the other imports take a while

import json
import sys
from pathlib import Path

from shared.errors import SplitDNNError
from shared.network.choice import NetworkChoice
from shared.observing.logs import configure_logs
from shared.process.settings import print_error
from shared.process.threads import limit_threads


def _main() -> int:
    choice, folder, patience_s = sys.argv[1:]
    configure_logs("info", "text")
    limit_threads(0)
    from shared.bundling.bundler import make_bundle  # noqa: PLC0415 - after the threads are limited

    try:
        make_bundle(NetworkChoice(**json.loads(choice)), Path(folder), patience_s=float(patience_s))
    except SplitDNNError as error:
        print_error(error)
        return 2
    except OSError as error:  # a full disk, most likely
        print_error(SplitDNNError(f"{folder}: cannot be written: {error.strerror or error}"))
        return 2
    return 0


if __name__ == "__main__":
    run_process(_main)
