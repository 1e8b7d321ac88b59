"""Open pages without a browser: each asks for what the page's script asks for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterable

_WATCH_S = 1.0
_LINE_BYTES = 1 << 22


class Viewers:
    """So many pages on a thread of their own; what they get is counted."""

    def __init__(self, url: str, count: int, cameras: Iterable[str]) -> None:
        """`url` is the status port's; each looks at all of the `cameras`."""
        self.seen: Counter[str] = Counter()
        """States, pictures, their bytes, and pictures that were gone already."""
        self._url, self._count, self._cameras = url, count, list(cameras)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="viewers", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._all())

    def _end(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    async def _all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._count):
                group.create_task(self._one())

    async def _one(self) -> None:
        async with aiohttp.ClientSession(self._url, read_bufsize=_LINE_BYTES) as client:
            watching = asyncio.create_task(self._watch(client))
            try:
                async with client.get("/events", timeout=aiohttp.ClientTimeout()) as events:
                    drawn: dict[str, str] = {}
                    async for line in events.content:
                        if line.startswith(b"data: {"):
                            self.seen["states"] += 1
                            await self._draw(client, json.loads(line[6:]), drawn)
            finally:
                watching.cancel()

    async def _watch(self, client: aiohttp.ClientSession) -> None:
        while True:
            async with client.get("/watch", params=[("camera", name) for name in self._cameras]):
                pass
            await asyncio.sleep(_WATCH_S)

    async def _draw(
        self, client: aiohttp.ClientSession, state: dict[str, Any], drawn: dict[str, str]
    ) -> None:
        for camera in state["cameras"]:
            picture = camera["picture"]
            if picture is None or drawn.get(camera["key"]) == picture["frame_id"]:
                continue
            drawn[camera["key"]] = picture["frame_id"]
            path = f"/snapshot/{camera['key']}.jpg"
            async with client.get(path, params={"frame": picture["frame"]}) as answer:
                body = await answer.read()
                self.seen["pictures" if answer.status == 200 else "gone"] += 1
                self.seen["bytes"] += len(body)
