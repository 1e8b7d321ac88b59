"""What files say of their recipe and classes."""

from __future__ import annotations

from shared.bundling.sources.metadata import Said, understand

_PREFIX = "model_info "


def _model_api(**values: str) -> Said:
    return understand({_PREFIX + key: value for key, value in values.items()})


def test_openvinos_model_api() -> None:
    said = _model_api(
        mean_values="123.675 116.28 103.53",
        scale_values="58.395 57.12 57.375",
        reverse_input_channels="NO",
        resize_type="fit_to_window_letterbox",
        pad_value="114",
        interpolation_type="CUBIC",
        labels="cat big_dog",
        model_type="Classification",
    )
    assert said.recipe == {
        "scale": 1.0,
        "mean": (123.675, 116.28, 103.53),
        "std": (58.395, 57.12, 57.375),
        "channels": "BGR",
        "fit": "letterbox",
        "pad": 114,
        "interpolation": "bicubic",
    }
    assert said.labels == ("cat", "big_dog")
    assert said.dialect == "OpenVINO's Model API"


def test_model_api_with_one_scale_for_all() -> None:
    said = _model_api(scale_values="[255.0]", reverse_input_channels="YES", resize_type="crop")
    assert said.recipe == {"scale": 255.0, "channels": "RGB", "fit": "crop"}
    assert _model_api(model_type="ssd").recipe == {"scale": 1.0, "fit": "stretch"}


def test_ultralytics_exports() -> None:
    names = "{0: 'person', 1: 'traffic light'}"
    said = understand({"task": "detect", "stride": "32", "imgsz": "[384, 640]", "names": names})
    assert said.recipe == {"scale": 255.0, "channels": "RGB", "fit": "letterbox", "pad": 114}
    assert said.labels == ("person", "traffic light")
    assert said.size == (640, 384)
    assert understand({"task": "classify", "imgsz": "[224, 224]", "names": names}).recipe["fit"] == "crop"


def test_the_onnx_specifications_pictures() -> None:
    said = understand({"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "Normalized_1_1"})
    assert said.recipe == {"channels": "BGR", "scale": 255.0, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    said = understand({"Image.BitmapPixelFormat": "Gray8", "Image.NominalPixelRange": "NominalRange_0_255"})
    assert said.recipe == {"channels": "GRAY", "scale": 1.0}


def test_names_alone() -> None:
    for text, expected in (
        ("['a', 'b']", ("a", "b")),
        ('{"0": "a", "1": "b"}', ("a", "b")),
        ("{1: 'b', 0: 'a'}", ("a", "b")),
        ("{1: 'b', 2: 'c'}", ()),
        ("a, b", ()),
        ("[" * 5000, ()),
        ("__import__('os')", ()),
    ):
        assert understand({"labels": text}).labels == expected, text[:40]


def test_what_makes_no_sense_is_absent() -> None:
    assert understand({}) == Said()
    said = _model_api(mean_values="a b", scale_values="1 2", resize_type="diagonal", pad_value="")
    assert said.recipe == {"scale": 1.0, "fit": "stretch"}
    assert understand({"task": "detect", "names": "]", "imgsz": "none"}).size is None
