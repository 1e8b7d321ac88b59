"""What TLS costs: which run is taken from which, and whose handshakes are counted."""

import pytest

from bench.harness.scrape import parse
from bench.speed import tls
from bench.speed.steps import Costs


def costs_of(*windows):
    """Each window: CPU ms a frame of the edge and of its head, of the cloud and of its tail."""
    costs = Costs()
    for edge, head, cloud, tail in windows:
        costs.total["edge"].append(edge)
        costs.total["cloud"].append(cloud)
        costs.cpu.setdefault(("edge", "head"), []).append(head)
        costs.cpu.setdefault(("cloud", "tail"), []).append(tail)
    return costs


def test_the_difference_is_between_the_runs_of_a_round_and_leaves_out_the_network():
    plain = costs_of((20, 15, 10, 8), (30, 25, 12, 10), (20, 15, 10, 8))
    guarded = costs_of((22, 16.5, 11, 8.8), (29, 23.7, 13, 10.9), (20, 14.7, 10, 7.9))
    rows = {row["CPU ms/frame"]: row for row in tls.rows({tls.PLAIN: plain, tls.GUARDED: guarded})}
    more = f"{tls.GUARDED} − {tls.PLAIN}"
    assert (rows["edge"][more].low, rows["edge"][more].high) == (-1, 2)
    assert rows["both"][more].median == 0
    both = rows["both, without head and tail"]
    assert both[tls.PLAIN].median == pytest.approx(7)
    assert both[more].median == pytest.approx(0.4)
    assert both["target"] == "at most 0.5"
    assert rows["edge"]["target"] is None


def look(handshakes, connections):
    return parse(
        f'# TYPE splitdnn_cloud_handshakes counter\nsplitdnn_cloud_handshakes_total{{result="complete"}} {handshakes}\n'
        f"# TYPE splitdnn_cloud_connections gauge\nsplitdnn_cloud_connections {connections}\n"
    )


def test_the_looks_themselves_are_not_the_edges():
    run = tls.Handshakes(look(7, 1), look(12, 5), look(14, 6))
    assert (run.all, run.in_window, run.connections) == (5, 1, 5)
    said = tls.said([run, run])
    assert "10 connections open at the end of 2 runs, and made 10 handshakes" in said
    assert "2 of those while" in said
