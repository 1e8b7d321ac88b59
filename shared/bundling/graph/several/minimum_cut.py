"""The cheapest way to cut a directed network in two, by Dinic's algorithm (1970): a maximum flow saturates it."""

from __future__ import annotations

SOURCE, SINK = 0, 1
NEVER = 1 << 60
"""The capacity of an arc that is never cut."""


class FlowNetwork:
    """Nodes and arcs with whole capacities."""

    def __init__(self) -> None:
        self._ends: list[int] = []
        self._room: list[int] = []
        self._arcs: list[list[int]] = [[], []]

    def node(self) -> int:
        """A new node's number."""
        self._arcs.append([])
        return len(self._arcs) - 1

    def arc(self, start: int, end: int, capacity: int) -> None:
        """A new arc. Its number is even; the next one is its way back, on which flow is undone."""
        self._arcs[start].append(len(self._ends))
        self._arcs[end].append(len(self._ends) + 1)
        self._ends += (end, start)
        self._room += (capacity, 0)

    def before_cut(self) -> list[bool] | None:
        """For each node, whether it lies before the cheapest cut, the last one of several; None if every cut is NEVER."""
        while levels := self._levels():
            if not self._fill(levels):
                return None
        return self._apart_from_sink()

    def _levels(self) -> list[int] | None:
        """Each node's distance from the source over arcs that have room; None if the sink is out of reach."""
        levels = [-1] * len(self._arcs)
        levels[SOURCE] = 0
        reached = [SOURCE]
        for node in reached:
            for arc in self._arcs[node]:
                end = self._ends[arc]
                if self._room[arc] and levels[end] < 0:
                    levels[end] = levels[node] + 1
                    reached.append(end)
        return levels if levels[SINK] > 0 else None

    def _fill(self, levels: list[int]) -> bool:
        """Fill all shortest ways to the sink. False if one of them takes any flow."""
        tried = [0] * len(self._arcs)
        way: list[int] = []
        node = SOURCE
        while True:
            if node == SINK:
                flow = min(self._room[arc] for arc in way)
                if flow >= NEVER:
                    return False
                for arc in way:
                    self._room[arc] -= flow
                    self._room[arc ^ 1] += flow
                full = next(place for place, arc in enumerate(way) if not self._room[arc])
                del way[full:]
                node = self._ends[way[-1]] if way else SOURCE
                continue
            arcs = self._arcs[node]
            while tried[node] < len(arcs):
                arc = arcs[tried[node]]
                if self._room[arc] and levels[self._ends[arc]] == levels[node] + 1:
                    way.append(arc)
                    node = self._ends[arc]
                    break
                tried[node] += 1
            else:
                if not way:
                    return True
                node = self._ends[way.pop() ^ 1]
                tried[node] += 1

    def _apart_from_sink(self) -> list[bool]:
        """The nodes from which nothing more can flow to the sink."""
        apart = [True] * len(self._arcs)
        apart[SINK] = False
        reached = [SINK]
        for node in reached:
            for arc in self._arcs[node]:
                start = self._ends[arc]
                if apart[start] and self._room[arc ^ 1]:
                    apart[start] = False
                    reached.append(start)
        return apart
