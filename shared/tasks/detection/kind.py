"""The task `detect`, as the registry knows it."""

from __future__ import annotations

from shared.tasks.detection.detect import AnyBoxes, make_detect
from shared.tasks.detection.recognition import classes_of, detector, form_note, recognise_detectors
from shared.tasks.kind import Kind

DETECT = Kind(
    make=make_detect,
    reader=AnyBoxes,
    key="boxes",
    recognise=recognise_detectors,
    told=detector,
    classes=classes_of,
    assumed=form_note,
)
