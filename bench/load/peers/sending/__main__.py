"""`python -m bench.load.peers.sending JOB`: the clients of one measurement; prints the result as the last line, JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from bench.load.peers.sending.clients import Clients
from bench.load.peers.sending.job import Job


async def _main(job: Job) -> None:
    print(json.dumps(await Clients(job).run()), flush=True)
    # At once: grpcio now and then never comes back from closing a channel whose server has gone.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_main(Job.read(sys.argv[1])))
