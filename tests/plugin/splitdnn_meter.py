"""A task: the mean of the first output is what a meter shows, `--task meter` or `--task meter:unit=bar`."""

from dataclasses import dataclass

import numpy as np

from splitdnn import Agreement, Task


@dataclass(frozen=True)
class Reading:
    value: float
    unit: str

    def fields(self):
        return {"reading": self.value}

    def headline(self):
        return f"{self.value:.3g} {self.unit}".strip()

    def findings(self):
        return ()

    def shows(self):
        return ()

    def in_picture(self, recipe, size):
        return self


class Meter(Task):
    name = "meter"
    divergence_unit = "difference"

    def __init__(self, unit):
        self.unit = unit

    def answer(self, outputs):
        return Reading(float(outputs[0].mean()), self.unit)

    def nothing(self):
        return Reading(0.0, "")

    def parse(self, fields):
        return Reading(float(fields["reading"]), self.unit)

    def agreement(self, expected, found):
        one = np.ones(len(expected[0]))
        return Agreement(np.maximum(0, 1 - self.divergence(expected, found)), one, one)

    def divergence(self, expected, found):
        first, second = (outputs[0].reshape(len(outputs[0]), -1).mean(1) for outputs in (expected, found))
        return np.abs(first - second).astype(float)


def make_task(model, wanted):
    return Meter(str(dict(model.task.options).get("unit", "")))
