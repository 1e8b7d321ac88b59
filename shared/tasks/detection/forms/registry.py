"""The forms that are known. A new one is a class and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.tasks.detection.forms.cells import Fastestdet
from shared.tasks.detection.forms.columns import Yolov5, Yolov8, Yolox
from shared.tasks.detection.forms.selected import Rows, Separate

if TYPE_CHECKING:
    from shared.tasks.detection.forms.form import Form, Setting
    from shared.tasks.options import Options

FORMS: dict[str, type[Form]] = {
    form.name: form for form in (Separate, Rows, Yolov8, Yolov5, Yolox, Fastestdet)
}
"""By the name that the option `form` has."""


def make_form(options: Options, setting: Setting) -> Form:
    """The form that the options name. Raises ValueError."""
    return FORMS[options.choice("form", FORMS, "")](options, setting)


def describe_forms() -> str:
    """Their names and shapes, for people."""
    return "; ".join(f"{form.name}: {form.shapes}" for form in FORMS.values())
