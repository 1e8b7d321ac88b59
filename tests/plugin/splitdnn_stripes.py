"""A source: stripes that drift, `stripes` or `stripes:frames=20`."""

import numpy as np

from splitdnn import SettingsError


class Stripes:
    live = False
    name = "stripes"

    def __init__(self, frames):
        self.frames = frames

    def open(self):
        self.number = 0

    def read(self):
        if self.number == self.frames:
            return None
        self.number += 1
        columns = np.arange(320) + 3 * self.number
        row = np.where(columns // 16 % 2, 220, 30).astype(np.uint8)
        return np.repeat(row[None, :, None], 3, axis=2).repeat(240, axis=0)

    def close(self):
        pass


def make_source(options):
    frames = options.pop("frames", "10")
    if options or not frames.isdecimal():
        raise SettingsError(f"stripes takes frames=N, not {options or frames}")
    return Stripes(int(frames))
