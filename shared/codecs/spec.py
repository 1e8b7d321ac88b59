"""`name:key=value,key=value`: how codecs and synthetic sources are written in flags and variables."""

from __future__ import annotations

from shared.errors import SettingsError


def parse_spec(text: str) -> tuple[str, dict[str, str]]:
    """`"jpeg:quality=90"` -> `("jpeg", {"quality": "90"})`. Raises SettingsError on anything else."""
    name, _, rest = text.partition(":")
    options: dict[str, str] = {}
    for item in filter(None, rest.split(",")):
        key, equals, value = item.partition("=")
        if not equals or not key or not value or key in options:
            raise SettingsError(
                f"{text!r}: options are written name:key=value,key=value; cannot read {item!r}"
            )
        options[key] = value
    return name, options


def take_number(options: dict[str, str], key: str, default: float, low: float, high: float) -> float:
    """Remove `key` from `options` and return it as a number within [low, high]. Raises SettingsError."""
    text = options.pop(key, None)
    if text is None:
        return float(default)
    try:
        value = float(text)
    except ValueError:
        raise SettingsError(f"{key}={text}: not a number; accepted: {low:g} to {high:g}") from None
    if not low <= value <= high:
        raise SettingsError(f"{key}={text}: out of range; accepted: {low:g} to {high:g}")
    return value


def take_whole(options: dict[str, str], key: str, default: int, low: int, high: int) -> int:
    """Like take_number, for whole numbers only."""
    value = take_number(options, key, default, low, high)
    if not value.is_integer():
        raise SettingsError(f"{key}={value:g}: not a whole number; accepted: {low} to {high}")
    return int(value)


def refuse_rest(name: str, options: dict[str, str], known: list[str]) -> None:
    """Raise SettingsError if there are options left, which `name` does not have."""
    if options:
        accepted = ", ".join(known) if known else "none"
        raise SettingsError(f"{name} has no option {', '.join(sorted(options))}; accepted: {accepted}")
