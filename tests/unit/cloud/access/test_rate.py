"""So many at once, then so many a second."""

from cloud.access.rate import Rate


def test_a_burst_and_then_a_pace():
    now = [100.0]
    rate = Rate(3, 0.5, lambda: now[0])
    assert [rate.take() for _ in range(5)] == [True, True, True, False, False]
    now[0] += 1.9
    assert not rate.take()
    now[0] += 0.1
    assert [rate.take() for _ in range(2)] == [True, False]
    now[0] += 1e6
    assert [rate.take() for _ in range(4)] == [True, True, True, False], "no more than the burst is saved"
