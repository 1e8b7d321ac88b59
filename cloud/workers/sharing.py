"""What a worker does for the others, when its parent asks."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

from cloud.access.refusals import OverQuotaError
from cloud.http.page.state import part_of
from cloud.workers.channel import Message
from cloud.workers.lifecycle import State
from cloud.workers.sums import families_of
from shared.codecs.calibrated.profile import digest_of
from shared.errors import RequestError
from shared.security.sessions import Session

if TYPE_CHECKING:
    from cloud.access.clients import Account
    from cloud.service import Service

_log = logging.getLogger(__name__)


class Sharing:
    """Answers the parent. On the event loop only."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def handle(self, message: Message) -> Message | None:
        """The answer to one message."""
        if message.kind == "reading":
            families = await asyncio.to_thread(families_of, self._service.metrics.registry)
            return Message("done", body=json.dumps(families).encode())
        if message.kind == "page":
            part = part_of(self._service, message.fields["since"])
            return Message("done", body=json.dumps(part).encode())
        if message.kind == "profile":
            return await self._profile(message.body, message.fields["client"])
        assert message.kind == "session", message.kind
        take_session(self._service, message.fields["name"], message.fields["session"])
        return None

    async def _profile(self, data: bytes, client: str) -> Message | None:
        service = self._service
        if service.lifecycle.state is not State.READY:
            return None  # it has no network to check it by; its first frame brings it
        try:
            account = service.clients.account(client)
            name = await service.pools.profiles.run(self._keep, data, account)
            service.profile_desk.keep(name, data)
        except OverQuotaError as error:
            return Message("done", {"refused": str(error)})
        except (
            RequestError
        ) as error:  # another network than the sender has: frames of it are refused for that
            _log.info("a profile that another worker has taken is not kept: %s", error)
        return None

    def _keep(self, data: bytes, account: Account) -> str:
        profiles, networks, name = self._service.profiles, self._service.networks, digest_of(data).hex()
        with account.computing():
            if not profiles.touch(name, account.name):
                self._service.profile_desk.add(data, networks, account.name)
        return name


def take_session(service: Service, name: str, said: list[Any] | None) -> None:
    """A session that began or ended in another worker. `name` is the hash of its key; times are the machine's monotonic ones."""
    sessions, hashed = service.door.sessions, bytes.fromhex(name)
    if said is None:
        sessions.forget(hashed)
        return
    token, form_key, begun, used = said
    sessions.keep(hashed, Session(bytes.fromhex(token), form_key, begun, used))
