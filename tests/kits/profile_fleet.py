"""Several fake clouds behind one address: a balancer that passes on each request by itself, in one order or another."""

from __future__ import annotations

import itertools
import random

from kits.keeping import MISSING, PROFILE
from kits.uplink import GOOD, HERE, with_cloud

from shared.wire.cloud_id import CLOUD_HEADER


class Member:
    """One of them: keeps profiles as a real one does."""

    def __init__(self, cloud_id):
        self.id = cloud_id
        self.names = set()
        self.answered = self.refused = self.uploads = 0


class Fleet:
    """`choose(request)` gives the number of the member that a request is passed to; None: the balancer has none for it."""

    def __init__(self, cloud, count, choose):
        self.cloud, self.choose = cloud, choose
        self.members = [Member(f"{number:016x}") for number in range(1, count + 1)]
        self.asked = []
        cloud.model, cloud.answer, cloud.put, cloud.there = self.model, self.answer, self.put, self.there

    def _member(self, request):
        number = self.choose(request)
        member = None if number is None else self.members[number % len(self.members)]
        self.asked.append((request.method, request.path, member))
        return member

    async def _respond(self, member, answer, request):
        self.cloud.id = member.id  # nothing is awaited before the answer has it
        return await self.cloud._respond(answer, request)

    async def model(self, request):
        member = self._member(request)
        return await self._respond(
            member, HERE | {"cloud": member.id, "profiles": sorted(member.names)}, request
        )

    async def answer(self, request):
        member = self._member(request)
        if member is None:
            return await self.cloud._respond((503, b"<html>no server</html>"), request)
        there = PROFILE.name in member.names
        member.answered += there
        member.refused += not there
        return await self._respond(member, GOOD if there else MISSING, request)

    async def put(self, request):
        member = self._member(request)
        member.uploads += 1
        member.names.add(request.match_info["name"])
        return await self._respond(member, (201, {}), request)

    async def there(self, request):
        member = self._member(request)
        found = request.match_info["name"] in member.names
        return await self._respond(member, (200 if found else 404, {}), request)

    @property
    def uploads(self):
        return sum(member.uploads for member in self.members)

    @property
    def refused(self):
        return sum(member.refused for member in self.members)

    def restart(self, number):
        """It comes back as another, without a profile."""
        uploads = self.members[number].uploads
        self.members[number] = Member(f"{random.Random(number).getrandbits(64):016x}")
        self.members[number].uploads = uploads


def by_turns():
    turns = itertools.count()
    return lambda _request: next(turns)


def at_random(seed):
    """Where uploads go does not depend on when frames come, and is more than one cloud for each of the seeds that tests use."""
    numbers, uploads = random.Random(seed), random.Random(1000 + seed)
    return lambda request: (uploads if request.method == "PUT" else numbers).randrange(1 << 30)


def heeding(members, otherwise):
    """As the shipped balancer: what is meant for one cloud goes there; the rest otherwise."""

    def choose(request):
        meant = request.headers.get(CLOUD_HEADER)
        found = [number for number, each in enumerate(members()) if each.id == meant]
        return found[0] if found else otherwise(request)

    return choose


def with_fleet(check, choose, count=3, **options):
    """Run `check(fleet, uplink)` with an uplink that has the profile."""

    async def go(cloud, uplink):
        await check(Fleet(cloud, count, choose), uplink)

    with_cloud(go, profiles=[PROFILE], **options)
