"""No server at all: the tail called back to back in this process, one crossing at a time and in full batches."""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.load.peers.servers.spec import Spec
from bench.load.peers.servers.tail import PeerTail

if TYPE_CHECKING:
    from collections.abc import Callable


def measured(
    run: Callable[[], object], count: int, seconds: float, clock: Callable[[], float] = time.perf_counter
) -> dict[str, Any]:
    """`run`, which answers `count` crossings, over and over: what a server could reach."""
    run()
    times: list[float] = []
    cpu, start = time.process_time(), clock()
    while (now := clock()) - start < seconds:
        run()
        times.append(1e3 * (clock() - now))
    took, cpu = clock() - start, time.process_time() - cpu
    done = count * len(times)
    return {"times_ms": times, "done": done, "window_s": took, "server_cpu_s": cpu}


def main(spec: Spec, seconds: float) -> None:
    """Prints a line of JSON when the tail is compiled, and one for each size of a batch."""
    tail = PeerTail(spec)
    rng = np.random.default_rng(0)
    print(json.dumps({"ready": time.monotonic()}), flush=True)
    for count in (1, spec.max_batch):
        crossings = rng.integers(0, 128, (count, *tail.shape)).astype(tail.wire_dtype)
        grids = np.tile(np.array([0, 0.02], np.float32), (count, 1))
        found = measured(partial(tail, crossings, grids), count, seconds)
        print(json.dumps({"batch": count, **found}), flush=True)
    sys.stdin.read()  # its memory is looked at before it ends


if __name__ == "__main__":
    main(Spec.read(sys.argv[1]), float(sys.argv[2]))
