"""What the tests of the planner share: a ResNet-50's options, conditions, and generators of any others."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st

from edge.planning.planner import Conditions, InForce, Objective, Option, decide
from edge.uplink.link import LinkState

FUZZ = settings(max_examples=200, deadline=None, derandomize=True)
MBIT = 1e6 / 8
"""In bytes."""

WHOLE_MS = 24.2


def option(split_point="layer2", codec="int8+zstd", head=10.0, encode=1.0, decode=0.5, tail=10.0, **changes):
    """Times in ms, `kb` in thousands of bytes."""
    kb, agreement = changes.pop("kb", 100.0), changes.pop("agreement", 1.0)
    assert not changes
    return Option(
        split_point, codec, head / 1e3, encode / 1e3, decode / 1e3, tail / 1e3, 1e3 * kb, agreement, frames=48
    )


OUTPUT = option("output", None, WHOLE_MS, 0, 0, 0, kb=0)
PNG = option("input", "png", 0.5, 2.6, 1.5, 23.6, kb=33.7)
JPEG = option("input", "jpeg:quality=90,subsampling=0", 0.5, 0.3, 0.6, 23.6, kb=6.3, agreement=0.67)
LAYER3 = option("layer3", "int8+zstd", 19.3, 0.9, 0.4, 4.9, kb=73, agreement=0.979)
AVGPOOL = option("avgpool", "int8+zstd", 23.9, 0.1, 0.1, 0.3, kb=1)
RESNET50 = [
    option("input", "jpeg:quality=75,subsampling=2", 0.5, 0.3, 0.4, 23.6, kb=3.9, agreement=0.56),
    option("input", "jpeg:quality=75,subsampling=0", 0.5, 0.3, 0.5, 23.6, kb=4.6, agreement=0.6),
    option("input", "jpeg:quality=85,subsampling=0", 0.5, 0.3, 0.5, 23.6, kb=5.6, agreement=0.63),
    JPEG,
    option("input", "jpeg:quality=95,subsampling=0", 0.5, 0.4, 0.7, 23.6, kb=9.1, agreement=0.79),
    PNG,
    option("maxpool", "int8+zstd", 2.2, 0.9, 0.6, 21.9, kb=95),
    option("layer1", "int8+zstd", 6.2, 2.6, 1.8, 17.9, kb=520),
    option("layer2", "int8+zstd", 11.7, 1.5, 0.9, 12.5, kb=200),
    LAYER3,
    option("layer3", "calibrated", 19.3, 2.9, 3.1, 4.9, kb=12, agreement=0.96),
    option("layer4", "int8+zstd", 23.6, 0.4, 0.2, 0.6, kb=28, agreement=0.99),
    AVGPOOL,
    option("avgpool", "float16+zstd", 23.9, 0.1, 0.1, 0.3, kb=3.7),
    OUTPUT,
]
FAST_CLOUD_S = {
    each.split_point: each.tail_s / 8 for each in RESNET50 if not each.is_local
}  # a GPU, or many cores


def conditions(mbit=20.0, round_trip_ms=5.0, **changes):
    """A fast cloud behind a link."""
    link = LinkState(mbit * MBIT, round_trip_ms / 1e3)
    return Conditions(**({"link": link, "tails_s": FAST_CLOUD_S} | changes))


# --- a planner for a while -----------------------------------------------------------------------------------------


def fly(objective, now, *, noise=0.2, seconds=600, seed=1):
    """Seconds at which the plan was changed, with ten decisions a second and an estimate of the link that is never right."""
    generator = random.Random(seed)
    in_force, since, switches = None, 0.0, []
    for step in range(10 * seconds):
        factor = generator.uniform(1 - noise, 1 + noise)
        link = replace(now.link, bytes_per_s=now.link.bytes_per_s * factor)
        held = InForce(in_force, step / 10 - since, settled=step > 5) if in_force else None
        decision = decide(RESNET50, replace(now, link=link), objective, held)
        if decision.reason != "stay":
            in_force, since = decision.option, step / 10
            switches.append(step / 10)
    return switches


def most_a_minute(switches, settled_s=5):
    later = [each for each in switches if each >= settled_s]
    return max((sum(start <= each < start + 59.9 for each in later) for start in later), default=0)


# --- anything -----------------------------------------------------------------------------------------------------

_seconds = st.floats(1e-5, 30)


@st.composite
def any_options(draw):
    """At least one, of different names."""
    names = draw(
        st.lists(
            st.tuples(st.sampled_from(["input", "a", "b", "c"]), st.sampled_from(["png", "int8", "zstd"])),
            min_size=1,
            max_size=8,
            unique=True,
        )
    )
    found = [
        Option(
            *name, *(draw(_seconds) for _ in range(4)), draw(st.floats(100, 1e7)), draw(st.floats(0, 1)), 48
        )
        for name in names
    ]
    if draw(st.booleans()):
        found.append(Option("output", None, draw(_seconds), 0.0, 0.0, 0.0, 0.0, 1.0, 48))
    return found


any_conditions = st.builds(
    Conditions,
    link=st.builds(LinkState, st.floats(10, 1e10), st.floats(0, 10)),
    tails_s=st.dictionaries(st.sampled_from(["input", "a", "b"]), st.floats(0, 30)),
    batched_tails_s=st.dictionaries(st.sampled_from(["input", "a", "b"]), st.floats(0, 30)),
    cloud_wait_s=st.floats(0, 10),
    edge_slowdown=st.floats(0.01, 100),
    cloud_slowdown=st.floats(0.01, 100),
    sizes=st.dictionaries(st.sampled_from(["png", "int8"]), st.floats(0.01, 100)),
    interval_s=st.floats(0, 10),
    in_flight=st.integers(1, 256),
    deadline_s=st.floats(1e-3, 600),
)
any_objective = st.builds(
    Objective,
    kind=st.sampled_from(["latency", "throughput", "bytes"]),
    min_agreement=st.floats(0, 1),
    max_latency_s=st.floats(1e-3, 600) | st.just(float("inf")),
)
