"""Links that change: what is published is kept to, and the same seed gives the same trace."""

import statistics

import pytest

from bench.emulator.traces import KINDS, quantile, stall_s

LONG_S = 40_000


@pytest.mark.parametrize("name", KINDS)
def test_a_long_trace_has_the_published_medians(name):
    kind = KINDS[name]
    trace = kind.trace(LONG_S)
    assert sum(seconds for seconds, _ in trace) >= LONG_S
    for found, published in (
        ([link.up_bits_per_s for _, link in trace], kind.up_bits_per_s),
        ([link.down_bits_per_s for _, link in trace], kind.down_bits_per_s),
        ([2 * link.delay_s for _, link in trace], quantile(kind.round_trip_s, 0.5)),
    ):
        assert statistics.median(found) == pytest.approx(published, rel=0.05)
        assert min(found) > 0


def test_starlinks_round_trip_has_the_published_quartiles_and_never_less_than_the_least():
    round_trips = [2 * link.delay_s for _, link in KINDS["starlink"].trace(LONG_S)]
    assert statistics.quantiles(round_trips, n=4) == [
        pytest.approx(each, abs=0.002) for each in (0.04, 0.05, 0.06)
    ]
    assert min(round_trips) >= 0.02


def test_the_seed_decides():
    kind = KINDS["lte"]
    assert kind.trace(60, 1) == kind.trace(60, 1)
    assert kind.trace(60, 1) != kind.trace(60, 2)
    assert kind.trace(60, 1) == kind.trace(120, 1)[: len(kind.trace(60, 1))]


def test_neighbours_resemble_each_other_until_another_satellite_comes():
    kind = KINDS["starlink"]
    rates = [link.up_bits_per_s for _, link in kind.trace(LONG_S)]
    within = [(rates[at], rates[at + 1]) for at in range(0, len(rates) - 1, 15)]
    across = [(rates[at], rates[at + 1]) for at in range(14, len(rates) - 1, 15)]
    assert statistics.correlation(*zip(*within, strict=True)) > 0.7
    assert abs(statistics.correlation(*zip(*across, strict=True))) < 0.1


def test_quantiles_are_joined_by_lines():
    quantiles = ((0.0, 1.0), (0.5, 2.0), (1.0, 4.0))
    assert [quantile(quantiles, share) for share in (0, 0.25, 0.5, 0.75, 1)] == [1, 1.5, 2, 3, 4]


def test_a_stall_is_the_round_trip_and_linux_least_margin():
    assert stall_s(0.2) == pytest.approx(0.4)
    assert all(link.stall_s == pytest.approx(2 * link.delay_s + 0.2) for _, link in KINDS["geo"].trace(30))
