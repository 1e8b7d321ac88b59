"""How a picture becomes the network's input."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.errors import SettingsError
from shared.limits import MAX_PICTURE_PIXELS
from shared.network.recipes.compiled import looked_up
from shared.network.recipes.placement import cropped, letterboxed, stretched
from shared.network.recipes.values import check_number, check_size, check_triple, check_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from shared.network.recipes.placement import Placement
    from shared.network.recipes.values import Triple

INTERPOLATIONS = ("bilinear", "bicubic", "nearest", "lanczos", "box")
FITS = ("crop", "stretch", "letterbox")
CHANNELS = ("RGB", "BGR", "GRAY")
_CHOICES = {"interpolation": INTERPOLATIONS, "fit": FITS, "channels": CHANNELS}


@dataclass(frozen=True)
class Recipe:
    """The recipe that a network was trained with.

    First the 8-bit picture is brought to `width` and `height` as `fit` says (shared/network/recipes/resize.py, on both sides); then
    come (v / scale - mean) / std for each of the network's channels. What travels at the split point `input` is the picture
    between the two, or the camera's own, which the cloud then resizes: both RGB, whatever `channels` is.

    Raises ValueError or TypeError, one line, for values that make no sense.
    """

    width: int
    height: int
    mean: Triple
    """In the network's order of channels. A network of one channel (GRAY) uses the first."""
    std: Triple
    interpolation: str = "bilinear"
    """`bilinear`, `bicubic`, `nearest`, `lanczos` or `box`; with antialiasing, as Pillow does it."""
    fit: str = "crop"
    """`crop`: the shorter side to `resize`, then the middle. `stretch`. `letterbox`: all of it, padded to the size."""
    resize: int = 0
    """Only for `crop`. For a size that is not square, it is the shorter side of a box of the same aspect that the picture covers
    before its middle is taken. 0: the shorter of width and height."""
    scale: float = 255.0
    channels: str = "RGB"
    """`RGB`, `BGR`, or `GRAY` for a network of one channel, which is given the luma."""
    pad: int = 114
    """Only for `letterbox`: the grey of the padding. `crop` pads with black, if its `resize` is less than the size."""

    def __post_init__(self) -> None:
        for name, accepted in _CHOICES.items():
            if (found := getattr(self, name)) not in accepted:
                raise ValueError(f"{name} {found!r}; accepted: {', '.join(accepted)}")
        check_size(self.width, self.height)
        for name in ("mean", "std"):
            object.__setattr__(self, name, check_triple(name, getattr(self, name)))
        object.__setattr__(self, "scale", check_number("scale", self.scale))
        if not all(self.std) or self.scale <= 0:
            raise ValueError(
                f"std {self.std} and scale {self.scale}; no std may be 0, and the scale is above 0"
            )
        if self.fit != "crop" and self.resize != 0:
            raise ValueError(f"resize {self.resize} with fit {self.fit}; only fit crop has a resize")
        resize = check_whole("resize", self.resize, 0, math.isqrt(MAX_PICTURE_PIXELS))
        if self.fit == "crop" and not resize:
            object.__setattr__(self, "resize", min(self.width, self.height))
        check_whole("pad", self.pad, 0, 255)

    @classmethod
    def from_fields(cls, given: Mapping[str, Any]) -> Recipe:
        """The recipe that `fields()` described: all its keys and no others. Raises ValueError or TypeError."""
        accepted = [field.name for field in fields(cls)]
        if set(given) != set(accepted):
            raise ValueError(f"it has the keys {', '.join(sorted(given))}; accepted: {', '.join(accepted)}")
        return cls(**given)

    def fields(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_public(cls, given: Mapping[str, Any]) -> Recipe:
        """The recipe that `public()` described, or that clouds before recipes were settings did. Raises as `from_fields`, or KeyError."""
        if "width" not in given:
            side = given["crop"]
            given = {key: given[key] for key in ("mean", "std", "interpolation", "resize")}
            return cls(side, side, **given)
        return cls.from_fields({key: value for key, value in given.items() if key != "crop"})

    def public(self) -> dict[str, Any]:
        """What `GET /model` says. Clients that know only torchvision's presets find their keys if this recipe is one."""
        return {**self.fields(), "crop": self.width} if self.is_preset else self.fields()

    @property
    def is_preset(self) -> bool:
        """Whether torchvision's `ImageClassification` preset can say this recipe."""
        return (self.fit, self.width, self.channels, self.scale) == ("crop", self.height, "RGB", 255)

    def canonical(self) -> str:
        """What the fingerprint hashes of a recipe. This text must never change: both sides compare the hashes."""
        if self.is_preset:
            return (
                f"Preprocessing(resize={self.resize!r}, crop={self.width!r}, mean={self.mean!r}, std={self.std!r}, "
                f"interpolation={self.interpolation!r})"
            )
        counts = self.fields()
        if self.fit != "crop":
            del counts["resize"]
        if self.fit != "letterbox":
            del counts["pad"]
        return f"Recipe({', '.join(f'{name}={value!r}' for name, value in sorted(counts.items()))})"

    def describe(self) -> str:
        """One line for logs."""
        covered = "x".join(
            str(round(self.resize * side / min(self.width, self.height)))
            for side in (self.width, self.height)
        )
        fit = {
            "crop": f"shorter side to {self.resize} and the middle of it"
            if self.width == self.height
            else f"scaled until it covers {covered} and the middle of it",
            "stretch": "stretched",
            "letterbox": f"letterbox with grey {self.pad}",
        }[self.fit]
        mean, std = (":".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        return (
            f"{self.width}x{self.height} {self.channels}, {fit} ({self.interpolation}), "
            f"(value / {self.scale:g} - {mean}) / {std}"
        )

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """(height, width, 3): a picture of the network's size, uint8 RGB."""
        return (self.height, self.width, 3)

    @property
    def tensor_shape(self) -> tuple[int, int, int]:
        """(3, height, width), or (1, height, width) for GRAY: the network's input, float32, without the batch dimension."""
        return (1 if self.channels == "GRAY" else 3, self.height, self.width)

    def placement(self, height: int, width: int) -> Placement:
        """Where a camera's picture of this size comes to lie in the network's input."""
        source, window = (height, width), (self.height, self.width)
        if self.fit == "crop":
            return cropped(source, window, self.resize)
        return (stretched if self.fit == "stretch" else letterboxed)(source, window)

    def to_source(self, boxes: NDArray[np.floating], source: tuple[int, int]) -> NDArray[np.float64]:
        """(n, 4) corners x0, y0, x1, y1 in the network's input -> the same in the camera's picture, `source` (height, width)."""
        return self.placement(*source).to_source(boxes)

    @cached_property
    def _table(self) -> NDArray[np.float32]:  # (3, 256): every value of a channel, normalised
        values = np.arange(256, dtype=np.float32) / np.float32(self.scale)
        mean = np.array(self.mean, dtype=np.float32)[:, None]
        std = np.array(self.std, dtype=np.float32)[:, None]
        return np.ascontiguousarray((values[None, :] - mean) / std)

    def normalise(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) uint8 RGB -> (3, H, W) or, for GRAY, (1, H, W) float32: bit for bit the result of torchvision's `normalize`."""
        if self.channels == "GRAY":
            return looked_up(luma(picture)[:, :, None], self._table, (0,))
        return looked_up(picture, self._table, (0, 1, 2) if self.channels == "RGB" else (2, 1, 0))


def luma(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB -> (H, W) uint8, by ITU-R BT.601, rounded as Pillow rounds its mode `L`."""
    weighted = picture @ np.array([19595, 38470, 7471], dtype=np.uint32)
    return ((weighted + 0x8000) >> 16).astype(np.uint8)


def parse_recipe(text: str, base: Recipe) -> Recipe:
    """`base` with the changes in `text`: `size=320x240,fit=letterbox,mean=0:0:0,std=1:1:1,scale=255,channels=BGR,pad=114`.

    Sizes are width x height; one number stands for three equal ones, or for a square. With another size and fit crop, `resize`
    changes in proportion unless it is given. Raises SettingsError, one line.
    """
    changes: dict[str, Any] = {}
    for item in text.split(","):
        name, _, value = (part.strip() for part in item.partition("="))
        if name not in _KEYS or name in changes:
            raise SettingsError(
                f"recipe {text!r}: {item!r}; accepted, each once: {', '.join(map('{}=…'.format, _KEYS))}"
            )
        try:
            changes[name] = _KEYS[name](value)
        except ValueError:
            raise SettingsError(f"recipe {text!r}: {item!r}; accepted: {_EXAMPLES[name]}") from None
    if "size" in changes:
        changes["width"], changes["height"] = changes.pop("size")
    fit = changes.get("fit", base.fit)
    width, height = changes.get("width", base.width), changes.get("height", base.height)
    in_proportion = 0
    if fit == base.fit == "crop":
        in_proportion = round(base.resize * min(width, height) / min(base.width, base.height))
    changes.setdefault("resize", in_proportion)
    try:
        return replace(base, **changes)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"recipe {text!r}: {error}") from None


def _sides(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    return int(width), int(height or width)


def _numbers(text: str) -> tuple[float, ...]:
    values = tuple(map(float, text.split(":")))
    return values if len(values) != 1 else values * 3


_KEYS: dict[str, Callable[[str], Any]] = {
    "size": _sides,
    "fit": str,
    "resize": int,
    "pad": int,
    "interpolation": str,
    "channels": str.upper,
    "scale": float,
    "mean": _numbers,
    "std": _numbers,
}
_EXAMPLES = {
    "size": "size=320x240 (width x height) or size=224",
    "resize": "resize=256",
    "pad": "pad=114",
    "scale": "scale=255",
    "mean": "mean=0.485:0.456:0.406 or mean=0",
    "std": "std=0.229:0.224:0.225 or std=1",
}
