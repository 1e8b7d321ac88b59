"""Several clouds without sockets: what each does with a frame is set by the test, and time is the event loop's."""

from __future__ import annotations

import asyncio
import random
from types import SimpleNamespace

from kits.uplink import FRAME, MODEL
from kits.virtual_time import run

from edge.metrics import EdgeMetrics
from edge.uplink.asking.question import Question
from edge.uplink.circuit import Circuit
from edge.uplink.clouds.clouds import Clouds
from edge.uplink.clouds.heard import Heard
from edge.uplink.clouds.uplinks import FIRST_SHARE, Uplinks
from edge.uplink.link import Link
from edge.uplink.reply import Reply
from shared.errors import MismatchError, UplinkError

OURS = MODEL.fingerprint.hex()
QUESTION = Question("/model", None, 2.0)


def now():
    return asyncio.get_running_loop().time()


class FakeLine:
    """One cloud's line: the circuit, the link and what was heard are real, and there is no connection."""

    def __init__(self, name):
        self.name = self.url = name
        self.circuit = Circuit(
            None, now, self._release, label=f"circuit of {name}", instead="the others are asked"
        )
        self.link = Link(now)
        self.heard = Heard(now)
        self.client = SimpleNamespace(url=name)
        self.released = asyncio.Event()
        self.greet = None
        self.gives_bundle = True
        self.network = OURS
        self.away = False
        """Whether it answers no question."""

    def _release(self):
        self.released.set()
        self.released = asyncio.Event()

    async def __aenter__(self):
        self._probing = asyncio.create_task(self.circuit.probe(self._greet))
        return self

    async def __aexit__(self, *_):
        self._probing.cancel()
        await asyncio.gather(self._probing, return_exceptions=True)

    async def _greet(self):
        await self.greet()

    def probe_with(self, greet):
        self.greet = greet

    async def ask_model(self, *, hurry=False):
        await asyncio.sleep(0.001)
        if self.away:
            raise UplinkError("unreachable", "no route")
        self.heard.note(self.network)
        return {"fingerprint": self.network, "from": self.name}

    def said(self):
        return [{"cloud": self.name, "state": self.circuit.state.value, "network": self.heard.fingerprint}]


class FakeUplink:
    """What one cloud does with frames: `takes_s` to answer one, or `fails` with an UplinkError after so long; `hangs` for ever."""

    def __init__(self, line, *, serves=(OURS,), follows=False):
        self.line = line
        self.uploads_s = 0.0
        """How long bringing it the profiles takes, by which a greeting ends."""
        self.takes_s = 0.02
        self.fails = None
        self.hangs = False
        self.serves = set(serves)
        self.split_points = None
        self.codecs = None
        self.profiles = set()
        self.takes_profiles = False
        self.brought = []
        """When a profile was brought beside the frames."""
        self.frames = 0
        self.under_way = self.most = 0
        self.times = []
        self._follows = follows

    async def greet(self, *, hurry=False):
        said = await self.line.ask_model()
        if said["fingerprint"] not in self.serves:
            text = f"the cloud at {self.line.name} runs {said['fingerprint']}"
            raise UplinkError("refused", text) if self._follows else MismatchError(text)
        await asyncio.sleep(self.uploads_s)

    async def ask(self, _frame, _profile, question, _ticket=None):
        circuit = self.line.circuit
        if not circuit.allows():
            raise UplinkError("circuit_open", "the circuit is open")
        self.frames += 1
        self.times.append(now())
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        era, start = circuit.era, now()
        try:
            await self._answer(question)
        except UplinkError as error:
            impatient = error.reason == "late" and question.deadline_s < FIRST_SHARE * QUESTION.deadline_s
            if impatient or error.reason == "circuit_open":
                circuit.released(era)
            else:
                circuit.failed(str(error), era, start if error.reason == "late" else None)
            raise
        except BaseException:
            circuit.released(era)
            raise
        finally:
            self.under_way -= 1
        circuit.succeeded()
        return Reply(None, {}, address=self.line.name)

    async def _answer(self, question):
        patience_s = min(question.deadline_s, self.takes_s)
        if self.hangs or self.takes_s > question.deadline_s:
            patience_s = question.deadline_s
        released = asyncio.create_task(self.line.released.wait())
        try:
            done, _ = await asyncio.wait({released}, timeout=patience_s)
        finally:
            released.cancel()
        if done:
            raise UplinkError("circuit_open", "the circuit opened meanwhile")
        if self.fails:
            raise self.fails
        if self.hangs or self.takes_s > question.deadline_s:
            raise UplinkError("late", "no answer")

    def decodes(self, split_point, codec_id):
        return (self.split_points is None or split_point in self.split_points) and (
            self.codecs is None or codec_id in self.codecs
        )

    def has(self, profile):
        return profile is None or profile in self.profiles

    async def bring(self, profile):
        self.brought.append(now())
        if self.takes_profiles:
            self.profiles.add(profile)

    def can_answer(self, split_point, _codec):
        return self.decodes(split_point, 0)

    def retire(self):
        """Nothing goes on."""

    async def close(self):
        """Nothing to close."""

    def follow_tail_times(self, take):
        self.take = take


class Fleet:
    """`uplinks.ask` with so many clouds behind it."""

    def __init__(self, count=3, *, follows=False, in_flight=8):
        self.metrics = EdgeMetrics()
        self.lines = [FakeLine(f"http://cloud{number}:8881") for number in range(count)]
        self.clouds = Clouds(self.lines, self.metrics, in_flight=in_flight, clock=now)
        self.each = [FakeUplink(line, follows=follows) for line in self.lines]
        self.uplinks = Uplinks(self.clouds, self.each, follows=follows)
        self.answers = []
        """By whom each frame was answered, or the reason why by none, and how long that took."""

    async def ask(self, profile=None):
        start = now()
        try:
            said = (await self.uplinks.ask(FRAME, profile, QUESTION)).address
        except UplinkError as error:
            said = error.reason
        self.answers.append((said, now() - start))
        return said

    async def load(self, seconds, rate):
        """Frames at this rate, none of which waits for another; returns their answers."""
        begun, tasks = len(self.answers), []
        for _ in range(round(seconds * rate)):
            tasks.append(asyncio.create_task(self.ask()))
            await asyncio.sleep(1 / rate)
        await asyncio.gather(*tasks)
        return [said for said, _ in self.answers[begun:]]

    def counted(self, name, **labels):
        return self.metrics.registry.get_sample_value(f"splitdnn_edge_cloud_{name}", labels)

    def outcomes(self, number):
        labels = {"cloud": self.lines[number].name}
        names = ("answered", "failed", "resent", "tried")
        return tuple(int(self.counted("frames_total", outcome=each, **labels)) for each in names)


def with_fleet(check, count=3, **options):
    """Run `check(fleet)` in virtual time, its clouds greeted; no task may be left behind."""

    async def go():
        random.seed(1)
        fleet = Fleet(count, **options)
        before = asyncio.all_tasks()
        async with fleet.clouds:
            await fleet.uplinks.check()
            fleet.uplinks.take_over()
            await asyncio.sleep(0.1)
            await check(fleet)
            await fleet.uplinks.close()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
        return fleet

    return run(asyncio.wait_for(go(), 1000), grace_s=0.0)
