"""Codecs of other packages, and entry points that name them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs import Codec, Encoded, registry
from shared.codecs.registry import Plugins

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from shared.wire import frame as wire


class Halves(Codec):
    """A codec of another package: half the values, in a parameter how many there are."""

    id = 200
    name = "halves"

    def __init__(self, keep: int = 2) -> None:
        self._keep = keep

    def options(self) -> dict[str, int]:
        return {"keep": self._keep}

    def ranges(self) -> dict[str, tuple[int, int]]:
        return {"keep": (1, 9)}

    def with_options(self, **options: int) -> Codec:
        return Halves(**options)

    def encode(self, array: np.ndarray) -> Encoded:
        return Encoded(bytes([self._keep]), array.ravel()[:: self._keep].tobytes())

    def decode(self, params: bytes, payload: wire.Bytes, shape: tuple[int, ...]) -> np.ndarray:
        values = np.repeat(np.frombuffer(payload, np.float32), params[0])
        return values[: np.prod(shape)].reshape(shape)


class Inverted(Codec):
    """One for pictures."""

    id = 255
    name = "inverted"
    carries = "picture"

    def encode(self, array: np.ndarray) -> Encoded:
        return Encoded(b"", (255 - array).tobytes())

    def decode(self, params: bytes, payload: wire.Bytes, shape: tuple[int, ...]) -> np.ndarray:
        return 255 - np.frombuffer(payload, np.uint8).reshape(shape)


@dataclass
class Package:
    """The version of a distribution."""

    name: str = "halves-codec"
    version: str = "1.2"


@dataclass
class Entry:
    """An entry point whose package gives this, or does this when it is imported."""

    name: str
    gives: Any = None
    does: Callable[[], object] | None = None
    dist: Package | None = None

    @property
    def value(self) -> str:
        return f"{self.name}_codec:Codec"

    def load(self) -> Any:
        return self.does() if self.does else self.gives


def variant(**attributes: Any) -> type[Codec]:
    return type("Variant", (Halves,), attributes)


def install(monkeypatch: pytest.MonkeyPatch, *entries: Entry) -> Plugins:
    plugins = Plugins(lambda: entries)
    monkeypatch.setattr(registry, "_plugins", plugins)
    return plugins


def raising(error: BaseException) -> Callable[..., Any]:
    """A function that raises this, whatever it is given."""

    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail
