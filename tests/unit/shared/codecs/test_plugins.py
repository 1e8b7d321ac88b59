"""Codecs of other packages: what is loaded, and what a broken package costs."""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import Any

import numpy as np
import pytest
from kits.plugins import Entry, Halves, Inverted, Package, install, raising, variant

from shared.codecs import (
    Codec,
    Encoded,
    codec_of,
    decode_frame,
    encode_frame,
    known_codecs,
    make_codec,
    registry,
)
from shared.codecs.registry import Plugins
from shared.errors import SettingsError
from shared.wire import frame as wire

FIELDS = {"split_point": "layer1", "fingerprint": bytes(8), "frame_id": 1}
ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)
PICTURE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    return install(monkeypatch, Entry("halves", Halves, dist=Package()), Entry("inverted", Inverted()))


def there_and_back(codec: Codec, array: np.ndarray) -> np.ndarray:
    (found,) = decode_frame(wire.unpack(wire.pack(encode_frame([array], codec, **FIELDS))))
    return found


# --- what is loaded ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [Halves, Halves(), partial(Halves)], ids=["class", "object", "function"])
def test_an_entry_point_gives_a_class_an_object_or_a_function(given: Any, monkeypatch: Any) -> None:
    install(monkeypatch, Entry("anything", given))
    assert list(known_codecs())[-1] == "halves"
    np.testing.assert_array_equal(there_and_back(make_codec("halves"), ARRAY), [[0, 0, 2], [2, 4, 4]])


def test_a_frame_of_a_picture_codec_comes_back(installed: Plugins) -> None:
    np.testing.assert_array_equal(there_and_back(make_codec("inverted"), PICTURE), PICTURE)


def test_entry_points_are_read_once_and_only_for_what_is_not_built_in(monkeypatch: Any) -> None:
    asked = []
    monkeypatch.setattr(registry, "_plugins", Plugins(lambda: asked.append(1) or [Entry("halves", Halves)]))
    codec_of(encode_frame([ARRAY], make_codec("int8+zstd"), **FIELDS).tensors[0])
    assert not asked
    for _ in range(3):
        make_codec("halves")
        known_codecs()
    assert asked == [1]


def test_the_group_is_read_from_the_installed_packages(monkeypatch: Any) -> None:
    asked = []
    monkeypatch.setattr(registry.metadata, "entry_points", lambda **group: asked.append(group) or [])
    monkeypatch.setattr(registry, "_plugins", Plugins(registry._plugins._plugins._entry_points))
    assert list(known_codecs()) == list(registry.NAMES)
    assert asked == [{"group": "splitdnn.codecs"}]


def test_options_are_taken_and_travel_with_the_frame(installed: Plugins) -> None:
    codec = make_codec("halves:keep=3")
    assert codec.options() == {"keep": 3}
    np.testing.assert_array_equal(there_and_back(codec, ARRAY), [[0, 0, 0], [3, 3, 3]])
    with pytest.raises(SettingsError, match="keep=10: out of range; accepted: 1 to 9"):
        make_codec("halves:keep=10")


def test_a_codec_is_known_by_its_packages_version(installed: Plugins) -> None:
    """What was measured of one version says nothing about another."""
    assert make_codec("halves:keep=3").revision == "halves-codec 1.2"
    assert make_codec("inverted").revision == "inverted_codec:Codec"


def test_a_codec_with_memory_starts_anew_for_each_stream(monkeypatch: Any) -> None:
    class Counting(Halves):
        def __init__(self) -> None:
            super().__init__()
            self.encoded = 0

        def with_options(self, **options: int) -> Codec:
            return Counting()

        def for_stream(self) -> Codec:
            return Counting()

        def encode(self, array: np.ndarray) -> Encoded:
            self.encoded += 1
            return Encoded(bytes([self.encoded]), b"")

    install(monkeypatch, Entry("halves", Counting))
    streams = [make_codec("halves").for_stream() for _ in range(2)]
    counts = [[stream.encode(ARRAY).params[-1] for _ in range(3)] for stream in streams]
    assert counts == [[1, 2, 3], [1, 2, 3]]
    assert {stream.name for stream in streams} == {"halves"}


def test_a_codec_without_memory_is_its_own_stream(installed: Plugins) -> None:
    for codec in known_codecs().values():
        assert codec.inter or codec.for_stream() is codec, codec.name


