"""Files of class names as people have them."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
from kits.naming import naming

from shared.errors import ModelError
from shared.limits import MAX_LABEL_CHARACTERS, MAX_LABELS, MAX_LABELS_BYTES
from shared.network.labels import read_labels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = tuple(f"thing {letter}" for letter in "abcdefghijkl")
PLAIN = "\n".join(NAMES)
SHUFFLED = random.Random(0).sample(list(enumerate(NAMES)), len(NAMES))
ITEMS = "\n".join(f"item {{\n  id: {i + 1}\n  name: '{name}'\n}}" for i, name in SHUFFLED)


def read(folder: Path, content: str | bytes, classes: int | None = None) -> tuple[str, ...]:
    path = folder / "labels.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_labels(path, classes)


def lines(form: str, first: int = 0) -> str:
    return "\n".join(form.format(number + first, name) for number, name in SHUFFLED)


def refusal(what: Callable[[], object]) -> str:
    with pytest.raises(ModelError) as caught:
        what()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_names_one_a_line_in_the_encodings_of_editors(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        for text in (
            PLAIN,
            PLAIN + "\n",
            PLAIN.replace("\n", "\r\n"),
            "\n\n" + PLAIN.replace("\n", " \n\n\t"),
        ):
            with naming(encoding, text):
                assert read(tmp_path, text.encode(encoding), len(NAMES)) == NAMES
                assert read(tmp_path, text.encode(encoding)) == NAMES
    big_endian = b"\xfe\xff" + PLAIN.encode("utf-16-be")
    assert read(tmp_path, big_endian) == NAMES
    assert read(tmp_path, "Müsli\n猫") == ("Müsli", "猫")


def test_numbered_lines_in_any_order(tmp_path: Path) -> None:
    for form in ("{0}: {1}", "{0},{1}", "{0} {1}", "{0}\t{1}", "{0};{1}", "{0} = {1}", "{0}) {1}", "{0}. {1}", "{0} - {1}", '{0},"{1}"'):  # fmt: skip
        for first in (0, 1):
            with naming(form, first):
                assert read(tmp_path, lines(form, first), len(NAMES)) == NAMES
    assert read(tmp_path, "1 dog") == ("dog",)
    assert read(tmp_path, '1,"a ""b"", c"\n0,d') == ("d", 'a "b", c')


def test_numbers_behind_the_names(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    for mark in (",", ";", "\t", " = "):
        for first in (0, 1):
            path.write_text(
                "".join(f'"{name}"{mark}{number + first}\n' for number, name in reversed([*enumerate("abc")]))
            )
            assert read_labels(path) == ("a", "b", "c"), (mark, first)
    path.write_text("class 2\nclass 1\nclass 0\n")
    assert read_labels(path) == ("class 2", "class 1", "class 0"), "these are names"


def test_numbers_that_are_mixed_up_and_have_gaps_are_refused(tmp_path: Path) -> None:
    """Neither their order nor that of the lines is the classes'."""
    path = tmp_path / "labels.txt"
    path.write_text("9: c\n0: a\n4: b\n")
    with pytest.raises(ModelError, match="its 3 numbers go from 0 to 9, with gaps"):
        read_labels(path)


def test_names_that_begin_with_digits_stay(tmp_path: Path) -> None:
    for names in (
        ("7up", "3d printer", "0day"),
        ("0 cat", "dog"),
        ("0 cat", "2 dog"),
        ("1 cat", "1 dog"),
        ("2 cat", "3 dog"),
        ("0", "1", "2"),
        ("4x4 car", "1.5 litre bottle"),
        ("n01440764 tench, Tinca tinca", "n01443537 goldfish"),
    ):
        with naming(names):
            assert read(tmp_path, "\n".join(names)) == names


