"""Names of a network's classes, in the kinds of files that people have."""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import ModelError
from shared.limits import MAX_LABEL_CHARACTERS, MAX_LABELS, MAX_LABELS_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ACCEPTED = (
    "one name a line, all or none of them numbered from 0 or 1; a JSON list of names, or a JSON map of ids and names; "
    "a label_map of items with id and name"
)
_NUMBERED = re.compile(r"(\d+)(?:\s*[:;,=)]\s*|\.\s+|\s+-\s+|\s+)(\S.*)")
"""`0: cat`, `9,thing j`, `1 dog`, `2. fox`, `3 - hen`; but not `7up` or `3d printer`."""
_NUMBERED_BEHIND = re.compile(r"(.*\S)\s*[;,=\t]\s*(\d+)")
"""`thing j,9`; but not `class 9`."""
_MARKED = re.compile(r"\d+\s*[:;,=\t]")
_ITEM = re.compile(r"item\s*\{([^{}]*)\}")
_ITEM_ID = re.compile(r"\bid\s*:\s*(\d+)")
_ITEM_NAMES = (
    re.compile(r"""\bdisplay_name\s*:\s*(["'])(.*?)\1"""),
    re.compile(r"""\bname\s*:\s*(["'])(.*?)\1"""),
)
_KEYS = ("id2label", "label2id", "labels", "names", "classes", "categories")
"""Under which a JSON file that holds more than the names has them."""

Numbered = list[tuple[int, str]]


def read_labels(path: str | Path, classes: int | None = None) -> tuple[str, ...]:
    """The names in the file at `path`, in the order of the classes: `classes` of them, or any number if that is None.

    Numbers decide the order if there are any; they are 0 … n-1 or 1 … n. Blank lines do not count. Raises ModelError, one line.
    """
    try:
        return _checked(_names(_text(_content(Path(path)))), classes)
    except OSError as error:
        raise ModelError(f"labels {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"labels {path}: {error}; accepted: {ACCEPTED}") from None


def parse_labels(data: bytes) -> tuple[str, ...]:
    """The names in a file of labels with this content. Raises ValueError or RecursionError."""
    return _checked(_names(_text(data)), None)


def _content(path: Path) -> bytes:
    """Raises ValueError or OSError."""
    if path.exists() and not path.is_file():
        raise ValueError("it is no file")
    with path.open("rb") as file:
        return file.read(MAX_LABELS_BYTES + 1)


def _text(data: bytes) -> str:
    """Raises ValueError."""
    if len(data) > MAX_LABELS_BYTES:
        raise ValueError(f"it is longer than {MAX_LABELS_BYTES} bytes")
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"it is not UTF-8, nor UTF-16 with a byte order mark (byte {error.start}: {error.reason})"
        ) from None
    if "\0" in text:
        raise ValueError("it is not text, or UTF-16 without a byte order mark")
    return text.strip()


def _names(text: str) -> list[str]:
    """Raises ValueError or RecursionError."""
    if text[:1] + text[-1:] in ("[]", "{}"):
        try:
            found = json.loads(text)
        except ValueError as error:
            raise ValueError(f"it begins and ends like JSON, and is not ({error})") from None
        return _from_json(found)
    items = _ITEM.findall(text)
    if items and not _ITEM.sub("", text).strip():
        return _in_order([_item(item) for item in items])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    numbered = [match for line in lines if (match := _NUMBERED.fullmatch(line))]
    if len(numbered) == len(lines):
        pairs = [(_id(match[1]), _unquoted(match[2])) for match in numbered]
        numbers = [number for number, _ in pairs]
        mixed_up = numbers != sorted(numbers) and len(set(numbers)) == len(numbers)
        if _first(pairs) is not None or (mixed_up and all(map(_MARKED.match, lines))):
            return _in_order(pairs)
    behind = [match for line in lines if (match := _NUMBERED_BEHIND.fullmatch(line))]
    if len(behind) == len(lines):
        pairs = [(_id(match[2]), _unquoted(match[1])) for match in behind]
        if _first(pairs) is not None:
            return _in_order(pairs)
    return lines


def _item(text: str) -> tuple[int, str]:
    """The id and name of one item of a label_map."""
    number = _ITEM_ID.search(text)
    names = [match[2] for pattern in _ITEM_NAMES if (match := pattern.search(text))]
    if number is None or not names:
        raise ValueError(f"an item without an id or a name: {' '.join(text.split())[:80]!r}")
    return _id(number[1]), names[0]


def _from_json(found: Any) -> list[str]:
    """A list of names, a map of ids to names or of names to ids, or one of these under a known key."""
    if isinstance(found, dict):
        inner = next((found[key] for key in _KEYS if isinstance(found.get(key), dict | list)), None)
        if inner is not None:
            return _from_json(inner)
        if all(type(value) is int for value in found.values()):
            return _in_order([(number, name) for name, number in found.items()])
        return _in_order([(_id(key), _name(value)) for key, value in found.items()])
    if found and all(isinstance(each, dict) and {"id", "name"} <= each.keys() for each in found):
        return _in_order([(_id(each["id"]), _name(each["name"])) for each in found])  # COCO's categories
    return [_name(each) for each in found]


def _name(value: Any) -> str:
    """A name; of several texts, the last, as lists of ImageNet's classes have the synset's number first."""
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        value = value[-1]
    if not isinstance(value, str):
        raise ValueError(f"{json.dumps(value)[:80]} where a name is expected")  # noqa: TRY004 - one kind of error for all content
    return value


def _id(value: Any) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{text[:80]!r} where a class's number is expected")
    return int(text)


def _unquoted(name: str) -> str:
    quoted = len(name) > 2 and name[0] == name[-1] == '"'
    return name[1:-1].replace('""', '"') if quoted else name


def _first(pairs: Numbered) -> int | None:
    """The number that `pairs` begin with if they go from 0 or 1 without a gap, in any order; else None."""
    numbers = sorted(number for number, _ in pairs)
    first = numbers[0] if numbers else 0
    return first if first in (0, 1) and numbers == list(range(first, first + len(pairs))) else None


def _in_order(pairs: Numbered) -> list[str]:
    if pairs and _first(pairs) is None:
        numbers = {number for number, _ in pairs}
        twice = len(pairs) - len(numbers)
        raise ValueError(
            f"its {len(pairs)} numbers go from {min(numbers)} to {max(numbers)}"
            + (
                f" and {twice} of them occur again"
                if twice
                else ", with gaps or from another number than 0 or 1"
            )
        )
    return [name for _, name in sorted(pairs)]


def _checked(names: Iterable[str], classes: int | None) -> tuple[str, ...]:
    labels = tuple(" ".join(name.split()) for name in names)
    if not labels or len(labels) > MAX_LABELS:
        raise ValueError(f"it has {len(labels) or 'no'} names, and a network has 1 to {MAX_LABELS} classes")
    for number, label in enumerate(labels):
        if (
            not label
            or len(label) > MAX_LABEL_CHARACTERS
            or any("\ud800" <= each <= "\udfff" for each in label)
        ):
            raise ValueError(
                f"the name of class {number} is empty, longer than {MAX_LABEL_CHARACTERS} characters or no text"
            )
    if classes is not None and len(labels) != classes:
        raise ValueError(f"it has {len(labels)} names, and the network has {classes} classes")
    return labels


def labels_sha256(labels: Sequence[str]) -> str:
    """SHA-256 of the labels as a JSON list without spaces, in UTF-8, as hexadecimal digits: edge and cloud compare them by it."""
    text = json.dumps(list(labels), separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
