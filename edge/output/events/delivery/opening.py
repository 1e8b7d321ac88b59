"""The deliveries that the settings ask for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING, Protocol

from edge.output.events.delivery.account import Account
from edge.output.events.delivery.home_assistant import HomeAssistant
from edge.output.events.delivery.mqtt import MqttDelivery
from edge.output.events.delivery.secret_file import SecretFile, password
from edge.output.events.delivery.signature import keys
from edge.output.events.delivery.targets import Broker, Receiver, in_clear, targets_of
from edge.output.events.delivery.webhook import WebhookDelivery
from shared import __version__
from shared.errors import SettingsError
from shared.security.tls.context import TLSFiles, client_context
from shared.security.tls.renewal import RenewedContext

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Sequence

    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics
    from edge.output.events.delivery.targets import Target
    from edge.output.events.spool import Reader, Spool

_log = logging.getLogger(__name__)

_FLAGS = ("--events-certificate", "--events-key", "--events-ca")
_PATIENCE_S = 5.0
"""At the end, for what waits."""
_LOOK_S = 0.1
_PAUSE_S = 60.0


class Delivery(Protocol):
    """To one target."""

    async def run(self) -> None:
        """For ever."""


class Deliveries:
    """Made before anything takes long, `start`ed with the spool, and ended before it."""

    def __init__(self, settings: EdgeSettings, metrics: EdgeMetrics, cameras: Iterable[str]) -> None:
        """Raises SettingsError for whatever a user can mistype. `cameras`: their names."""
        self._settings, self._metrics, self._cameras = settings, metrics, list(cameras)
        try:
            self._targets = targets_of(settings.events) if settings.events else ()
        except ValueError as error:
            raise SettingsError(f"--events: {error}") from None
        _check(settings, self._targets)
        path, brokers = settings.events_password_file, self._of(Broker)
        self._password = (
            SecretFile(path, "--events-password-file", password) if path and any(brokers) else None
        )
        path, receivers = settings.events_secret_file, self._of(Receiver)
        self._secrets = SecretFile(path, "--events-secret-file", keys) if path and receivers else None
        self._tls = self._trust()
        self._accounts: list[tuple[Account, Reader]] = []
        self._tasks: list[asyncio.Task[None]] = []

    def __bool__(self) -> bool:
        return bool(self._targets)

    def start(self, spool: Spool) -> None:
        """Begin; on the event loop, and before the spool starts."""
        if self._tls:
            self._tasks.append(asyncio.create_task(self._tls.watch()))
        for target in self._targets:
            account = Account(target.name, self._metrics.deliveries)
            reader = spool.reader(target.name)
            self._accounts.append((account, reader))
            self._tasks.append(asyncio.create_task(self._run(self._delivery(target, reader, account))))
        _log.info("events are told to %s", ", ".join(target.name for target in self._targets))

    async def end(self) -> None:
        """Deliver what waits, where it is taken, for some seconds; whatever is left, the next run delivers."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                quiet = 0
                while quiet < 2:  # what was told last may just be on its way to the disk
                    await asyncio.sleep(_LOOK_S)
                    waits = any(reader.waiting for account, reader in self._accounts if not account.failing)
                    quiet = 0 if waits else quiet + 1
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def _of(self, kind: type[Broker | Receiver]) -> list[Target]:
        return [target for target in self._targets if isinstance(target, kind)]

    def _trust(self) -> RenewedContext | None:
        settings = self._settings
        if not any(target.tls for target in self._targets):
            return None
        files = TLSFiles(settings.events_certificate, settings.events_key, settings.events_ca, _FLAGS)
        return RenewedContext(_context, files, metrics=self._metrics, certificate="events")

    def _delivery(self, target: Target, reader: Reader, account: Account) -> Delivery:
        settings, tls = self._settings, self._tls if target.tls else None
        if isinstance(target, Receiver):
            assert self._secrets
            return WebhookDelivery(
                target, reader, account, secrets=self._secrets, tls=tls, proxy=settings.proxy
            )
        home = None
        if settings.events_discovery:
            prefix = settings.events_discovery.strip("/")
            home = HomeAssistant(
                prefix, target.prefix, self._cameras, version=__version__, host=socket.gethostname()
            )
        return MqttDelivery(
            target,
            reader,
            account,
            version=settings.events_mqtt,
            password=self._password,
            tls=tls,
            discovery=home,
        )

    async def _run(self, delivery: Delivery) -> None:
        while True:
            try:
                await delivery.run()
            except Exception:  # noqa: BLE001 - the frames go on, and so do the other targets; the events of this one stay on the disk
                _log.exception("events: a delivery has failed, and begins anew in %.0f s", _PAUSE_S)
            await asyncio.sleep(_PAUSE_S)


def _check(settings: EdgeSettings, targets: Sequence[Target]) -> None:
    """Settings that do not fit together. Raises SettingsError."""
    if (open_to_see := [each.name for each in targets if in_clear(each)]) and not settings.events_in_clear:
        raise SettingsError(
            f"--events: everybody on the way could read what {', '.join(open_to_see)} is told; give it an address with mqtts:// or "
            "https://, or say --events-in-clear"
        )
    if any(isinstance(each, Receiver) for each in targets) and not settings.events_secret_file:
        raise SettingsError(
            "--events: a webhook needs --events-secret-file, a file with the key that signs its requests; `openssl rand -base64 32` makes one"
        )
    has_user = any(isinstance(each, Broker) and each.user is not None for each in targets)
    if settings.events_password_file and not has_user:
        raise SettingsError(
            f"--events-password-file {settings.events_password_file}: no broker in --events has a user; accepted: an address as "
            "mqtts://user@broker/prefix"
        )
    if settings.events_discovery and not any(isinstance(each, Broker) for each in targets):
        raise SettingsError(
            f"--events-discovery {settings.events_discovery}: there is no broker in --events; accepted: an address as mqtts://broker/prefix"
        )


def _context(files: TLSFiles) -> ssl.SSLContext:
    context = client_context(files)
    context.set_alpn_protocols([])  # brokers do not speak http/1.1, and receivers do without a word
    return context
