"""What is remembered of a symbol, by the rule of shared/wire/WIRE.md, number by number."""

from __future__ import annotations

import zlib

import numpy as np

from shared.codecs.calibrated.inter.history import CONTEXTS, remember


def test_heat_goes_three_quarters_of_the_way():
    for heat in range(256):
        symbols = np.array([[[0, 1]]], np.uint8)
        before = remember((symbols, None), None)
        object.__setattr__(before, "heat", np.array([[[heat, heat]]], np.uint8))
        cooled, heated = remember((symbols, None), before).heat.ravel().tolist()
        assert cooled == 3 * heat // 4
        assert heated == 255 - 3 * (255 - heat) // 4


def test_a_context_is_of_the_symbol_its_heat_and_its_neighbours():
    magnitudes = np.zeros((3, 3, 1), np.uint8)
    magnitudes[1, 1] = 9
    magnitudes[0, 1] = 1
    found = remember((magnitudes, None), None).contexts[:, :, 0].tolist()
    two_beside = 18 * 1
    assert found[1][1] == 2 + 3 * 5 + two_beside
    assert found[0][1] == 1 + 3 * 5 + two_beside
    assert found[0][0] == 18, "one neighbour of 1"
    assert found[2][0] == 0
    magnitudes[1, 0] = magnitudes[1, 2] = 2
    assert remember((magnitudes, None), None).contexts[1, 1, 0] == 2 + 3 * 5 + 18 * 2
    assert max(found[1]) < CONTEXTS


def test_a_hash_is_of_all_symbols_since_the_keyframe():
    magnitudes, negative = np.array([[[1, 0, 3]]], np.uint8), np.array([[[1, 0, 0]]], np.uint8)
    first = remember((magnitudes, None), None)
    assert first.hash == zlib.crc32(b"\1\0\3")
    assert first.state == first.hash.to_bytes(4, "little")
    assert remember((magnitudes, None), first).hash == zlib.crc32(b"\1\0\3\1\0\3")
    assert remember((magnitudes, negative), None).hash == zlib.crc32(b"\1\0\3\1\0\0")


def test_a_hash_is_never_that_of_a_keyframe():
    zero = np.frombuffer(bytes.fromhex("9d0ad96d"), np.uint8).reshape(1, 1, 4)
    assert zlib.crc32(zero.tobytes()) == 0
    assert remember((zero, None), None).hash == 1
