"""What a request's query asks of its answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from shared.errors import BodyError
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NUMBER = re.compile(r"(?=.{1,40}$)([0-9]+[.]?[0-9]*|[.][0-9]+)(e-?[0-9]+)?")
"""What Python's `float` is given of a query: it also takes spaces, underscores and the digits of other scripts."""
_SHOWN = 20
_MAX_FIELDS = 8


def wanted_of(query: Mapping[str, Sequence[bytes]], classes: int) -> Wanted:
    """`?top=` is 1 to `classes`, `?threshold=` is 0 to 1, each at most once. Raises BodyError for what no network here could give."""
    top, threshold = (_only(query, name) for name in ("top", "threshold"))
    return Wanted(Wanted.top if top is None else _top(top, classes), _threshold(threshold))


def wanted_in(question: str, classes: int) -> Wanted:
    """The same of a query that is a text. Raises BodyError."""
    try:
        fields = parse_qs(question, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise BodyError(f"the question cannot be read: {error}") from None
    return wanted_of({name: [value.encode() for value in values] for name, values in fields.items()}, classes)


def _only(query: Mapping[str, Sequence[bytes]], name: str) -> str | None:
    values = query.get(name, ())
    if len(values) > 1:
        raise BodyError(f"{name}= is given more than once", accepted={name: "once"})
    return values[0].decode(errors="replace").strip() if values else None


def _top(text: str, classes: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= classes):
        raise BodyError(
            f"top={text[:_SHOWN]} is not a number of classes", accepted={"top": f"1 to {classes}"}
        )
    return int(text)


def _threshold(text: str | None) -> float | None:
    if text is None:
        return None
    score = float(text) if _NUMBER.fullmatch(text) else -1
    if not 0 <= score <= 1:
        raise BodyError(f"threshold={text[:_SHOWN]} is not a score", accepted={"threshold": "0 to 1"})
    return score
