"""What onnxruntime computes of pictures, as the reference of ONNX files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from shared.bundling.sources.file import from_file
from shared.network.choice import NetworkChoice
from shared.network.partition import OUTPUT

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_for_several_pictures_at_once_is_run_on_one_repeated(tmp_path: Path) -> None:
    onnx: Any = pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pictures = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
    for batch in (1, 4, "N"):
        inputs, outputs = (
            [onnx.helper.make_tensor_value_info(name, 1, [batch, *shape])]
            for name, shape in (("x", (3, 8, 8)), ("y", (3, 1, 1)))
        )
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("GlobalAveragePool", ["x"], ["y"])], "net", inputs, outputs
        )
        opset = [onnx.helper.make_opsetid("", 17)]
        onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "net.onnx")
        reference = from_file(NetworkChoice(str(tmp_path / "net.onnx"))).reference
        assert reference
        (found,) = reference.crossings((pictures,))[OUTPUT]
        assert found.size == 6, batch
        np.testing.assert_allclose(found.reshape(2, 3), pictures.mean((2, 3)), rtol=1e-5, err_msg=str(batch))
