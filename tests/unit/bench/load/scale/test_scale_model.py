"""The arithmetic of the predictions, by numbers worked out by hand."""

import pytest

from bench.load.scale.model import One, with_threads, with_workers

CORES = 100
"""So many bound nothing."""


def one(per_s, tail_s=0.0, cpu_s=0.001, load_s=0.0):
    return One(per_s, tail_s, cpu_s, load_s)


def test_threads_shorten_the_part_in_which_tails_ran():
    # One client: 100 ms a frame, of which the tail takes 60. Two threads: 40 + 30 = 70 ms. Three: 40 + 20.
    lone = one(10.0, tail_s=0.06)
    assert lone.busy == pytest.approx(0.6)
    assert with_threads(lone, 1, CORES) == pytest.approx(10.0)
    assert with_threads(lone, 2, CORES) == pytest.approx(1 / 0.07)
    assert with_threads(lone, 3, CORES) == pytest.approx(1 / 0.06)
    # Many clients: the tail's thread never rests, so everything is divided.
    assert with_threads(one(25.0, tail_s=0.04), 4, CORES) == pytest.approx(100.0)
    # Nothing is: no tail.
    assert with_threads(one(50.0), 4, CORES) == pytest.approx(50.0)


def test_the_share_is_never_above_all_of_the_time():
    assert one(30.0, tail_s=0.05).busy == 1.0  # times overlap by measurement only
    assert with_threads(one(30.0, tail_s=0.05), 2, CORES) == pytest.approx(60.0)


def test_no_prediction_is_above_what_the_processors_can_do():
    # 15 ms of the cloud and 5 of the generator: two cores do 100 frames/s.
    busy = one(80.0, tail_s=0.0125, cpu_s=0.015, load_s=0.005)
    assert with_threads(busy, 2, 2) == pytest.approx(100.0)
    assert with_threads(busy, 2, 4) == pytest.approx(160.0)
    assert with_workers({1: busy, 2: busy}, 2, 2, 2) == pytest.approx(100.0)


def test_thousands_of_clients_are_predicted_too():
    # Nearly all of them at every worker are above two, from where the rate stays as it is.
    assert with_workers({1: one(10.0), 2: one(16.0), 4096: one(16.0)}, 4096, 2, CORES) == pytest.approx(32.0)


def test_workers_get_the_clients_at_random():
    measured = {1: one(10.0), 2: one(16.0), 4: one(20.0)}
    # One client is with one of them.
    assert with_workers(measured, 1, 2, CORES) == pytest.approx(10.0)
    # Two: both with one of them in half of the cases, else each with its own.
    assert with_workers(measured, 2, 2, CORES) == pytest.approx(0.5 * 16.0 + 0.5 * 20.0)
    # Four: 4+0 in 2 of 16 cases, 3+1 in 8, 2+2 in 6; three clients are half-way between two and four.
    expected = (2 * 20.0 + 8 * (18.0 + 10.0) + 6 * 32.0) / 16
    assert with_workers(measured, 4, 2, CORES) == pytest.approx(expected)


def test_one_worker_is_what_was_measured_and_many_clients_spread_evenly():
    measured = {1: one(10.0), 64: one(40.0), 128: one(40.0)}
    assert with_workers(measured, 64, 1, CORES) == pytest.approx(40.0)
    assert with_workers(measured, 128, 2, CORES) == pytest.approx(80.0, rel=0.03)


def test_below_the_fewest_clients_that_were_measured_it_is_a_line_to_none():
    measured = {4: one(20.0)}
    # Each of two workers has 0, 1, 2, 3 or 4 of the 4 clients: 5 frames/s a client.
    assert with_workers(measured, 4, 2, CORES) == pytest.approx(20.0)
