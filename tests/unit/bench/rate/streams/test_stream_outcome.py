"""What is counted of a session."""

import numpy as np
import pytest

from bench.rate.streams.outcome import Base, Outcome
from bench.rate.streams.plan import Setting
from bench.rate.streams.session import Sent

SETTING = Setting("layer3", "calibrated-inter", "interval=3,sticky=25", step=1.8)


def logits(*probabilities):
    return np.log(np.array(probabilities, np.float32))


UNSPLIT = logits((0.6, 0.3, 0.1), (0.42, 0.38, 0.2), (0.1, 0.2, 0.7), (0.3, 0.34, 0.36))


def outcome(sizes=(900, 100, 200, 800), keys=(True, False, False, True), *, inter=True):
    base = Base()
    base.add(UNSPLIT)
    found = Outcome(SETTING, base, 0.2, inter)
    for size, key in zip(sizes, keys, strict=True):
        found.sent(Sent(np.zeros(1, np.float32), size, key, 2.0, 1.0))
    return found


def test_the_first_keyframe_counts():
    found = outcome()
    assert found.mean_bytes == 500
    assert (found.mean_of(keyframes=True), found.mean_of(keyframes=False)) == (850, 150)
    assert found.p95_bytes == pytest.approx(885)


def test_where_every_frame_stands_alone_nothing_is_told_apart():
    found = outcome(keys=(True,) * 4, inter=False)
    assert found.mean_of(keyframes=True) is None
    assert found.mean_of(keyframes=False) is None
    assert outcome(keys=(True,) * 4).mean_of(keyframes=False) is None


def test_agreement_counts_all_frames_and_those_the_network_is_sure_of():
    found = outcome()
    assert found.base.clear == [True, False, True, False]
    assert found.base.classes == [0, 0, 2, 2]
    wrong = UNSPLIT.copy()
    wrong[1] = logits((0.38, 0.42, 0.2))[0]  # not sure: it says nothing
    wrong[2] = logits((0.7, 0.2, 0.1))[0]
    found.answered(UNSPLIT, wrong)
    assert (found.agreement, found.clear_agreement) == (50, 50)
    expected = (0.42 * np.log(0.42 / 0.38) + 0.38 * np.log(0.38 / 0.42) + 0.6 * np.log(7)) / 4
    assert found.divergence == pytest.approx(expected, rel=1e-5)


def test_a_network_that_is_never_sure_has_no_such_agreement():
    base = Base()
    base.add(UNSPLIT[[1, 3]])
    found = Outcome(SETTING, base, 0.2)
    found.answered(UNSPLIT[[1, 3]], UNSPLIT[[1, 3]])
    assert (found.agreement, found.clear_agreement) == (100, None)
