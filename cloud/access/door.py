"""The one place that every request passes before anything of it is read or computed: who is it, and may it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from shared.security.exposure import open_rights, shown_in_clear
from shared.security.gate import Gate, Shown
from shared.security.rights import written
from shared.security.sessions import Sessions
from shared.security.tokens.file import TokenFile
from shared.wire.server.browser import shown_by

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest

    from cloud.config import CloudSettings
    from cloud.metrics import CloudMetrics
    from shared.security.gate import Caller
    from shared.security.rights import Needs

_log = logging.getLogger(__name__)

_FLAGS = ("--address", "--token-file", "--anonymous")


class Door:
    """Knows the tokens, the sessions and what everybody may. Used on the event loop."""

    def __init__(self, settings: CloudSettings, metrics: CloudMetrics) -> None:
        """Raises SettingsError if the tokens cannot be read, or if the cloud would be open to other machines without a word."""
        file = settings.token_file
        anonymous = open_rights(
            settings.address, file, settings.anonymous, flags=_FLAGS, certificates=bool(settings.client_ca)
        )
        self._file = TokenFile(file, failed=metrics.token_file_errors.inc) if file else None
        self._metrics = metrics
        self.sessions = Sessions()
        self.gate = Gate(self._file, anonymous, self.sessions)
        self._count()
        # A proxy that is named ends TLS, as a rule.
        if not settings.trusted_proxies and shown_in_clear(
            settings.address, tokens=file, certificate=settings.certificate
        ):
            _log.warning(
                "tokens and frames reach --address %s unencrypted; give --certificate, or put a proxy that speaks TLS before it "
                "and name that in --trusted-proxies",
                settings.address,
            )
        _log.info("what everybody may do: %s", written(anonymous) or "nothing")

    def enter(self, request: HTTPServerRequest, needs: Needs, form_key: str | None = None) -> Caller:
        """Whoever sent this, who may. `form_key` came in a form. Raises UnauthenticatedError or ForbiddenError."""
        if needs.is_open:  # asked every few seconds, and cookies take long to read
            return self.gate.enter(Shown(), needs)
        return self.gate.enter(shown_by(request, form_key), needs)

    def login(self, token: str) -> tuple[str, str]:
        """The name of a token, and the key of a session that begins with it. Raises UnauthenticatedError."""
        grant = self.gate.login(token)
        key, _ = self.sessions.begin(grant.digest)
        return grant.name, key

    async def watch(self) -> None:
        """Take every change of the file of tokens, for ever."""
        if self._file:
            await self._file.watch(self._count)

    def _count(self) -> None:
        self._metrics.tokens.set(len(self.gate.keyring))