# --- broken packages --------------------------------------------------------------------------------------------------

BROKEN = {
    "import": (Entry("x", does=raising(ImportError("no module x"))), "ImportError: no module x"),
    "exit": (Entry("x", does=raising(SystemExit(3))), "SystemExit: 3"),
    "constructor": (Entry("x", raising(RuntimeError("no licence"))), "RuntimeError: no licence"),
    "abstract": (
        Entry("x", type("Half", (Codec,), {"id": 200, "name": "x"})),
        "TypeError: Can't instantiate",
    ),
    "wrong type": (Entry("x", dict), "it gives a dict, not a shared.codecs.Codec"),
    "low id": (Entry("x", variant(id=191)), "its id is 191; accepted: 192 to 255"),
    "high id": (Entry("x", variant(id=256)), "its id is 256; accepted: 192 to 255"),
    "id of a truth": (Entry("x", variant(id=True)), "its id is True; accepted"),
    "no id": (Entry("x", variant(id=None)), "its id is None; accepted"),
    "no name": (Entry("x", variant(name=None)), "its name is None; accepted"),
    "empty name": (Entry("x", variant(name="")), "its name is ''; accepted: 1 to 64 bytes"),
    "long name": (Entry("x", variant(name="é" * 33)), ".*accepted: 1 to 64 bytes"),
    "colon": (Entry("x", variant(name="a:b")), "its name is 'a:b'; accepted: printable"),
    "space": (Entry("x", variant(name="a b")), "its name is 'a b'; accepted: printable"),
    "control": (Entry("x", variant(name="a\n")), r"its name is 'a\\n'; accepted: printable"),
    "reserved": (Entry("x", variant(name="auto")), ".*except auto, none"),
    "options": (Entry("x", variant(options=raising(OSError("no file")))), "OSError: no file"),
    "ranges": (Entry("x", variant(ranges=dict)), r"its options \['keep'\] are not those of its ranges \[\]"),
    "no range": (Entry("x", variant(ranges=lambda _: {"keep": 5})), "its option keep is 2 of 5, not a whole"),
    "range of one": (Entry("x", variant(ranges=lambda _: {"keep": (5,)})), "its option keep is 2 of"),
    "no number": (Entry("x", variant(options=lambda _: {"keep": "2"})), "its option keep is '2' of"),
    "outside": (
        Entry("x", variant(ranges=lambda _: {"keep": (3, 9)})),
        "its option keep is 2, outside its own",
    ),
    "carries": (Entry("x", variant(carries="sound")), "it carries 'sound'; accepted: tensor, picture"),
    "built-in name": (Entry("x", variant(name="int8")), "there is a codec int8 already"),
}


@pytest.mark.parametrize(("entry", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_package_is_one_warning_and_stops_nothing(
    entry: Entry, reason: str, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    install(monkeypatch, entry, Entry("inverted", Inverted))
    assert list(known_codecs()) == [*registry.NAMES, "inverted"]
    make_codec("int8+zstd")
    with pytest.raises(SettingsError, match=f"codec 'x' cannot be used: {reason}"):
        make_codec("x")
    with pytest.raises(SettingsError, match="unknown codec 'y'"):
        make_codec("y")
    assert len(caplog.records) == 1
    assert re.search(f"the codec x of x_codec:Codec is not used: {reason}", caplog.text)
    assert caplog.records[0].levelno == logging.WARNING


def test_of_two_with_one_id_or_name_the_same_one_is_taken_every_time(monkeypatch: Any, caplog: Any) -> None:
    entries = [
        Entry("b", variant(name="second")),
        Entry("a", variant(name="first")),
        Entry("c", variant(name="first", id=201)),
    ]
    for order in (entries, entries[::-1]):
        caplog.clear()
        install(monkeypatch, *order)
        assert list(known_codecs())[len(registry.NAMES) :] == ["first"]
        assert "its id 200 is that of the codec first already" in caplog.text
        assert "there is a codec first already" in caplog.text


def test_a_damaged_installation_is_one_warning(monkeypatch: Any, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(registry, "_plugins", Plugins(raising(OSError("no such folder"))))
    assert list(known_codecs()) == list(registry.NAMES)
    assert [record.getMessage() for record in caplog.records] == [
        "codecs of other packages cannot be listed: OSError: no such folder"
    ]
