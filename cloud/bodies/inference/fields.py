"""The fields of an inference request, each checked: a refusal names what was found and what is accepted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from shared.errors import BodyError, LimitError
from shared.limits import MAX_INFERENCE_NAME_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Mapping

DATATYPES = ("FP32", "FP16", "UINT8", "BYTES")
ACCEPTED: dict[str, Any] = {
    "id": "text, optional",
    "parameters": "an object, optional",
    "inputs": [{"name": "text", "shape": ["whole numbers"], "datatype": list(DATATYPES), "data": "numbers"}],
    "outputs": [{"name": "text", "parameters": "an object, optional"}],
}
LARGEST = 1 << 53
"""Numbers above it are no whole numbers in every reader of JSON."""


def list_of(fields: Mapping[str, Any], key: str, most: int) -> list[Any]:
    """A field that is a list of at most `most`; an empty one where it is absent. Raises RequestError."""
    found = fields.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise bad(f'"{key}" is not a list')
    if len(found) > most:
        raise LimitError(f"a request of {len(found)} {key}", accepted={key: f"at most {most}"})
    return found


def object_of(fields: Mapping[str, Any], key: str, of: str) -> dict[str, Any]:
    """A field that is an object; an empty one where it is absent. `of` says in messages what has it. Raises BodyError."""
    found = fields.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise bad(f'"{key}" of {of} is not an object')
    return found


def name_of(fields: Any, what: str) -> str:
    """The name in what describes an input or output, `what`. Raises BodyError."""
    if not isinstance(fields, dict):
        raise bad(f"an {what} is not an object")
    name = fields.get("name")
    if not (isinstance(name, str) and 0 < len(name) <= MAX_INFERENCE_NAME_CHARACTERS):
        raise bad(f"the name of an {what} is {shown(name)}")
    return name


def id_of(found: Any) -> str | None:
    """A request's id, which may be absent. Raises BodyError."""
    if found is None or (isinstance(found, str) and len(found) <= MAX_INFERENCE_NAME_CHARACTERS):
        return found
    raise BodyError(
        f"the request's id is {shown(found)}",
        accepted={"id": f"text of at most {MAX_INFERENCE_NAME_CHARACTERS} characters"},
    )


def flag(parameters: Mapping[str, Any], key: str) -> bool:
    """A parameter that is true or false; false where it is absent. Raises BodyError."""
    found = parameters.get(key, False)
    if not isinstance(found, bool):
        raise BodyError(f"{key} is {shown(found)}", accepted={key: [False, True]})
    return found


def number(parameters: Mapping[str, Any], key: str, default: int, most: int, *, least: int = 0) -> int:
    """A parameter that is a whole number from `least` to `most`. Raises BodyError."""
    found = parameters.get(key, default)
    if key in parameters and not (type(found) is int and least <= found <= most):
        raise BodyError(f"{key} is {shown(found)}", accepted={key: f"a whole number, {least} to {most}"})
    return int(found)


def score(found: Any) -> float | None:
    """A threshold from 0 to 1, which may be absent. Raises BodyError."""
    if found is None:
        return None
    if type(found) not in (int, float) or not 0 <= found <= 1 or not math.isfinite(found):
        raise BodyError(f"threshold is {shown(found)}", accepted={"threshold": "0 to 1"})
    return float(found)


def is_length(value: Any) -> bool:
    """Whether this is the length of a dimension."""
    return type(value) is int and 0 < value < LARGEST


def shown(value: Any) -> str:
    """A value of a request in a message: never all of a long one."""
    text = repr(value) if isinstance(value, str | int | float | bool | None) else type(value).__name__
    return text if len(text) <= 60 else f"{text[:60]}…"


def bad(text: str) -> BodyError:
    """The refusal of a request that is none."""
    return BodyError(text, accepted=ACCEPTED)
