"""When bytes arrive, by a clock that stands still unless it is told otherwise."""

import math

import pytest

from bench.emulator.flow import SEGMENT_BYTES, End
from bench.emulator.link import Link
from bench.emulator.pipe import MAX_CHUNK_BYTES, MIN_CHUNK_BYTES, Pipe

MBIT = 1e6
LATER = 1e6


def arrivals(flow):
    """(When, bytes) of all that is under way."""
    found = []
    while (due_s := flow.due_s) < math.inf:
        found.append((due_s, flow.take(due_s, 1)[0]))
    return found


def sent(link, *sizes, seed=0, direction="up"):
    """What arrives of flows that offer so many bytes each at once, at 0 s."""
    pipe = Pipe(direction, link, seed=seed)
    flows = [pipe.open() for _ in sizes]
    for flow, size in zip(flows, sizes, strict=True):
        pipe.offer(0.0, flow, bytes(number % 251 for number in range(size)))
    pipe.advance(LATER)
    return [arrivals(flow) for flow in flows]


# --- bandwidth --------------------------------------------------------------------------------------------------------


def test_bytes_leave_at_the_links_rate():
    for mbit in (0.01, 0.5, 8, 100, 10_000):
        (got,) = sent(Link(up_bits_per_s=mbit * MBIT), 100_000)
        assert got[-1][0] == pytest.approx(100_000 * 8 / (mbit * MBIT)), mbit
        assert b"".join(data for _, data in got) == bytes(number % 251 for number in range(100_000)), mbit


def test_each_direction_has_its_own_rate():
    link = Link(up_bits_per_s=1 * MBIT, down_bits_per_s=8 * MBIT)
    assert sent(link, 1000, direction="up")[0][-1][0] == pytest.approx(0.008)
    assert sent(link, 1000, direction="down")[0][-1][0] == pytest.approx(0.001)


def test_without_limits_bytes_are_there_at_once():
    pipe = Pipe("up", Link())
    flow = pipe.open()
    assert pipe.offer(3.0, flow, b"x" * 10_000) == [flow]
    assert flow.take(3.0) == (b"x" * 10_000, None)
    assert pipe.next_s == flow.due_s == math.inf


def test_two_flows_share_the_wire_and_a_late_third_does_not_wait_for_both():
    pipe = Pipe("up", Link(up_bits_per_s=8 * MBIT))
    flows = [pipe.open() for _ in range(3)]
    for flow in flows[:2]:
        pipe.offer(0.0, flow, bytes(500_000))
    pipe.offer(0.1, flows[2], b"x" * 100)
    pipe.advance(LATER)
    first, second, third = map(arrivals, flows)
    assert third[0][0] - 0.1 <= 2 * MAX_CHUNK_BYTES / MBIT + 100 / MBIT
    assert {round(got[-1][0], 2) for got in (first, second)} == {1.0}
    half = [sum(len(data) for due_s, data in got if due_s <= 0.5) for got in (first, second)]
    assert abs(half[0] - half[1]) <= MAX_CHUNK_BYTES


def test_an_idle_wire_saves_nothing_up():
    pipe = Pipe("up", Link(up_bits_per_s=8 * MBIT))
    flow = pipe.open()
    for now_s in (0.0, 10.0):
        pipe.offer(now_s, flow, bytes(1000))
        pipe.advance(now_s + 5)
        assert [due_s for due_s, _ in arrivals(flow)] == [pytest.approx(now_s + 0.001)]


def test_who_looks_late_loses_no_bandwidth():
    pipe = Pipe("up", Link(up_bits_per_s=8 * MBIT))
    flow = pipe.open()
    pipe.offer(0.0, flow, bytes(8192))
    assert pipe.next_s == pytest.approx(0.004096)
    assert pipe.advance(0.007) == [flow]  # nearly at the second chunk's end
    assert pipe.next_s == pytest.approx(0.008192)
    assert pipe.advance(0.008) == []


def test_chunks_are_small():
    for mbit, size in ((0.01, MIN_CHUNK_BYTES), (0.5, 312), (2, 1250), (100, MAX_CHUNK_BYTES)):
        assert Pipe("up", Link(up_bits_per_s=mbit * MBIT)).chunk_bytes == size, mbit


# --- a link that changes ----------------------------------------------------------------------------------------------


def test_a_change_holds_for_the_rest_of_the_chunk_on_the_wire():
    pipe = Pipe("up", Link(up_bits_per_s=1024))
    flow = pipe.open()
    pipe.offer(0.0, flow, bytes(MIN_CHUNK_BYTES))
    assert pipe.next_s == 2.0
    assert pipe.change(1.0, Link(up_bits_per_s=10_240)) == []
    assert pipe.next_s == pytest.approx(1.1)
    assert pipe.change(1.05, Link()) == [flow]
    assert flow.due_s == pytest.approx(1.05)


def test_what_is_under_way_keeps_its_time_and_its_place():
    pipe = Pipe("up", Link(delay_s=0.5))
    flow = pipe.open()
    pipe.offer(0.0, flow, b"first")
    pipe.change(0.1, Link())
    pipe.offer(0.1, flow, b"second")
    assert arrivals(flow) == [(0.5, b"first"), (0.5, b"second")]


@pytest.mark.parametrize("mbit", [8, math.inf])
def test_a_held_wire_goes_on_where_it_stood(mbit):
    pipe = Pipe("up", Link(up_bits_per_s=mbit * MBIT))
    flow = pipe.open()
    pipe.hold(0.0, on=True)
    pipe.offer(1.0, flow, bytes(1000))
    assert pipe.next_s == math.inf
    pipe.hold(5.0, on=False)
    pipe.advance(5.0005)
    pipe.hold(5.0005, on=True)
    pipe.hold(7.0, on=False)
    pipe.advance(LATER)
    assert flow.due_s == pytest.approx(7.0005 if mbit == 8 else 5.0)


