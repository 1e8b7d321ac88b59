"""Networks from files: ONNX, OpenVINO's IR and TensorFlow Lite, as OpenVINO reads them."""

from __future__ import annotations

import mmap
import re
from functools import partial
from itertools import filterfalse
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.bundling.messages import first_line
from shared.bundling.sources.converter_log import own_log
from shared.bundling.sources.metadata import Said, understand
from shared.bundling.sources.onnx_reference import find_onnx_reference
from shared.bundling.sources.picture_input import PictureInput
from shared.bundling.sources.source import Source
from shared.bundling.sources.tflite import read_tflite
from shared.engines.openvino.runtime import VERSION, convert_model, core, operations, ov
from shared.errors import ModelError, SettingsError
from shared.network.labels import read_labels
from shared.network.recipe import Recipe, parse_recipe
from shared.process.machine import expand_home

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from shared.network.choice import NetworkChoice

SUFFIXES = (".onnx", ".xml", ".tflite")
_ONNX = "framework"  # as OpenVINO calls it
_MODEL_API = "model_info"
_OPENVINOS = re.compile(r"Result_\d+$")
"""A tensor's name that OpenVINO gave it when it wrote the file."""


def from_file(choice: NetworkChoice) -> Source:
    """Read and convert. Raises ModelError."""
    path = expand_home(choice.model).absolute()
    what = path.name
    if choice.weights not in ("auto", "random"):
        raise ModelError(f"weights {choice.weights}: {what} has its own; accepted: none")
    model = _read(path)
    metadata = {} if path.suffix == ".tflite" else _metadata(model)
    said = read_tflite(path) if path.suffix == ".tflite" else understand(metadata)
    picture = PictureInput(model, what)
    recipe, notes = _recipe(choice, picture, said, what)
    model, constants = _without_constants(picture.resized(recipe.width, recipe.height), what)
    model = _with_plain_outputs(model, what)
    outputs = tuple(map(_name, model.get_results()))
    made_with = {"openvino": VERSION}
    reference = find_onnx_reference(path, picture, set(constants)) if path.suffix == ".onnx" else None
    if constants:
        names = ", ".join(name for name, _ in constants.values())
        notes += (f"{names} does not depend on the picture, and is no output of the bundle",)
    if reference:
        made_with["onnxruntime"] = reference.version
    labels = said.labels
    if choice.labels is not None:
        labels = read_labels(expand_home(choice.labels))
    return Source(
        name=path.stem,
        weights=f"file:{path.name}",
        model=model,
        outputs=outputs,
        recipe=recipe,
        labels=labels,
        origin={"kind": "file", "model": str(path), "weights": None, "seed": None, "recipe": choice.recipe},
        reference=reference,
        notes=(*said.notes, *notes),
        is_given=partial(_holds, path),
        made_with=made_with,
        said={key.removeprefix(f"{_MODEL_API} "): value for key, value in metadata.items()},
        constants=dict(constants.values()),
    )


def _read(path: Path) -> ov.Model:
    if path.is_dir() or not path.exists():
        raise ModelError(
            f"model {path}: {'a folder' if path.is_dir() else 'no such file'}; accepted: {', '.join(SUFFIXES)}"
        )
    try:
        # Unlike read_model, convert_model also simplifies what the exporter wrote.
        with own_log():
            return core().read_model(path) if path.suffix == ".xml" else convert_model(path)
    except Exception as error:  # the converter's errors have no common class
        raise ModelError(f"openvino cannot read {path.name}: {first_line(error)}") from error


def _holds(path: Path, name: str) -> bool:
    """Whether the file contains this name."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(name.encode()) >= 0


def _metadata(model: ov.Model) -> dict[str, str]:
    """What exporters wrote into an ONNX file, which OpenVINO keeps in IR as well, and the Model API's section."""
    found: dict[str, str] = {}
    for section, prefix in ((_ONNX, ""), (_MODEL_API, f"{_MODEL_API} ")):
        if model.has_rt_info([section]):
            values = model.get_rt_info([section]).value
            if isinstance(values, dict):
                found |= {prefix + key: str(getattr(value, "value", value)) for key, value in values.items()}
    return found


