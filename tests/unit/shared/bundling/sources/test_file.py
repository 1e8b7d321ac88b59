"""Networks from files: what is read, what is decided, what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits import graphs
from kits.graphs import model, picture, residual, save

from shared.bundling.sources.file import from_file
from shared.engines.openvino.runtime import core, operations
from shared.errors import ModelError, StartupError
from shared.network.choice import NetworkChoice

if TYPE_CHECKING:
    from pathlib import Path

    from shared.engines.openvino.runtime import ov


def _plain(tmp_path: Path, shape: tuple[int, ...] = (1, 3, 8, 8), **model_info: str) -> str:
    given = picture(shape)
    return str(save(model(given, residual(given)), tmp_path / "tiny.xml", model_info))


def _channels_last(tmp_path: Path) -> str:
    given = picture((1, 8, 8, 3), np.uint8)
    values = operations.transpose(operations.convert(given, "f32"), operations.constant([0, 3, 1, 2]))
    return str(save(model(given, residual(values)), tmp_path / "bytes.xml"))


def test_without_metadata_the_recipe_is_a_stated_default(tmp_path: Path) -> None:
    source = from_file(NetworkChoice(_plain(tmp_path)))
    assert source.recipe.describe() == "8x8 RGB, stretched (bilinear), (value / 255 - 0:0:0) / 1:1:1"
    assert [note for note in source.notes if "says nothing of its recipe" in note and "--recipe" in note]
    assert (source.name, source.weights, source.outputs) == ("tiny", "file:tiny.xml", ("fc",))
    assert source.origin["kind"] == "file"
    assert source.origin["model"] == str(tmp_path / "tiny.xml")
    assert source.fingerprint is None


def test_metadata_is_the_recipe_and_the_user_changes_it(tmp_path: Path) -> None:
    path = _plain(
        tmp_path,
        mean_values="10 20 30",
        scale_values="2 2 2",
        labels="a b c d e",
        reverse_input_channels="False",
    )
    source = from_file(NetworkChoice(path, recipe="fit=letterbox,pad=3"))
    recipe = source.recipe
    assert (recipe.mean, recipe.std, recipe.scale, recipe.channels) == ((10, 20, 30), (2, 2, 2), 1, "BGR")
    assert (recipe.fit, recipe.pad) == ("letterbox", 3)
    assert source.labels == tuple("abcde")
    assert source.notes == ("recipe from OpenVINO's Model API metadata in the file",)


def test_a_file_of_labels_goes_first(tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("v\nw\nx\ny\nz\n")
    path = _plain(tmp_path, labels="a b c d e")
    assert from_file(NetworkChoice(path, labels=str(labels))).labels == tuple("vwxyz")


def test_channels_last_and_bytes_become_the_usual_input(tmp_path: Path) -> None:
    source = from_file(NetworkChoice(_channels_last(tmp_path)))
    (parameter,) = source.model.get_parameters()
    assert str(parameter.get_partial_shape()) == "[1,3,8,8]"
    assert parameter.get_element_type().to_string() == "f32"
    assert source.recipe.scale == 1  # bytes are not divided
    pixels = np.arange(192, dtype=np.float32).reshape(1, 3, 8, 8)
    expected = graphs.run(model(given := picture((1, 3, 8, 8)), residual(given)), pixels)[0]
    np.testing.assert_allclose(graphs.run(source.model, pixels)[0], expected, rtol=1e-4)


def test_one_channel_is_grey(tmp_path: Path) -> None:
    given = picture((1, 1, 8, 8))
    path = save(model(given, operations.relu(given, name="end")), tmp_path / "grey.xml")
    assert from_file(NetworkChoice(str(path))).recipe.tensor_shape == (1, 8, 8)


def test_a_size_that_the_file_leaves_open_is_the_users(tmp_path: Path) -> None:
    path = _plain(tmp_path, (-1, 3, -1, -1))
    with pytest.raises(ModelError, match=r"pictures of any size; .*--recipe size=WIDTHxHEIGHT"):
        from_file(NetworkChoice(path))
    source = from_file(NetworkChoice(path, recipe="size=16x12"))
    assert str(source.model.get_parameters()[0].get_partial_shape()) == "[?,3,12,16]"


def _open(tmp_path: Path, name: str, channels: int | None, *, last: bool = False) -> str:
    """A network whose input says nothing but that it has four dimensions: a convolution of so many channels, or none."""
    given = picture((-1, -1, -1, -1))
    value = operations.transpose(given, operations.constant([0, 3, 1, 2])) if last else given
    if channels is not None:
        kernel, none, one = graphs.constant(4, channels, 3, 3), [0, 0], [1, 1]
        value = operations.convolution(value, kernel, one, none, none, one)
    pooled = operations.reduce_mean(value, operations.constant([2, 3]), keep_dims=False)
    return str(save(model(given, pooled), tmp_path / f"{name}.xml"))


def test_of_a_picture_of_which_nothing_is_fixed_the_user_says_the_size(tmp_path: Path) -> None:
    cases = [
        (_open(tmp_path, "colours", 3), "[?,3,12,16]"),
        (_open(tmp_path, "grey", 1), "[?,1,12,16]"),
        (_open(tmp_path, "unknown", None), "[?,3,12,16]"),
        (_open(tmp_path, "last", 3, last=True), "[?,3,12,16]"),
    ]
    for path, shape in cases:
        with pytest.raises(ModelError, match=r"pictures of any size; .*--recipe size=WIDTHxHEIGHT"):
            from_file(NetworkChoice(path))
        source = from_file(NetworkChoice(path, recipe="size=16x12"))
        assert str(source.model.get_parameters()[0].get_partial_shape()) == shape, path
        assert len(graphs.run(source.model, np.ones((2, *source.recipe.tensor_shape), np.float32))[0]) == 2, (
            path
        )
    with pytest.raises(ModelError, match="7 channels where 1 or 3"):
        from_file(NetworkChoice(_open(tmp_path, "seven", 7), recipe="size=16x12"))


def test_what_takes_no_picture_is_refused_in_one_line(tmp_path: Path) -> None:
    second = operations.parameter([1, 5])
    given = picture((1, 3, 8, 8))
    flat = operations.parameter([1, 100])
    five = picture((1, 5, 8, 8))
    text = tmp_path / "text.onnx"
    text.write_text("no network")
    cases: list[tuple[ov.Model | str, dict[str, Any], str]] = [
        (
            model([given, second], operations.add(residual(given), second)),
            {},
            r"2 inputs \(picture \[1,3,8,8\]",
        ),
        (model(flat, operations.relu(flat)), {}, "accepted: a picture of four dimensions"),
        (model(five, operations.relu(five)), {}, "5 channels where 1 or 3 were looked for"),
        (model(given, given), {}, "is not computed"),
        (_plain(tmp_path), {"recipe": "channels=GRAY"}, "channels GRAY, but its input has 3"),
        (_plain(tmp_path), {"weights": "a.pth"}, "weights a.pth: tiny.xml has its own"),
        (_plain(tmp_path), {"recipe": "size=big"}, "accepted: size=320x240"),
        (_plain(tmp_path), {"labels": str(tmp_path / "absent.txt")}, "absent.txt"),
        (str(tmp_path / "absent.onnx"), {}, "no such file"),
        (str(text), {}, "openvino cannot read text.onnx"),
    ]
    for number, (what, given_by_user, message) in enumerate(cases):
        path = what if isinstance(what, str) else str(save(what, tmp_path / f"{number}.xml"))
        with pytest.raises(StartupError, match=message) as found:
            from_file(NetworkChoice(path, **given_by_user))
        assert len(str(found.value).splitlines()) == 1, message


def test_another_size_than_the_graph_can_take_is_refused(tmp_path: Path) -> None:
    given = picture((1, 3, 8, 8))
    flat = operations.reshape(given, operations.constant([1, 192]), special_zero=False)
    graph = model(given, operations.matmul(flat, graphs.constant(192, 5), False, False))
    path = save(graph, tmp_path / "fixed.xml")
    with pytest.raises(ModelError, match="cannot take pictures of 16x16"):
        from_file(NetworkChoice(str(path), recipe="size=16"))


def test_an_operation_that_openvino_lacks_is_named(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    values = [helper.make_tensor_value_info(name, kind, [1, 3, 8, 8]) for name in "xy"]
    node = helper.make_node("FancyOp", ["x"], ["y"], domain="my.domain")
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("my.domain", 1)]
    onnx.save(
        helper.make_model(
            helper.make_graph([node], "g", values[:1], values[1:]), opset_imports=domains, ir_version=8
        ),
        tmp_path / "fancy.onnx",
    )
    with pytest.raises(ModelError, match=r"cannot read fancy.onnx: .*my.domain.FancyOp"):
        from_file(NetworkChoice(str(tmp_path / "fancy.onnx")))


def test_what_an_exporter_wrote_into_an_onnx_file_is_read_from_it_and_from_ir(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    ends = [[helper.make_tensor_value_info(name, kind, [1, 3, 8, 8])] for name in "xy"]
    written = helper.make_model(helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", *ends))
    onnx.helper.set_model_props(written, {"names": "{0: 'cat', 1: 'ü'}", "imgsz": "[8, 8]", "stride": "8"})
    onnx.save(written, tmp_path / "a.onnx")
    save(core().read_model(tmp_path / "a.onnx"), tmp_path / "a.xml")
    for name in ("a.onnx", "a.xml"):
        found = from_file(NetworkChoice(str(tmp_path / name)))
        assert found.labels == ("cat", "ü"), name
        assert found.recipe.fit == "letterbox", name
