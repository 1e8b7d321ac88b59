"""`python -m bench.peers.sending JOB`: the clients of one measurement; prints the result as the last line, JSON."""

from __future__ import annotations

import asyncio
import json
import sys

from bench.peers.sending.clients import Clients
from bench.peers.sending.job import Job

if __name__ == "__main__":
    print(json.dumps(asyncio.run(Clients(Job.read(sys.argv[1])).run())), flush=True)
