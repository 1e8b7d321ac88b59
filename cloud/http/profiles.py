"""The endpoints of profiles: an edge sends one before its frames, or when the cloud says that it is missing."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, ClassVar

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from cloud.access.audit import Action, Outcome
from cloud.http.base import Handler
from cloud.http.body import BodyHandler
from cloud.workers.lifecycle import State
from shared.codecs.calibrated.profile import HASH_BYTES
from shared.errors import ProfileContentError, UnavailableError
from shared.security.rights import Right, one_of
from shared.wire.http import encoding_of
from shared.wire.profile import ENCODINGS, SLACK_S, transfer_s

if TYPE_CHECKING:
    from cloud.bodies.body import Body
    from shared.security.rights import Needs

PROFILES = "/profiles"
_NAME = re.compile(rf"[0-9a-f]{{{2 * HASH_BYTES}}}")
_LOOKING_S = 5.0
"""How long whoever asks for a profile waits until it was looked for elsewhere."""


class ProfilesHandler(Handler):
    """`GET /profiles`: the profiles that frames may name."""

    needs: ClassVar[Needs] = one_of(Right.PROFILES)

    async def get(self) -> None:
        await self.in_turn()
        self.finish_json(self.service.profiles.listing())


class ProfileFileHandler(Handler):
    """`GET /profiles/{name}/file`: the profile as it came, for another cloud of a fleet. This one asks nobody for it."""

    endpoint = PROFILES
    needs: ClassVar[Needs] = one_of(Right.PROFILES)

    async def get(self) -> None:
        await self.in_turn()
        service, name = self.service, self.request.path.split("/")[2]
        data = await service.profile_desk.file(name) if _NAME.fullmatch(name) else None
        if data is None:
            raise HTTPError(404, "this cloud has no such file")
        self.set_header("Content-Type", "application/octet-stream")
        if self.request.method == "HEAD":  # costs no transfer
            self.set_header("Content-Length", len(data))
            return
        self.set_header("Content-Length", len(data))
        with service.profile_desk.transfers.one(self.client):
            self.write(data)
            try:
                async with asyncio.timeout(service.settings.idle_timeout_s):
                    await self.flush()
            except (StreamClosedError, TimeoutError):
                self._auto_finish = False  # Tornado would count a success
                self.connection().close()


class ProfileHandler(BodyHandler):
    """`PUT /profiles/{name}` stores one; `GET` describes it. A name is 32 lower-case hexadecimal digits."""

    endpoint = PROFILES
    needs: ClassVar[Needs] = one_of(Right.PROFILES)
    body_method: ClassVar[str] = "PUT"
    brings: ClassVar[Action] = Action.PROFILE

    async def get(self) -> None:
        await self.in_turn()
        service, name = self.service, self._name
        found = service.profiles.describe_one(name)
        if found is None and _NAME.fullmatch(name) and service.lifecycle.state is State.READY:
            self.account.require_compute()
            if await service.profile_desk.bring(name, self.account, service.networks, _LOOKING_S, anew=True):
                found = service.profiles.describe_one(name)
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
        self._encoding = encoding_of(self.request.headers.get("Content-Encoding"), ENCODINGS)
        size = self._declared()
        arrival_s = transfer_s(size if size <= self.limit() else 0) + SLACK_S
        self.connection().set_body_timeout(max(arrival_s, self.service.settings.request_timeout_s))

    async def respond(self, body: Body) -> None:
        service = self.service
        try:
            new, dropped = await service.profile_desk.take(
                self._name, bytes(body.whole()), self.account, service.networks,
                encoding=self._encoding, most_bytes=service.max_profile_bytes,
            )  # fmt: skip
        except asyncio.CancelledError:  # the server stops
            raise UnavailableError("the server is stopping; try again later") from None
        if new:
            self.note(Outcome.DONE, subject=self._name)
        for name in dropped:
            self.service.audit.note(self.client, Action.EVICT, Outcome.DONE, subject=name, known=self.known)
        self.set_status(201 if new else 200)
        self.finish({"name": self._name})

    @property
    def _name(self) -> str:
        return self.request.path.removeprefix(f"{PROFILES}/")
