"""Peers that keep to the protocol but behave badly: slow ones on both sides, and one that is always busy."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from chaos.relay import Relay
from kits import common as kit
from kits.chaos import (
    DEADLINE_S,
    SLACK_S,
    check_recovery,
    check_waits,
    fallbacks,
    median_ms,
    paced,
    read_since,
    stop,
    wait_for_cloud,
    wait_for_edge,
)

from bench.harness.scrape import scrape
from shared.wire.http import CONTENT_TYPE

LORISES = 30
HEAD = (
    "POST /model?top=5 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    f"Content-Type: {CONTENT_TYPE}\r\nContent-Length: 17000\r\n\r\n"
).encode()


def trickle(port: int, at_once: bytes, rest: bytes, over: threading.Event) -> None:
    """A client that sends one byte of `rest` every tenth of a second."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall(at_once)
        for byte in rest:
            if over.wait(0.1):
                return
            client.sendall(bytes([byte]))


def test_clients_that_trickle_their_requests_hold_up_no_edge(chaos):
    over = threading.Event()
    sends = [(b"", HEAD * 20), (HEAD, bytes(17_000))]  # half of them trickle the header, half the body
    threads = [
        threading.Thread(target=trickle, args=(chaos.cloud.port, *sends[number % 2], over))
        for number in range(LORISES)
    ]
    for thread in threads:
        thread.start()
    try:
        run = chaos.edge(paced(100))
        records = run.finish()
        assert sum(thread.is_alive() for thread in threads) == LORISES, (
            "the cloud closed the connection of some"
        )
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    assert {record["answered_by"] for record in records} == {"cloud"}
    assert median_ms(records) < DEADLINE_S * 1e3 / 4

    def nothing_is_held() -> bool:
        return scrape(chaos.cloud.url).value("splitdnn_cloud_buffered_bytes") == 0

    kit.wait_for(nothing_is_held, "the trickled bytes given back", 120)
    lines = chaos.join(run, 100)
    trickled = [line for line in lines if line["frame_id"] is None]
    assert {line["outcome"] for line in trickled} == {"abandoned"}
    assert len(trickled) == LORISES // 2


def test_a_cloud_that_trickles_its_answers_costs_the_deadline_and_no_more(chaos):
    with Relay(chaos.cloud.port) as relay:
        run = chaos.edge(paced(), cloud_url=relay.url)
        wait_for_cloud(run)
        lost_at, relay.mood = time.time(), "trickle"
        wait_for_edge(run, 50)
        back_at, relay.mood = time.time(), "forward"
        wait_for_cloud(run)
        records = stop(run)
    assert relay.rude
    chaos.join(run)
    check_waits(records)
    assert {"late", "circuit_open"} <= fallbacks(records)
    later = read_since(records, lost_at + 2 * DEADLINE_S + SLACK_S, back_at)
    assert not later or median_ms(later) < DEADLINE_S * 1e3 / 2
    check_recovery(run, lost_at + DEADLINE_S, back_at)


def test_a_storm_of_503_is_sat_out_on_the_edge(chaos):
    with Relay(chaos.cloud.port) as relay:
        run = chaos.edge(paced(), cloud_url=relay.url)
        wait_for_cloud(run)
        lost_at, relay.mood = time.time(), "busy"
        time.sleep(3)
        back_at, relay.mood = time.time(), "forward"
        refused = relay.rude
        wait_for_cloud(run)
        records = stop(run)
    chaos.join(run)
    check_waits(records)
    storm = read_since(records, lost_at + 0.2, back_at - 0.2)
    assert {record["answered_by"] for record in storm} == {"edge"}
    assert {"busy", "circuit_open"} <= fallbacks(records)
    assert median_ms(storm) < DEADLINE_S * 1e3 / 4
    assert refused <= 15, f"{refused} frames were sent to a cloud that was busy"  # 4 in flight, then trials
    check_recovery(run, lost_at + 0.2, back_at)
