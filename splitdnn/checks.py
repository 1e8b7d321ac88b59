"""Checks that what a program gives is what a function takes. No torch, so that a client needs none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.errors import SettingsError, ShapeError
from shared.wire.http import require_proxy

if TYPE_CHECKING:
    from numpy.typing import NDArray


def contiguous_picture(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """The picture in C order, copied if it is a view such as `bgr[:, :, ::-1]`. Raises ShapeError unless (H, W, 3) uint8."""
    picture_like = isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.ndim == 3
    if not picture_like or picture.shape[2] != 3 or not picture.size:
        raise ShapeError(
            f"a picture is an array (H, W, 3) uint8 RGB, not {_what(picture)}",
            accepted={"shape": ["H", "W", 3], "dtype": "uint8"},
        )
    return np.ascontiguousarray(picture)


def check_tensor(what: str, tensor: NDArray[Any], shape: tuple[int, ...], *, one: bool = False) -> None:
    """Raise ShapeError unless this is a float32 tensor (B, *shape), or (1, *shape) where only `one` is taken."""
    batch = 1 if one else "B"
    fits = isinstance(tensor, np.ndarray) and tensor.dtype == np.float32 and tensor.shape[1:] == shape
    if not fits or len(tensor) < 1 or (one and len(tensor) > 1):
        wanted = ", ".join(map(str, (batch, *shape)))
        raise ShapeError(
            f"{what} takes ({wanted}) float32, not {_what(tensor)}",
            accepted={"shape": [batch, *shape], "dtype": "float32"},
        )


def check_tensors(what: str, tensors: Any, shapes: tuple[tuple[int, ...], ...], *, one: bool = False) -> None:
    """Raise ShapeError unless this is a tuple of float32 tensors, one for each of `shapes`, as `check_tensor` takes them."""
    if not isinstance(tensors, tuple) or len(tensors) != len(shapes):
        wanted = f"a tuple of {len(shapes)} array{'' if len(shapes) == 1 else 's'}"
        found = f"a tuple of {len(tensors)}" if isinstance(tensors, tuple) else _what(tensors)
        raise ShapeError(f"{what} takes {wanted}, not {found}", accepted={"arrays": len(shapes)})
    for tensor, shape in zip(tensors, shapes, strict=True):
        check_tensor(what, tensor, shape, one=one)


def check_threshold(threshold: float | None) -> float | None:
    """The threshold. Raises SettingsError unless it is a score or None."""
    if threshold is not None and not (isinstance(threshold, int | float) and 0 <= threshold <= 1):
        raise SettingsError(f"threshold={threshold!r}; accepted: 0 to 1, or None for the network's own")
    return threshold


def _what(given: Any) -> str:
    return f"{given.shape} {given.dtype}" if isinstance(given, np.ndarray) else type(given).__name__


def checked_proxy(url: str | None) -> str | None:
    """The URL of a proxy, or None. Raises SettingsError."""
    try:
        return None if url is None else require_proxy(url)
    except ValueError as error:
        raise SettingsError(f"proxy: {error}") from None