def test_json_as_it_lies_about(tmp_path: Path) -> None:
    by_id = dict(SHUFFLED)
    by_name = {name: number for number, name in SHUFFLED}
    for found in (
        list(NAMES),
        by_id,
        {number + 1: name for number, name in SHUFFLED},
        by_name,
        {name: number + 1 for name, number in by_name.items()},
        {"id2label": by_id, "label2id": by_name, "hidden": [3]},
        {"label2id": by_name},
        {"names": list(NAMES), "nc": len(NAMES)},
        {"categories": [{"id": i + 1, "name": name, "supercategory": "x"} for i, name in SHUFFLED]},
        {number: [f"n{number:08}", name] for number, name in SHUFFLED},
    ):
        for indent in (None, 2):
            with naming(found, indent):
                data = json.dumps(found, indent=indent).encode("utf-8-sig")
                assert read(tmp_path, data, len(NAMES)) == NAMES


def test_a_label_map(tmp_path: Path) -> None:
    assert read(tmp_path, ITEMS, len(NAMES)) == NAMES
    both = 'item { name: "/m/01g317" id: 1 display_name: "person\'s" }\n'
    assert read(tmp_path, both) == ("person's",)
    assert read(tmp_path, "item {\nid: 1\n") == ("item {", "id: 1")


def test_classes_may_share_a_name_and_hold_no_line_breaks(tmp_path: Path) -> None:
    assert read(tmp_path, "crane\ncrane") == ("crane", "crane")
    assert read(tmp_path, json.dumps(["a\nb", " c\td "])) == ("a b", "c d")


def test_another_number_of_names_is_refused_with_both_numbers(tmp_path: Path) -> None:
    for content in (PLAIN, lines("{}: {}"), json.dumps(NAMES), json.dumps(dict(SHUFFLED)), ITEMS):
        with naming(content):
            message = refusal(lambda content=content: read(tmp_path, content, 10))
            assert "it has 12 names, and the network has 10 classes; accepted: one name a line" in message


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    for content, hint in (
        ("", "it has no names"),
        (" \n\n", "it has no names"),
        ("[]", "it has no names"),
        ("{}", "it has no names"),
        ("caf\xe9".encode("latin-1"), "it is not UTF-8, nor UTF-16 with a byte order mark (byte 3"),
        (PLAIN.encode("utf-16-le"), "it is not text, or UTF-16 without a byte order mark"),
        ("[1, 2]", "1 where a name is expected"),
        ('["a", null]', "null where a name is expected"),
        ('["a", ""]', "the name of class 1 is empty"),
        ('["\\ud800"]', "the name of class 0 is empty"),
        ('["a",]', "it begins and ends like JSON, and is not ("),
        ('{"0": "a", "2": "b"}', "its 2 numbers go from 0 to 2, with gaps"),
        ('{"a": 0, "b": 0}', "its 2 numbers go from 0 to 0 and 1 of them occur again"),
        ('{"a": "b"}', "'a' where a class's number is expected"),
        ('{"0": {"a": 1}}', '{"a": 1} where a name is expected'),
        ('{"-1": "a"}', "'-1' where a class's number is expected"),
        ('[{"id": true, "name": "a"}]', "'True' where a class's number is expected"),
        ("[" * 100_000 + "]" * 100_000, "recursion"),
        ("item { id: 1 }", "an item without an id or a name: 'id: 1'"),
        ("a" * (MAX_LABEL_CHARACTERS + 1), f"longer than {MAX_LABEL_CHARACTERS} characters"),
        ("a\n" * (MAX_LABELS + 1), f"it has {MAX_LABELS + 1} names, and a network has 1 to {MAX_LABELS}"),
        (b"a" * (MAX_LABELS_BYTES + 1), f"it is longer than {MAX_LABELS_BYTES} bytes"),
    ):
        with naming(content[:60]):
            message = refusal(lambda content=content: read(tmp_path, content))
            assert message.startswith(f"labels {tmp_path / 'labels.txt'}: ")
            assert hint in message
            assert "; accepted: one name a line" in message
            assert len(message) < 700


def test_a_file_that_is_not_there_or_no_file_is_named(tmp_path: Path) -> None:
    assert refusal(lambda: read_labels(tmp_path / "none.txt")).endswith("none.txt: No such file or directory")
    assert "it is no file" in refusal(lambda: read_labels(tmp_path))
