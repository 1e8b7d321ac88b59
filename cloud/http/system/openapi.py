"""`GET /openapi.yaml`: every endpoint of the cloud, as OpenAPI 3.1 describes it. Written by hand; tests hold the cloud to it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from cloud.http.base import Handler
from shared.security.rights import OPEN

if TYPE_CHECKING:
    from shared.security.rights import Needs

OPENAPI = "/openapi.yaml"

_FILE = Path(__file__).with_name("openapi.yaml")


class _Document(NamedTuple):
    data: bytes
    etag: str


@lru_cache(maxsize=1)
def _document() -> _Document:
    data = _FILE.read_bytes()
    return _Document(data, f'"{hashlib.sha256(data).hexdigest()}"')


class OpenApiHandler(Handler):
    """`GET /openapi.yaml` is the same for everybody, and changes with the version only."""

    needs: ClassVar[Needs] = OPEN

    def get(self) -> None:
        self.set_header("Content-Type", "application/yaml")  # RFC 9512
        self.set_header("Cache-Control", "public, max-age=300")
        self.finish(_document().data)

    def compute_etag(self) -> str:
        return _document().etag
