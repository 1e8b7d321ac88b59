"""All networks that frames may be for, by fingerprint: the current one, and those that edges have not left yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cloud.access.refusals import UnknownModelError
from shared.errors import FingerprintError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from prometheus_client import Gauge

    from cloud.batching.tail_times import TailTimes
    from cloud.networks.files import BundleFiles
    from cloud.networks.network import LoadedNetwork

MAX_EARLIER = 2
"""Networks besides the current one. Each keeps its parameters in memory, and its compiled tails."""
EARLIER_S = 300.0
"""An earlier network is dropped when nothing has come for it for so long."""


class StandsIn(Protocol):
    """Brings the float32 network of the current one, if that is int8."""

    def fingerprint(self) -> str | None:
        """Which one that is; None if there is none."""

    def bring(self, fingerprint: bytes) -> bool:
        """Whether it is the network of this fingerprint, and on its way. For any thread."""

    def files(self, fingerprint: bytes) -> BundleFiles | None:
        """What edges may fetch of it, if it is the network of this fingerprint."""

    def stop(self) -> None:
        """Nothing more is to be brought."""


class Brings(Protocol):
    """Brings networks of other clouds."""

    def bring(self, fingerprint: bytes, client: Hashable) -> bool:
        """Whether the network of this fingerprint is looked for, or on its way. `client` is who wants it. For any thread."""

    def stop(self) -> None:
        """Nothing more is to be brought."""


class Networks:
    """Knows which network is current and which others are held. Changed on the event loop only; asked from any thread."""

    def __init__(
        self, first: LoadedNetwork, make_tail_times: Callable[[LoadedNetwork], TailTimes], held: Gauge
    ) -> None:
        """`held` is set to how many networks there are."""
        self.current = first
        """The network that JSON is for, and that every reply names."""
        self._make_tail_times = make_tail_times
        self._gauge = held
        self.stand_in: StandsIn | None = None
        """What brings the float32 network of an int8 one."""
        self.brought: Brings | None = None
        """What brings networks that siblings serve."""
        self._tail_times: dict[LoadedNetwork, TailTimes] = {}
        self._held: dict[bytes, LoadedNetwork] = {}  # replaced, never changed; the current one is last
        self._hold([first])

    def __iter__(self) -> Iterator[LoadedNetwork]:
        """The current one is the last."""
        return iter(self._held.values())

    def of(self, what: str, fingerprint: bytes, client: Hashable = None) -> LoadedNetwork:
        """The network that `what`, a frame or a profile of `client`, was made for; counts as a use of it.

        Raises FingerprintError, or UnavailableError if it is on its way.
        """
        network = self._held.get(fingerprint)
        if network is None and (
            (self.stand_in and self.stand_in.bring(fingerprint))
            or (self.brought and self.brought.bring(fingerprint, client))
        ):
            raise UnavailableError(
                f"the network that this {what} was made for (fingerprint {fingerprint.hex()}) is being loaded"
            )
        if network is None:
            model = self.current.model
            raise FingerprintError(
                f"this {what} was made for another network (fingerprint {fingerprint.hex()}); "
                f"this cloud runs {model.name} with weights {model.weights}",
                accepted={
                    "fingerprint": model.fingerprint.hex(),
                    "model": model.name,
                    "weights": model.weights,
                    "also_serves": self.also_serves(),
                },
            )
        network.usage.note()
        return network

    def named(self, name: str, version: str | None = None) -> LoadedNetwork:
        """The network of this name and version, which is a fingerprint in hexadecimal digits; without one the latest of the name.

        Counts as a use of it. Raises UnknownModelError, or UnavailableError if it is on its way.
        """
        found = [each for each in self if each.model.name == name]
        if version is not None and found:
            found = [each for each in found if each.model.fingerprint.hex() == version]
            stand_in = self.stand_in
            if not found and stand_in and stand_in.fingerprint() == version:
                found = [self.of("request", bytes.fromhex(version))]
        if not found:
            known = {each.model.name: each.model.fingerprint.hex() for each in self}
            raise UnknownModelError(
                f"no model {name[:100]!r}{'' if version is None else f' of version {version[:40]!r}'} runs here",
                accepted={"models": [{"name": each, "version": known[each]} for each in known]},
            )
        found[-1].usage.note()
        return found[-1]

    def versions(self, name: str) -> list[str]:
        """The versions that `named` knows of a network, the latest first."""
        held = [each.model.fingerprint.hex() for each in reversed([*self]) if each.model.name == name]
        stand_in = self.stand_in.fingerprint() if self.stand_in else None
        return held if stand_in is None or stand_in in held or not held else [*held, stand_in]

    def held(self, fingerprint: bytes) -> LoadedNetwork | None:
        """The network of this fingerprint, or None. Asking does not count as a use."""
        return self._held.get(fingerprint)

    def files(self, fingerprint: bytes) -> BundleFiles | None:
        """What clients may fetch of the network of this fingerprint, or of the one that would stand in; None if nothing."""
        if network := self._held.get(fingerprint):
            return network.files
        if self.current.files is None or self.stand_in is None:
            return None
        return self.stand_in.files(fingerprint)

    def with_digest(self, digest: str) -> LoadedNetwork | None:
        """The network whose bundle has this digest, if it is held."""
        return next((network for network in self if network.digest == digest), None)

    def earlier(self) -> list[str]:
        """The fingerprints of the earlier networks, in hexadecimal digits, the latest first."""
        return [network.model.fingerprint.hex() for network in reversed([*self][:-1])]

    def also_serves(self) -> list[str]:
        """The fingerprints of all networks but the current one that frames may be for."""
        held, stand_in = self.earlier(), self.stand_in.fingerprint() if self.stand_in else None
        return held if stand_in is None or stand_in in held else [*held, stand_in]

    def tail_times(self, network: LoadedNetwork) -> TailTimes:
        """How long its tails take; it must be held."""
        return self._tail_times[network]

    def take(self, network: LoadedNetwork) -> list[LoadedNetwork]:
        """Make it the current one, whether it is held already or not. Returns those that are dropped for it."""
        now = network.model.fingerprint
        others = [each for each in self if each.model.fingerprint != now]
        self.current.usage.note()  # its edges have not had the time to notice
        self.current = network
        return self._hold([*others[-MAX_EARLIER:], network])

    def add(self, network: LoadedNetwork) -> None:
        """Hold it beside the current one, which stays so; it goes as earlier ones do."""
        network.usage.note()
        others = [each for each in self if each is not self.current]
        self._hold([*others, network, self.current])

    def expire(self) -> list[LoadedNetwork]:
        """Drop the earlier ones that nothing has come for; returns them."""
        return self._hold([each for each in self if each is self.current or each.usage.idle_s() < EARLIER_S])

    def stop(self) -> None:
        """End the measurements in progress."""
        for times in self._tail_times.values():
            times.stop()
        for each in (self.stand_in, self.brought):
            if each:
                each.stop()

    def _hold(self, networks: list[LoadedNetwork]) -> list[LoadedNetwork]:
        dropped = [each for each in self if each not in networks]
        self._held = {each.model.fingerprint: each for each in networks}
        for network in dropped:
            self._tail_times.pop(network).stop()
        for network in networks:
            if network not in self._tail_times:
                self._tail_times[network] = self._make_tail_times(network)
        self._gauge.set(len(networks))
        return dropped
