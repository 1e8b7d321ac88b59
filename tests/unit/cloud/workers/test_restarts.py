"""The waits before a worker is started again."""

from cloud.workers.started import MOST_IN_A_ROW, SERVED_S, Restarts


def test_waits_double_up_to_a_minute_and_end():
    restarts = Restarts()
    waits = [restarts.wait_s(0.0) for _ in range(MOST_IN_A_ROW + 1)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60, None]


def test_a_worker_that_has_served_begins_anew():
    restarts = Restarts()
    for _ in range(MOST_IN_A_ROW):
        restarts.wait_s(SERVED_S - 0.1)
    assert restarts.wait_s(SERVED_S) == 0.5
    assert [restarts.wait_s(SERVED_S) for _ in range(3 * MOST_IN_A_ROW)] == [0.5] * 3 * MOST_IN_A_ROW
