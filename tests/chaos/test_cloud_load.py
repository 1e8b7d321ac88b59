"""Clients that leave, and clients whose frames are poison: what they cost other clients."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import time
from collections import Counter

import numpy as np
from chaos.relay import read_message
from kits import common as kit
from kits.chaos import SPLIT_POINT

from bench.harness.process import memory, open_files
from bench.harness.scrape import scrape
from shared.codecs import make_codec
from shared.wire import frame as wire
from shared.wire.http import CONTENT_TYPE

CANCELLED, WARM = 10_000, 1_500
AT_ONCE = 32
BATCH = 8
ROUNDS = 4
SESSION = 0xC0FFEE
RESET_ON_CLOSE = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
# MobileNetV2 clips what is too large, so its own sender may be answered.
POISON = {
    "not a number": ({422}, {"fill": np.nan}),
    "infinite": ({422}, {"fill": np.inf}),
    "too large for the tail": ({422, 200}, {"fill": 3e38}),
    "damaged": ({400}, {"damage": True}),
    "another shape": ({422}, {"shape": (3, 5, 7)}),
    "another network": ({409}, {"fingerprint": b"notthere"}),
}


class Maker:
    """Makes frames that the cloud accepts, without running a network."""

    def __init__(self, url: str) -> None:
        about = kit.get_json(f"{url}/model")
        self._fingerprint = bytes.fromhex(about["fingerprint"])
        self._shape = tuple(about["split_points"][SPLIT_POINT])
        self._number = 0

    def request(
        self,
        *,
        seed=0,
        fill=None,
        damage=False,
        shape=None,
        fingerprint=None,
        codec="float32",
        deadline_ms=20_000,
    ) -> bytes:
        """A request's head and body; each has a frame id of its own."""
        self._number += 1
        tensor = np.random.default_rng(seed).standard_normal(shape or self._shape).astype(np.float32)
        if fill is not None:
            tensor[0] = fill
        encoder = make_codec(codec)
        frame = wire.Frame(
            split_point=SPLIT_POINT, tensors=(wire.EncodedTensor(encoder.id, tensor.shape, b"", tensor.tobytes()),),
            fingerprint=fingerprint or self._fingerprint, frame_id=SESSION << 32 | self._number,
            capture_time_ns=0, deadline_ms=deadline_ms,
        )  # fmt: skip
        body = bytearray(wire.pack(frame))
        if damage:
            body[len(body) // 2] ^= 1
        head = (
            f"POST /model HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {CONTENT_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def ask(port: int, request: bytes) -> tuple[int, dict]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        head, _, body = (await asyncio.wait_for(read_message(reader), 30)).partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)
    finally:
        writer.close()
        await writer.wait_closed()


async def cancel(port: int, request: bytes, chance: random.Random) -> None:
    """Send part or all of a request, then reset the connection."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    # A reset also keeps the kernel from holding the port for a minute.
    writer.get_extra_info("socket").setsockopt(*RESET_ON_CLOSE)
    writer.write(request[: chance.choice([200, len(request) // 2, len(request), len(request)])])
    if chance.random() < 0.5:
        await asyncio.sleep(chance.random() * 0.02)
    writer.transport.abort()


async def cancel_many(port: int, requests: list[bytes], count: int) -> None:
    chance = random.Random(3)
    left = iter(range(count))

    async def work() -> None:
        for number in left:
            await cancel(port, requests[number % len(requests)], chance)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def test_ten_thousand_cancelled_requests_leave_nothing_behind(chaos):
    maker, port, pid = Maker(chaos.cloud.url), chaos.cloud.port, chaos.cloud.pid
    requests = [maker.request(seed=number) for number in range(16)]
    asyncio.run(cancel_many(port, requests, WARM))  # pools and tails grow
    kit.wait_for(lambda: idle(chaos.cloud.url), "an idle cloud", 120)
    before, open_before = memory(pid).resident, open_files(pid)
    start = time.monotonic()
    asyncio.run(cancel_many(port, requests, CANCELLED))
    took_s = time.monotonic() - start
    status, answer = asyncio.run(ask(port, maker.request(deadline_ms=2000)))
    assert status == 200, f"the one that stayed was not answered in time: {answer}"
    kit.wait_for(lambda: idle(chaos.cloud.url), "an idle cloud", 120)
    after, open_after = memory(pid).resident, open_files(pid)
    print(
        f"{took_s:.1f} s; RSS {before / 1e6:.0f} -> {after / 1e6:.0f} MB; {open_before} -> {open_after} files"
    )
    assert after < 1.1 * before + 20e6, f"{(after - before) / 1e6:.0f} MB more resident"
    assert open_after <= open_before + 8, f"{open_after - open_before} more files open"
    outcomes = Counter(line["outcome"] for line in chaos.ledger())
    print(dict(outcomes))
    assert outcomes.keys() <= {"answered", "abandoned", "refused"}
    assert outcomes.total() <= CANCELLED + WARM + 1
    assert outcomes["abandoned"] > CANCELLED / 2


def idle(url: str) -> bool:
    metrics = scrape(url)
    return metrics.value("splitdnn_cloud_buffered_bytes") == metrics.value("splitdnn_cloud_queue_depth") == 0


def batches(url: str) -> tuple[float, float]:
    metrics = scrape(url)
    return tuple(metrics.value(f"splitdnn_cloud_batch_size_{name}") or 0 for name in ("sum", "count"))


def test_one_poisoned_frame_in_a_batch_harms_its_sender_only(chaos):
    maker, port = Maker(chaos.cloud.url), chaos.cloud.port
    alone = [asyncio.run(ask(port, maker.request(seed=number)))[1]["top"] for number in range(BATCH)]

    async def together(poison: dict) -> list[tuple[int, dict]]:
        good = [maker.request(seed=number) for number in range(BATCH - 1)]
        bad = maker.request(seed=99, **poison)
        half = len(good) // 2
        return await asyncio.gather(*(ask(port, each) for each in [*good[:half], bad, *good[half:]]))

    tensors, runs = batches(chaos.cloud.url)
    for name, (statuses, poison) in POISON.items():
        for _ in range(ROUNDS):
            answers = asyncio.run(together(poison))
            refused, reply = answers.pop((BATCH - 1) // 2)
            assert refused in statuses, (name, reply)
            for number, (good, answer) in enumerate(answers):
                assert good == 200, f"frame {number} paid for one that was {name}: {answer}"
                assert answer["top"][0]["class_id"] == alone[number][0]["class_id"], name
                np.testing.assert_allclose(
                    answer["top"][0]["probability"], alone[number][0]["probability"], rtol=1e-3
                )
    tensors, runs = (
        late - early for late, early in zip(batches(chaos.cloud.url), (tensors, runs), strict=True)
    )
    print(f"{tensors / runs:.1f} frames in a batch")
    assert tensors > 1.5 * runs, "nothing was batched"
