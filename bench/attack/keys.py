"""What lets clients in: a file of tokens, and a certificate for clouds with TLS, made for one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from shared.security.rights import parse_rights
from shared.security.tls.authority import Authority
from shared.security.tokens.keyring import Grant, digest_of, new_token

if TYPE_CHECKING:
    from pathlib import Path

HONEST, ATTACKER, WATCHER = "honest", "attacker", "watcher"
_RIGHTS = {HONEST: "frames,profiles", ATTACKER: "frames,profiles,bundles,json", WATCHER: "metrics"}
_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Keys:
    """Each client's token by its name, and the files that the cloud reads."""

    tokens: dict[str, str]
    folder: Path

    @classmethod
    def new(cls, folder: Path) -> Self:
        """Make all of them, in this folder."""
        tokens = {name: new_token() for name in _RIGHTS}
        grants = [
            Grant(name, parse_rights(_RIGHTS[name]), None, digest_of(token)) for name, token in tokens.items()
        ]
        (folder / "cloud.tokens").write_text("".join(f"{grant}\n" for grant in grants), encoding="utf-8")
        authority = Authority.new()
        certificate, key = authority.issue("cloud", [_HOST])
        authority.write_issued(folder, certificate, key)
        return cls(tokens, folder)

    def flags(self, *, tls: bool) -> list[str]:
        """The cloud's."""
        certificate = [f"--certificate={self.folder / 'tls.crt'}", f"--key={self.folder / 'tls.key'}"]
        return [f"--token-file={self.folder / 'cloud.tokens'}", *(certificate if tls else [])]

    @property
    def ca(self) -> str:
        return str(self.folder / "ca.crt")
