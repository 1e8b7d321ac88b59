"""Tensors between float32 arrays and OpenVINO's own, by precision."""

from __future__ import annotations

import numpy as np

from shared.engines.openvino.form import FORMS


def test_tensors_are_rounded_to_nearest() -> None:
    values = np.array([0.0, -0.0, 1.0, -3.14159, 65504.0, 1e-3, np.inf, -np.inf, np.nan], np.float32)
    finite = np.isfinite(values)
    for precision, digits in (("float32", 0.0), ("float16", 2**-11), ("bfloat16", 2**-8)):
        form = FORMS[precision]
        (again,) = form.unpack(form.pack((values,)))
        assert (np.abs(again[finite] - values[finite]) <= digits * np.abs(values[finite])).all(), precision
        assert np.array_equal(again[~finite], values[~finite], equal_nan=True), precision


def test_bfloat16_rounds_half_to_even_and_overflows_to_infinity() -> None:
    form = FORMS["bfloat16"]
    bits = np.array([0x3F808000, 0x3F818000, 0x3F808001, 0x7F7FFFFF], np.uint32)
    (again,) = form.unpack(form.pack((bits.view(np.float32),)))
    again = again.view(np.uint32)
    assert [hex(each) for each in again] == ["0x3f800000", "0x3f820000", "0x3f810000", "0x7f800000"]
