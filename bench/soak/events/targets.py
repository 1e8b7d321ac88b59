"""`python -m bench.soak.events.targets FOLDER SEED`: a broker and a webhook's receiver behind TLS, which fail at random.

Prints their ports, and fails until the word `calm` comes. At the end of its input it writes what arrived, in order, to
`FOLDER/broker.jsonl` and `FOLDER/receiver.jsonl`, and how it failed to `FOLDER/faults.json`.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import sys
from collections import Counter
from pathlib import Path

from bench.soak.events.broker import Broker
from bench.soak.events.receiver import Receiver, Reply, Request

KEY = bytes(range(32))
PASSWORD = b"s3cret"
_GAP_S, _AWAY_S = (0.1, 0.8), (0.05, 0.6)
_SHARE = 0.03
"""The share of the requests and messages that fail one by one."""
_QUOTA = 0x97


class Faults:
    """What goes wrong, and how often it did."""

    def __init__(self, broker: Broker, receiver: Receiver, seed: int) -> None:
        self._broker, self._receiver = broker, receiver
        self._draw = random.Random(seed)  # noqa: S311 - nothing secret
        self.done = Counter[str]()
        self.calm = False
        self._stalled = 0
        broker.judge, receiver.judge = self._judge_message, self._judge_request

    async def run(self) -> None:
        """Until cancelled: targets go away for a moment, and connections break."""
        while True:
            await asyncio.sleep(self._draw.uniform(*_GAP_S))
            if self.calm:
                continue
            target: Broker | Receiver = self._draw.choice((self._broker, self._receiver))
            name = type(target).__name__.lower()
            if isinstance(target, Broker) and self._draw.random() < 0.5:
                self.done["broker: connection cut"] += 1
                target.cut()
                continue
            self.done[f"{name}: stopped and started"] += 1
            await target.stop()
            await asyncio.sleep(self._draw.uniform(*_AWAY_S))
            await target.start()

    def _judge_message(self, topic: str, _payload: bytes) -> int | None:
        if self._stalled == len(self._broker.clients):
            return None
        if self.calm or topic.endswith("/status") or self._draw.random() >= _SHARE:
            return 0
        if self._draw.random() < 0.5:
            self.done["broker: a quota"] += 1
            self._stalled = len(self._broker.clients)
            return _QUOTA
        self.done["broker: accepted nothing more, and broke"] += 1
        self._stalled = len(self._broker.clients)
        asyncio.get_running_loop().call_later(0.05, self._broker.cut)
        return None

    def _judge_request(self, _request: Request) -> Reply:
        if self.calm or self._draw.random() >= _SHARE:
            return Reply()
        name, reply = self._draw.choice(
            [
                ("500", Reply(500)),
                ("503 with a wait", Reply(503, {"Retry-After": "1"})),
                ("429", Reply(429)),
                ("a redirect", Reply(307, {"Location": "https://localhost:1/"})),
                ("cut", Reply(0)),
                ("taken, and cut", Reply(204, cut=True)),
                ("slow", Reply(wait_s=0.3)),
            ]
        )
        self.done[f"receiver: {name}"] += 1
        return reply


async def _serve(folder: Path, seed: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    broker = await Broker(tls=context, users={"edge": PASSWORD}).start()
    receiver = await Receiver(KEY, tls=context).start()
    faults = Faults(broker, receiver, seed)
    failing = asyncio.create_task(faults.run())
    print(json.dumps({"broker": broker.port, "receiver": receiver.port}), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        faults.calm = True
    failing.cancel()
    await asyncio.gather(failing, return_exceptions=True)
    await broker.stop()
    await receiver.stop()
    arrived = {
        "broker": [payload for topic, payload in broker.received if not topic.endswith("/status")],
        "receiver": [request.body for request in receiver.received],
    }
    for name, payloads in arrived.items():
        (folder / f"{name}.jsonl").write_bytes(b"".join(each + b"\n" for each in payloads))
    told = {**faults.done, "receiver: not signed": receiver.unsigned}
    (folder / "faults.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
