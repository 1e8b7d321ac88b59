"""Encoding takes no priority over anything else on the machine."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from kits.codecs import VIDEO_CODECS

from shared.codecs.video.encoding import kept_scheduling

THREADS = Path("/proc/self/task")
pytestmark = pytest.mark.skipif(not THREADS.is_dir(), reason="threads are listed on Linux only")


def real_time() -> list[int]:
    """Threads of this process that go before all ordinary ones."""
    return [
        int(each.name)
        for each in THREADS.iterdir()
        if os.sched_getscheduler(int(each.name)) in (os.SCHED_FIFO, os.SCHED_RR)
    ]


@pytest.mark.parametrize("codec", VIDEO_CODECS, ids=lambda codec: codec.name)
def test_no_thread_of_an_encoder_goes_before_all_others(codec):
    stream = codec.for_stream()
    for value in (0, 200):
        assert stream.encode(np.full((64, 80, 3), value, np.uint8)).payload
        assert real_time() == []


def test_what_is_begun_meanwhile_is_scheduled_as_before(monkeypatch):
    set_to = {}
    policies = {}
    begun, over = threading.Event(), threading.Event()

    def other():
        policies[threading.get_native_id()] = os.SCHED_FIFO
        begun.set()
        over.wait(10)

    monkeypatch.setattr(os, "sched_getscheduler", lambda thread: policies.get(thread, os.SCHED_OTHER))
    monkeypatch.setattr(os, "sched_setscheduler", lambda thread, policy, _: set_to.update({thread: policy}))
    thread = threading.Thread(target=other)
    with kept_scheduling():
        thread.start()
        begun.wait(10)
        policies[threading.get_native_id()] = os.SCHED_FIFO
    over.set()
    thread.join(10)
    assert set_to == dict.fromkeys(policies, os.SCHED_OTHER)
