"""Names of split points that only the graph shows."""

from __future__ import annotations

from shared.bundling.graph.names import WRAPPED, clean_name, joint_name, unique_name, within


def test_names_are_the_sources_without_what_its_exporter_added() -> None:
    for friendly, expected in (
        ("__module.layer1.0/aten::add_/Add", "layer1.0.add"),
        (f"__module.{WRAPPED}.stage.1/aten::relu/Relu", "stage.1.relu"),
        (f"__module.{WRAPPED}/aten::mean/ReduceMean", "mean"),
        ("aten::view/Reshape_3", "view"),
        ("__module.encoder/aten::layer_norm/Multiply_1", "encoder.layer_norm"),
        ("/stage/block.0/Conv_output_0", "stage.block.0.Conv"),
        ("model/conv1/Relu:0", "model.conv1.Relu"),
        ("Conv_0/WithoutBiases", "Conv_0.WithoutBiases"),
        ("onnx::MaxPool_423", "onnx::MaxPool_423"),
        ("Wert \u00fc/\n2", "Wert_._2"),
        ("///", "value"),
    ):
        assert clean_name([friendly], "Kind", lambda _: True) == expected, friendly


def test_numbers_that_openvino_gave_are_no_names() -> None:
    given = {"Relu_1", "conv_relu"}
    for names, expected in (
        (["Relu_1"], "Relu_1"),
        (["Multiply_33660"], "convolution"),
        (["Multiply_33660", "417", "conv_relu"], "conv_relu"),
    ):
        assert clean_name(names, "Convolution", given.__contains__) == expected, names


def test_names_are_unique_and_fit_a_frame() -> None:
    taken: set[str] = set()
    for _ in range(3):
        taken.add(unique_name("block.add", taken))
    assert taken == {"block.add", "block.add_1", "block.add_2"}
    long = "module." * 20 + "relu"
    for _ in range(12):
        name = unique_name(long, taken)
        assert len(name) <= 64
        assert name not in taken
        assert "module.relu" in name
        taken.add(name)


def test_of_several_tensors_all_are_named_or_the_last_and_how_many_beside_it() -> None:
    for names, expected in (
        (["stage2", "stage3"], "stage2+stage3"),
        (["model.4.cv2.act", "model.6.cv2.act", "model.9.cv2.act"], "model.9.cv2.act+2"),
    ):
        assert joint_name(names) == expected
    long = joint_name(["a", "module." * 20 + "relu"])
    assert unique_name(long, ()).endswith("module.relu+1")
    assert len(unique_name(long, ())) <= 64


def test_a_place_between_two_of_one_module_is_that_modules() -> None:
    for before, after, expected in (
        ("stage2.0.cat", "stage2.0", "stage2.0.view"),
        ("conv5", "mean", "view"),
        ("a.b.c", "a.d", "a.view"),
    ):
        assert within(before, after, "view") == expected
