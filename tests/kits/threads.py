"""A thread that a test starts, and whether it waits or has ended."""

from __future__ import annotations

import threading


def started(target):
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


def still_waits(thread):
    thread.join(0.02)
    return thread.is_alive()


def ended(thread):
    thread.join(60)
    return not thread.is_alive()
