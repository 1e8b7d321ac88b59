"""What a cloud with TLS and tokens is given, and those who ask it: made in a folder for one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from shared.security.rights import GROUPS
from shared.security.tls.context import TLSFiles, client_context
from shared.security.tokens.bearer import Bearer
from shared.security.tokens.keyring import Grant, digest_of, new_token

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from shared.security.rights import Right

WATCHER = "watcher"
"""The name of the token with every right, by which a benchmark itself looks at the cloud."""
_ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class Keys:
    """A CA, the cloud's certificate by it, and a token for each name."""

    folder: Path
    names: tuple[str, ...]
    context: ssl.SSLContext
    """A client's, which believes the CA."""

    @classmethod
    def make(
        cls, folder: Path, names: Sequence[str], rights: Mapping[str, frozenset[Right]] | None = None
    ) -> Self:
        """New ones for these names, and one for the watcher. Each may do what an edge does, unless `rights` says otherwise.

        Raises RuntimeError without the package that makes certificates.
        """
        try:
            from shared.security.tls.authority import Authority
        except ModuleNotFoundError:
            raise RuntimeError(
                "certificates are made with a package: pip install 'splitdnn[authority]'"
            ) from None
        authority = Authority.new()
        folder.mkdir(parents=True, exist_ok=True)
        authority.write_issued(folder, *authority.issue("cloud", [_ADDRESS]))
        with (folder / "tokens").open("w", encoding="ascii") as file:
            edges = dict.fromkeys(names, GROUPS["edge"])
            for name, given in {**edges, WATCHER: GROUPS["all"], **(rights or {})}.items():
                token = new_token()
                (folder / f"{name}.token").write_text(f"{token}\n", encoding="ascii")
                file.write(f"{Grant(name, given, None, digest_of(token))}\n")
        context = client_context(TLSFiles(authority=str(folder / "ca.crt")))
        return cls(folder, tuple(names), context)

    def cloud_flags(self, *, tls: bool = True) -> list[str]:
        certificate = [f"--certificate={self.folder / 'tls.crt'}", f"--key={self.folder / 'tls.key'}"]
        return [*(certificate if tls else []), f"--token-file={self.folder / 'tokens'}"]

    @property
    def ca(self) -> str:
        """The CA's certificate, a file."""
        return str(self.folder / "ca.crt")

    def token(self, name: str) -> str:
        """The token of this name."""
        return self.token_file(name).read_text(encoding="ascii").strip()

    def token_file(self, name: str) -> Path:
        """Holds the token of this name, alone."""
        return self.folder / f"{name}.token"

    def edge_flags(self, name: str) -> list[str]:
        """The flags of the edge whose token has this name."""
        return [f"--ca={self.ca}", f"--cloud-token-file={self.token_file(name)}"]

    def headers(self, name: str = WATCHER) -> dict[str, str]:
        """What a request shows."""
        return Bearer.of_file(str(self.token_file(name))).headers()