def _recipe(
    choice: NetworkChoice, picture: PictureInput, said: Said, what: str
) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe that the metadata and the user name, and notes about it."""
    width, height = (own or other for own, other in zip(picture.size, said.size or (None, None), strict=True))
    is_open = width is None or height is None
    fields: dict[str, Any] = {"mean": (0.0,) * 3, "std": (1.0,) * 3, "fit": "stretch", **said.recipe}
    if "scale" not in said.recipe and picture.element_type in ("u8", "u16", "i8"):
        fields["scale"] = 1.0
        if picture.element_type == "i8":  # a quantised network's pixels, moved to where they fit
            fields["mean"] = (128.0,) * 3
    if picture.channels == 1:
        fields["channels"] = "GRAY"
    elif fields.get("channels") == "GRAY":
        del fields["channels"]
    try:
        recipe = Recipe(width=width or 224, height=height or 224, **fields)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{what}: its metadata asks for a recipe that makes no sense: {error}") from None
    if choice.recipe:
        try:
            recipe = parse_recipe(choice.recipe, recipe)
        except SettingsError as error:
            raise ModelError(str(error)) from None
    if is_open and "size=" not in (choice.recipe or ""):
        raise ModelError(
            f"{what}: it takes pictures of any size; say which one it was trained with: --recipe size=WIDTHxHEIGHT"
        )
    if (recipe.channels == "GRAY") != (picture.channels == 1):
        raise ModelError(f"{what}: channels {recipe.channels}, but its input has {picture.channels}")
    if said.recipe:
        return recipe, (f"recipe from {said.dialect} metadata in the file",)
    if choice.recipe:
        return recipe, ()
    return recipe, (f"the file says nothing of its recipe; taken: {recipe.describe()}; --recipe changes it",)


def _without_constants(
    model: ov.Model, what: str
) -> tuple[ov.Model, dict[int, tuple[str, NDArray[np.float32]]]]:
    """The model without outputs that are constant, such as prior boxes; these by their places, each with its name.

    Raises ModelError if no other is left.
    """
    kept, constants = [], {}
    for place, result in enumerate(model.get_results()):
        node = result.input_value(0).get_node()
        if node.get_type_name() == "Constant":
            values = np.asarray(node.get_data(), np.float32)
            constants[place] = _name(result), values[0] if values.ndim > 1 and len(values) == 1 else values
        else:
            kept.append(result)
    if not kept:
        raise ModelError(
            f"{what}: its outputs are not computed; accepted: outputs that depend on the picture"
        )
    if not constants:
        return model, {}
    return ov.Model(kept, model.get_parameters(), model.get_friendly_name()), constants


def _with_plain_outputs(model: ov.Model, what: str) -> ov.Model:
    """Outputs of at least one dimension and a fixed size. Raises ModelError."""
    results = []
    for result in model.get_results():
        value = result.input_value(0)
        if value.get_node().get_type_name() == "Parameter":
            raise ModelError(
                f"{what}: the output {_name(result)} is not computed; accepted: outputs that depend on the picture"
            )
        shape = value.get_partial_shape()
        if shape.rank.is_dynamic:
            raise ModelError(
                f"{what}: the output {_name(result)} has any number of dimensions; accepted: a fixed one"
            )
        if not len(shape):
            plain = operations.result(operations.reshape(value, operations.constant([1]), special_zero=False))
            plain.set_friendly_name(result.get_friendly_name())
            results.append(plain)
        else:
            results.append(result)
    return ov.Model(results, model.get_parameters(), model.get_friendly_name())


def _name(result: ov.Node) -> str:
    """What the source calls this output: its tensor's name, else its operation's."""
    value = result.input_value(0)
    names = sorted(filterfalse(_OPENVINOS.match, value.get_names()), key=lambda name: (len(name), name))
    return names[0] if names else str(value.get_node().get_friendly_name())