# --- delay, jitter, loss ----------------------------------------------------------------------------------------------


def test_the_delay_is_added_to_every_chunk_and_costs_no_bandwidth():
    link = Link(up_bits_per_s=8 * MBIT)
    (plain,), (late,) = sent(link, 20_000), sent(Link(up_bits_per_s=8 * MBIT, delay_s=3), 20_000)
    assert [due_s for due_s, _ in late] == [pytest.approx(due_s + 3) for due_s, _ in plain]


def test_jitter_keeps_the_order_of_a_flow():
    link = Link(up_bits_per_s=8 * MBIT, delay_s=1, jitter_s=0.1)
    (plain,), (late,) = sent(Link(up_bits_per_s=8 * MBIT), 100_000), sent(link, 100_000)
    assert [data for _, data in late] == [data for _, data in plain]
    assert [due_s for due_s, _ in late] == sorted(due_s for due_s, _ in late)
    added = [late_s - plain_s for (late_s, _), (plain_s, _) in zip(late, plain, strict=True)]
    assert 1 <= min(added) < max(added) <= 1.1


def test_a_lost_segment_and_all_behind_it_arrive_later():
    (got,) = sent(Link(up_bits_per_s=8 * MBIT, loss=0.02, stall_s=50), 100_000)
    delayed = [due_s > 1 for due_s, _ in got]
    assert delayed == sorted(delayed)  # nothing overtakes
    assert not delayed[0]
    assert delayed[-1]
    assert got[-1][0] <= 50.2  # those that are lost together are sent again together


def test_the_share_that_is_lost():
    pipe = Pipe("up", Link(loss=0.1, stall_s=0.2))
    flow = pipe.open()
    late = 0
    for number in range(2000):  # one segment each, and long before the next
        pipe.offer(float(number), flow, bytes(SEGMENT_BYTES))
        late += flow.due_s > number
        arrivals(flow)
    assert 150 < late < 250


def test_a_short_message_is_a_segment_of_its_own():
    pipe = Pipe("up", Link(loss=1.0, stall_s=0.2))
    flow = pipe.open()
    for now_s in (0.0, 1.0, 2.0):
        pipe.offer(now_s, flow, b"short")
        assert arrivals(flow) == [(now_s + 0.2, b"short")]


def test_the_seed_decides_and_other_flows_do_not():
    link = Link(up_bits_per_s=8 * MBIT, jitter_s=0.1, loss=0.05)
    assert sent(link, 50_000, seed=1) == sent(link, 50_000, seed=1)
    assert sent(link, 50_000, seed=1) != sent(link, 50_000, seed=2)
    free = Link(jitter_s=0.1, loss=0.05)  # nobody waits for anybody
    assert sent(free, 50_000, 50_000)[0] == sent(free, 50_000)[0] != sent(free, 50_000, 50_000)[1]


# --- ends, and how much is held ---------------------------------------------------------------------------------------


def test_the_end_comes_behind_the_bytes():
    pipe = Pipe("up", Link(up_bits_per_s=8 * MBIT, delay_s=1))
    flow = pipe.open()
    pipe.offer(0.0, flow, bytes(10_000))
    pipe.finish(0.0, flow, End.FINISHED)
    pipe.advance(LATER)
    assert flow.take(1.005)[1] is None
    assert flow.due_s < 1.01
    assert flow.take(1.0101)[1] is End.FINISHED


def test_who_is_gone_sends_nothing_more():
    pipe = Pipe("up", Link(up_bits_per_s=8 * MBIT))
    flow = pipe.open()
    pipe.offer(0.0, flow, bytes(MAX_CHUNK_BYTES * 3))
    pipe.finish(0.0, flow, End.RESET)
    pipe.advance(LATER)
    assert flow.take(LATER) == (bytes(MAX_CHUNK_BYTES), End.RESET)  # the chunk was on the wire already


def test_there_is_room_for_what_the_link_holds_and_no_more():
    slow, fast = (Pipe("up", Link(up_bits_per_s=mbit * MBIT, delay_s=0.1)) for mbit in (0.5, 100))
    for pipe, least, most in ((slow, 64 * 1024, 67_000), (fast, 2.4e6, 2.6e6)):
        flow = pipe.open()
        held = 0
        for now_s in range(100_000):
            room = pipe.room(flow)
            if not room:
                break
            pipe.offer(float(now_s), flow, bytes(room))  # and nobody takes anything
            held += room
            pipe.advance(now_s + 0.9)
        assert least * 0.95 <= held <= most


def test_a_slow_wire_has_a_short_queue():
    pipe = Pipe("up", Link(up_bits_per_s=0.5 * MBIT))
    flow = pipe.open()
    assert pipe.room(flow) == 0.5 * MBIT / 8 * 0.02
    pipe.offer(0.0, flow, bytes(1250))
    assert pipe.room(flow) == 0  # rather than a few


# --- nonsense ---------------------------------------------------------------------------------------------------------


def test_what_is_no_link():
    nonsense = {
        "up_bits_per_s": (0, math.nan), "down_bits_per_s": (-1,), "delay_s": (-0.001, math.inf), "jitter_s": (math.nan,),
        "stall_s": (-1,), "loss": (1.1, math.nan),
    }  # fmt: skip
    for name, values in nonsense.items():
        for value in values:
            with pytest.raises(ValueError, match=rf"{name} is {value}; accepted is a"):
                Link(**{name: value})
