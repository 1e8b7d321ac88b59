"""A CA in a folder, certificates of it for both sides, and what is wrong with certificates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.security.tls.authority import Authority
from shared.security.tls.context import TLSFiles

if TYPE_CHECKING:
    from pathlib import Path

LOCAL = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Certificates:
    """`cloud` and `edge` in a folder, each with `tls.crt`, `tls.key` and `ca.crt`."""

    folder: Path
    authority: Authority

    @classmethod
    def at(cls, folder: Path) -> Certificates:
        made = cls(folder, Authority.new())
        made.authority.write(folder)
        for name in ("cloud", "edge"):
            made.issue(name)
        return made

    def issue(self, name: str, addresses: tuple[str, ...] = LOCAL, folder: str = "", **when: Any) -> None:
        """Anew, in place of what was there; `folder` is `name` unless it says otherwise."""
        certificate, key = self.authority.issue(name, addresses, **when)
        self.authority.write_issued(self.folder / (folder or name), certificate, key)

    def expired(self, name: str) -> None:
        """The same, but it has ended an hour ago."""
        self.issue(name, days=1, now=datetime.now(UTC) - timedelta(days=1, hours=1))

    def path(self, name: str, file: str) -> str:
        return str(self.folder / name / file)

    def files(self, name: str, *, authority: bool = True) -> TLSFiles:
        return TLSFiles(
            self.path(name, "tls.crt"),
            self.path(name, "tls.key"),
            self.path(name, "ca.crt") if authority else None,
        )

    def cloud(self, *, mutual: bool = False) -> dict[str, str]:
        """The cloud's settings."""
        given = {"certificate": self.path("cloud", "tls.crt"), "key": self.path("cloud", "tls.key")}
        return given | ({"client_ca": self.path("cloud", "ca.crt")} if mutual else {})
