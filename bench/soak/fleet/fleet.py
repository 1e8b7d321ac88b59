"""One run: clouds, a balancer before them, edges, and what goes wrong between them."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench.emulator.proxy import Emulator
from bench.harness.frames import build_frames, read_frames
from bench.harness.others import Others
from bench.harness.pauses import Pauses
from bench.soak.fleet.balancer.balancing import balancing
from bench.soak.fleet.calm import capacity, know
from bench.soak.fleet.clouds import Clouds
from bench.soak.fleet.cuts import cut_again_and_again
from bench.soak.fleet.edge import LightEdge
from bench.soak.fleet.outcome import Outcome, Played, answered_in
from bench.soak.fleet.real import RealEdges
from bench.soak.ledger import read_rows

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.soak.fleet.balancer.balancing import Balancer
    from bench.soak.fleet.edge import Picture
    from bench.soak.fleet.options import FleetOptions

_LEAD_S = 0.2


class Fleet:
    """What it starts is closed with `ends`."""

    def __init__(
        self, options: FleetOptions, folder: Path, ends: contextlib.ExitStack, step: Callable[[str], object]
    ) -> None:
        """`step` is told what comes next."""
        self._options, self._folder, self._step = options, folder, step
        flags = [
            *options.setup.flags(), f"--split-point={options.split_point}", f"--cache-dir={folder / 'cache'}",
            "--trusted-proxies=127.0.0.1",
        ]  # fmt: skip
        self._clouds = Clouds(options.clouds, flags, folder, ends, start_last=not options.busy)
        self._real = RealEdges(options, flags[:-1], folder, ends)
        self.engine = ""
        """The clouds', for people."""
        self.balancer = ""
        """For people."""
        self.bytes = 0.0
        """A frame's, on average."""

    async def run(self) -> Outcome:
        """Raises RuntimeError if something cannot be started, or does not come up again."""
        options, members = self._options, self._clouds.members
        self._step("frames")
        await asyncio.to_thread(self._make_frames)
        frames = read_frames(self._folder, options.split_point)
        self.bytes = sum(map(len, frames)) / len(frames)
        self._step(f"{len(members) - 1} clouds start")
        await self._clouds.start(members[:-1])
        self.engine = members[0].process.engine()
        async with balancing(options, self._clouds.ports, self._folder) as balancer:
            self.balancer = balancer.name
            url = urlsplit(f"http://127.0.0.1:{balancer.port}")
            pictures = await know(frames, members[:-1])
            self._step(f"what {len(members) - 1} clouds can do")
            able = await capacity(url, pictures, options.capacity)
            self._step("the last cloud starts")
            await self._clouds.start(members[-1:])
            await know(frames, members)
            await self._real.start([each.process.url for each in members])
            return await self._play(balancer, pictures, able)

    def _make_frames(self) -> None:
        options = self._options
        if any(self._folder.glob(f"{options.split_point}-*.frame")):
            return  # a folder that is kept has them from its last run
        build_frames(
            self._folder, options.setup, [options.split_point], options.pictures, model=options.model
        )

    async def _play(self, balancer: Balancer, pictures: Sequence[Picture], able: float) -> Outcome:
        options = self._options
        clock = asyncio.get_running_loop().time
        link = Emulator("127.0.0.1", balancer.port, seed=options.seed)
        cut_port = await link.start()
        first = secrets.randbits(31)
        on_cut_links = round(options.cut_share * options.edges)
        edges = [
            LightEdge(
                number,
                first + number,
                urlsplit(f"http://127.0.0.1:{cut_port if number < on_cut_links else balancer.port}"),
                pictures,
                options.deadline,
            )
            for number in range(options.edges)
        ]
        begin = clock() + _LEAD_S
        start, end = begin + options.calm, begin + options.calm + options.seconds
        offset_s = time.time() - clock()
        offered = options.load * able
        self._step(
            f"{offered:.0f} of {able:.0f} frames/s: {options.calm:g} s without faults, {options.seconds:g} s with them"
        )
        due = due_times(len(edges), begin, end, offered, options.seed)
        sending = [asyncio.create_task(edge.run(times)) for edge, times in zip(edges, due, strict=True)]
        pauses = Pauses()
        watching = asyncio.create_task(pauses.watch())
        try:
            await asyncio.sleep(start - clock())
            others = Others()
            async with asyncio.TaskGroup() as faults:
                cutting = faults.create_task(
                    cut_again_and_again(link, options.cut_every, end, int(self.bytes), options.seed)
                )
                faults.create_task(self._clouds.kill_in_turn(options.kill_every, end))
            others_cores = others.cores()
            await asyncio.gather(*sending)
            real_faults = await self._real.end([each.ledger for each in self._clouds.members])
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            for task in (watching, *sending):
                task.cancel()
            await asyncio.gather(watching, *sending, return_exceptions=True)
            for edge in edges:
                edge.close()
            await link.close()
        made = {edge.session: edge.made for edge in edges}
        played = [
            Played(each.name, each.lives, answered_in(read_rows(each.ledger), made, offset_s))
            for each in self._clouds.members
        ]
        return Outcome(
            made, [record for edge in edges for record in edge.records], played, start, end, options.deadline, offered, able,
            int(options.seconds / options.kill_every), cutting.result(), others_cores, pauses, real_faults, self._real.records,
        )  # fmt: skip


def due_times(edges: int, begin: float, end: float, per_s: float, seed: int) -> list[list[float]]:
    """When each edge's frames are due: evenly, from a random phase on, `per_s` frames a second of all together."""
    chance = random.Random(seed)  # noqa: S311 - nothing to guard
    period = edges / per_s
    due = []
    for _ in range(edges):
        at, times = begin + chance.random() * period, list[float]()
        while at < end:
            times.append(at)
            at += period
        due.append(times)
    return due
