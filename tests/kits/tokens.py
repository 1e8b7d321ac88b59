"""Tokens for tests, and a file of them that can be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.security.rights import Right
from shared.security.tokens.keyring import Grant, digest_of, new_token

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from shared.security.tokens.file import TokenFile


class Tokens:
    """A file of tokens: one for each right, by its name, and whatever is added."""

    def __init__(self, path: Path, names: Iterable[str] = tuple(Right)) -> None:
        self.path = path
        self._lines: dict[str, str] = {}
        self.of: dict[str, str] = {name: self.add(name, Right(name)) for name in names}

    def add(self, name: str, *rights: Right, expires: float | None = None) -> str:
        """Another token; returns it."""
        token = new_token()
        self._lines[token] = str(Grant(name, frozenset(rights), expires, digest_of(token)))
        self._write()
        return token

    def remove(self, token: str) -> None:
        del self._lines[token]
        self._write()

    def _write(self) -> None:
        self.path.write_text("".join(f"{line}\n" for line in self._lines.values()))


def taken(file: TokenFile) -> bool:
    """Look at a file of tokens as often as a change needs to be taken; whether one was."""
    return [file.refresh() for _ in range(2)][-1]


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
