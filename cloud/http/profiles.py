"""The endpoints of profiles: an edge sends one before its frames, or when the cloud says that it is missing."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, ClassVar

from tornado.web import HTTPError

from cloud.access.audit import Action, Outcome
from cloud.bodies.json_body import check_shapes
from cloud.http.base import Handler
from cloud.http.body import BodyHandler
from shared.codecs.calibrated.profile import HASH_BYTES, Profile, digest_of
from shared.errors import ProfileContentError, UnavailableError
from shared.security.rights import Right, one_of
from shared.wire.http import require_identity

if TYPE_CHECKING:
    from collections.abc import Hashable

    from cloud.bodies.body import Body
    from cloud.networks.networks import Networks
    from cloud.profiles.store import Profiles
    from shared.security.rights import Needs

PROFILES = "/profiles"
_NAME = re.compile(rf"[0-9a-f]{{{2 * HASH_BYTES}}}")
_ARRIVAL_S = 120.0
"""How long a body may take to arrive: enough for 4 MB at 300 kbit/s, which no frame's deadline is."""


class ProfilesHandler(Handler):
    """`GET /profiles`: the profiles that frames may name."""

    needs: ClassVar[Needs] = one_of(Right.PROFILES)

    async def get(self) -> None:
        await self.in_turn()
        self.finish_json(self.service.profiles.listing())


class ProfileHandler(BodyHandler):
    """`PUT /profiles/{name}` stores one; `GET` describes it. A name is 32 lower-case hexadecimal digits."""

    endpoint = PROFILES
    needs: ClassVar[Needs] = one_of(Right.PROFILES)
    body_method: ClassVar[str] = "PUT"
    brings: ClassVar[Action] = Action.PROFILE

    async def get(self) -> None:
        await self.in_turn()
        found = self.service.profiles.describe_one(self._name)
        if found is None:
            raise HTTPError(404, f"no such profile; GET {PROFILES} lists those that this cloud has")
        self.finish_json(found)

    async def put(self) -> None:
        await self.complete()

    def limit(self) -> int:
        return self.service.max_profile_bytes

    def admit(self) -> None:
        self.service.lifecycle.require_ready()
        self.account.require_compute()
        if not _NAME.fullmatch(self._name):
            raise ProfileContentError(
                f"{self._name[:80]!r} is not a profile's name",
                accepted={
                    "name": f"the first {HASH_BYTES} bytes of the file's SHA-256, as lower-case digits"
                },
            )
        require_identity(self.request.headers.get("Content-Encoding"))
        self.connection().set_body_timeout(max(_ARRIVAL_S, self.service.settings.request_timeout_s))

    async def respond(self, body: Body) -> None:
        try:
            with self.service.profile_builds.place(self.client):
                async with self.service.profile_turns.one(self.client):
                    new, dropped = await self.service.pools.profiles.run(self._charged, body)
                if siblings := self.service.siblings:  # a frame that names it may come to any of them
                    await siblings.profile(bytes(body.whole()), self.client)
        except asyncio.CancelledError:  # the server stops
            raise UnavailableError("the server is stopping; try again later") from None
        if new:
            self.note(Outcome.DONE, subject=self._name)
        for name in dropped:
            self.service.audit.note(self.client, Action.EVICT, Outcome.DONE, subject=name, known=self.known)
        self.set_status(201 if new else 200)
        self.finish({"name": self._name})

    def _charged(self, body: Body) -> tuple[bool, list[str]]:
        with self.account.computing():
            return self._take(body)

    def _take(self, body: Body) -> tuple[bool, list[str]]:
        """Check and keep a profile; returns whether it is new, and the names of those that it pushed out.

        One thread does this, so each profile is built once.
        """
        service, name, data = self.service, self._name, bytes(body.whole())
        digest = digest_of(data)
        if digest.hex() != name:
            raise ProfileContentError(
                f"the body's name is {digest.hex()}, not {name}",
                accepted={"put": f"{PROFILES}/{digest.hex()}"},
            )
        if service.profiles.touch(name, self.client):
            return False, []
        dropped = add_profile(data, service.profiles, service.networks, self.client)
        service.metrics.profiles_received.inc()
        return True, dropped

    @property
    def _name(self) -> str:
        return self.request.path.removeprefix(f"{PROFILES}/")


def add_profile(data: bytes, profiles: Profiles, networks: Networks, client: Hashable = None) -> list[str]:
    """Keep a profile that frames of one of these networks can use, for `client`; the names of those that it pushed out.

    Raises LimitError, ProfileContentError, FingerprintError, SplitPointError, ShapeError or OverQuotaError.
    """
    profile = Profile.from_bytes(data)
    partition = networks.of("profile", profile.fingerprint).partition
    check_shapes(profile.shapes, partition.point(profile.split_point).shapes, profile.split_point)
    return profiles.add(profile, client)
