"""What each of several workers may use: all of them together have what the settings give."""

from __future__ import annotations

import socket
from typing import Any

from cloud.config import CloudSettings
from shared.errors import SettingsError
from shared.process.threads import available_cores

WORKER = "{worker}"
"""In the name of a file that each worker has for itself."""
DIVIDED = (
    "queue_capacity",
    "max_buffered_bytes",
    "max_connections",
    "client_connections",
    "client_frames",
    "client_body_bytes",
)
"""Whole numbers. A worker cannot know what the others hold at a moment, so each has an equal part of what all may hold."""
FILES = ("ledger", "audit")


def numbered(settings: CloudSettings, number: int) -> CloudSettings:
    """The settings with the worker's number, from 1 on, in the names of its files."""
    paths = {name: getattr(settings, name) for name in FILES}
    return settings.model_copy(
        update={name: path.replace(WORKER, str(number)) for name, path in paths.items() if path}
    )


def shares(settings: CloudSettings, cores: int | None = None) -> list[CloudSettings]:
    """The settings of each worker; `cores` are those of this process. Raises SettingsError for what several cannot do right."""
    workers = settings.workers
    threads = settings.threads or (available_cores() if cores is None else cores)
    _refuse(settings, threads)
    share: dict[str, Any] = {name: getattr(settings, name) // workers for name in DIVIDED}
    share["client_compute"] = settings.client_compute / workers
    share["sessions"] = settings.sessions and max(1, settings.sessions // workers)
    share["threads"] = threads // workers
    if settings.video_streams:
        share["video_streams"] = max(1, settings.video_streams // workers)
    if settings.tail_workers:
        share["tail_workers"] = max(1, settings.tail_workers // workers)
    each = settings.model_copy(update=share)
    return [numbered(each, number) for number in range(1, workers + 1)]


def _refuse(settings: CloudSettings, threads: int) -> None:
    workers = settings.workers
    start = f"--workers={workers}:"
    if not hasattr(socket, "SO_REUSEPORT"):
        raise SettingsError(f"{start} this system lets no two processes share a port; accepted: 1")
    if workers > threads:
        raise SettingsError(
            f"{start} there are {threads} computing threads to share; accepted: 1 to {threads}"
        )
    if settings.device != "cpu":
        raise SettingsError(
            f"{start} each would load the network onto --device={settings.device}; accepted: --device cpu, or 1 worker"
        )
    for name in FILES:
        path = getattr(settings, name)
        if path and WORKER not in path:
            raise SettingsError(
                f"--{name}={path}: a file has one writer, and there are {workers} workers; put {WORKER} into its name, as in "
                f"{name}-{WORKER}.jsonl"
            )
    for name in DIVIDED:
        whole = getattr(settings, name)
        least = _least(name)
        if whole // workers < least:
            raise SettingsError(
                f"--{name.replace('_', '-')}={whole}: {workers} workers share it; accepted: {least * workers} or more"
            )
    if settings.max_buffered_bytes // workers < settings.max_body_bytes:
        raise SettingsError(
            f"--max-buffered-bytes={settings.max_buffered_bytes}: {workers} workers share it, and none could take a body of "
            f"--max-body-bytes={settings.max_body_bytes}; accepted: {workers * settings.max_body_bytes} or more"
        )


def _least(name: str) -> int:
    """The least that this setting may be, for a worker too."""
    bounds = (getattr(each, "ge", None) for each in CloudSettings.model_fields[name].metadata)
    return max(int(bound) for bound in bounds if bound is not None)
