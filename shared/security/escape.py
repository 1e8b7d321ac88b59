r"""Text from the network, made fit for a terminal, a log or a record.

What is dangerous there are characters that act and are not seen: an escape sequence clears the screen, a line's end forges the next
line, a mark for the direction of writing shows text in another order than it is in. The last line of defence is where text is
put out (`escaped`, `escaped_json`), whoever it came from; where a peer is quoted, `shown` makes it short as well.
"""

from __future__ import annotations

import json
import re
from reprlib import Repr
from typing import Any

_MAX_SHOWN = 300
_UNSEEN = (
    r"\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    r"\xad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
)
"""DEL and the control characters of ISO 6429's second set, which begin sequences too; line ends of Unicode; the marks, embeddings,
overrides and isolates of its bidirectional algorithm; and characters without any width, in which a text can hide another. The joiners
of Persian words and of emoji, U+200C and U+200D, stay."""
_UNFIT = re.compile(rf"[\x00-\x08\x0a-\x1f{_UNSEEN}\ud800-\udfff]")
_UNFIT_IN_JSON = re.compile(f"[{_UNSEEN}]")
_DELETE = "\x7f"
_BEGINNING = Repr()


def shown(value: object, most: int = _MAX_SHOWN) -> str:
    """What a peer said, within a message: at most so many characters, with `?` in the place of those that cannot be printed.

    Of a list or an object, its beginning: the whole of it may take long to write, and be too deep for that.
    """
    text = (_BEGINNING.repr(value) if isinstance(value, list | dict) else str(value))[:most]
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)


def escaped(text: str) -> str:
    r"""One line: characters that act are written as Python writes them, `\x1b[2J`. Tabs stay."""
    if text.isprintable():
        return text
    return _UNFIT.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), text)


def escaped_lines(text: str) -> str:
    """Several lines, each as `escaped` writes it; ends of lines stay, so the caller has to make lines that cannot be taken for others."""
    return "\n".join(map(escaped, text.split("\n")))


def escaped_json(text: str) -> str:
    """JSON on one line with escapes for what JSON leaves as it is and a terminal or a reader of lines does not. It means the same."""
    if text.isascii() and _DELETE not in text:
        return text
    return _UNFIT_IN_JSON.sub(_json_escape, text)


def _json_escape(found: re.Match[str]) -> str:
    return json.dumps(found.group())[1:-1]


def refuse_constant(name: str) -> Any:
    """For `json.loads(…, parse_constant=…)`: NaN and infinities are no JSON (RFC 8259). Raises ValueError."""
    raise ValueError(f"{name} is no JSON")
