"""The forms that are known. A new one is a class and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.tasks.detection.forms.anchored import Anchored
from shared.tasks.detection.forms.cells import Fastestdet
from shared.tasks.detection.forms.columns import Yolov5, Yolov8, Yolox
from shared.tasks.detection.forms.distances import Distances
from shared.tasks.detection.forms.heads import Yolov3Heads, Yolov5Heads
from shared.tasks.detection.forms.scores import Scores
from shared.tasks.detection.forms.selected import Rows, Separate

if TYPE_CHECKING:
    from shared.tasks.detection.reading.form import Form, Setting
    from shared.tasks.options import Options

FORMS: dict[str, type[Form]] = {
    form.name: form
    for form in (
        Separate,
        Rows,
        Scores,
        Yolov8,
        Yolov5,
        Yolox,
        Fastestdet,
        Distances,
        Yolov5Heads,
        Yolov3Heads,
        Anchored,
    )
}
"""By the name that the option `form` has."""


def make_form(options: Options, setting: Setting) -> Form:
    """The form that the options name. Raises ValueError."""
    return FORMS[options.choice("form", FORMS, "")](options, setting)


def describe_forms() -> str:
    """Their names and shapes, for people."""
    return "; ".join(f"{form.name}: {form.shapes}" for form in FORMS.values())
