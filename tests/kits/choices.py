"""What the tests of the planner's choices share: networks, profiles, and plans without a survey."""

from __future__ import annotations

import functools
from pathlib import Path
from types import SimpleNamespace

from kits.edge import settings_of
from kits.planner import option
from kits.profiles import make_profile
from kits.tiny import engine_of, partition_of, residual

from edge.planning.choices import make_plans
from shared.engines.load import Network
from shared.engines.segmented import segmented

SOURCE = "synthetic:fps=0,frames=12,width=64,height=48"
INT8, FLOAT16 = "int8+zstd", "float16+zstd"
STAGES = ["relu", "layer1", "layer2", "layer3", "avgpool"]  # of the residual network


@functools.cache
def network_of(model, split_point=None):
    partition = partition_of(model)
    point = partition.point(split_point) if split_point else partition.default()
    nowhere = Path("no-such-file")
    bundle = SimpleNamespace(model=model, partition=partition, network=nowhere, constants=nowhere)
    return Network(bundle, point, engine_of(model))


@functools.cache
def _chain(engine, points):
    return segmented(engine, points)


def chain_of(engine, points):
    """As `segmented`, but cut once for all tests that choose from the same points."""
    return _chain(engine, tuple(points))


def no_survey(found):
    """Stands in for `survey`: nothing is measured, and the pictures and codecs of each call are added to `found`."""

    def survey(chain, model, pictures, codecs, *, preprocess_s, run):
        found.append((pictures, codecs))
        return [option(point, name) for point, each in codecs.items() for name in (each or [None])]

    return survey


class Choosing:
    """Makes the plans of the residual network; the latest are in `plans`."""

    def __init__(self, cache_dir):
        self.plans = []
        self._cache_dir = str(cache_dir)

    def __call__(self, split_point="auto", codec=None, **changes):
        """Names of codecs by split point."""
        settings = settings_of(
            **({"source": SOURCE, "cache_dir": self._cache_dir, "split_point": split_point, "codec": codec} | changes)
        )  # fmt: skip
        pinned = None if split_point in (None, "auto") else split_point
        self.plans = make_plans(settings, network_of(residual(), pinned))
        found = {}
        for plan in self.plans:
            found.setdefault(plan.split_point.name, []).append(plan.label)
        return found


@functools.cache
def profile_of(point, fingerprint=b"", shape=None, seed=0):
    shape = shape or partition_of(residual()).point(point).shape
    return make_profile(fingerprint or residual().fingerprint, point, shape, count=2, seed=seed)


def write(path, *profiles):
    """One file, or a folder of them; its path as the setting takes it."""
    if len(profiles) == 1:
        path.write_bytes(profiles[0].data)
        return str(path)
    path.mkdir()
    for number, profile in enumerate(profiles):
        (path / f"{number}.safetensors").write_bytes(profile.data)
    return str(path)
