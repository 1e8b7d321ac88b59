"""What `python -m bench autoscale` replays, and with which pods."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.harness.options import ModelOptions, SystemOptions, names, number_between, option, positive
from bench.harness.system import Setup
from bench.load.autoscale.manifest import hpa, keda
from bench.load.autoscale.traces import TRACES

if TYPE_CHECKING:
    from bench.load.autoscale.manifest import Manifest
    from bench.load.autoscale.pod import Service
    from bench.load.autoscale.traces import Trace

_AUTOSCALERS = ("hpa", "keda", "queue", "cores")


@dataclass(frozen=True)
class AutoscaleOptions(ModelOptions):
    """Replays traces of load through the autoscalers of deploy/kubernetes: when they scale, how long queues get, what is not answered.

    The replay gives the same figures each time, in a minute or two. --measure measures beforehand, on this machine, what a pod can do, and how
    far off the replay's queues are.
    """

    command = "autoscale"

    traces: tuple[str, ...] = option(
        tuple(each.name for each in TRACES), "of load; empty: none", quick=("step",), type=names
    )
    autoscalers: tuple[str, ...] = option(
        _AUTOSCALERS, "those of components/hpa and keda, and hpa's by one of its two measures alone",
        quick=("hpa",), type=names,
    )  # fmt: skip
    start: float = option(
        10.0, "seconds from the wish for a pod to its first frame", type=number_between(float, 0, 3600)
    )
    queue: float = option(
        0.0, "frames that may wait, a pod; 0: as the files say", type=number_between(float, 0, 4096)
    )
    cores: float = option(0.0, "that a pod may use; 0: as the files say", type=number_between(float, 0, 1024))
    measure: bool = option(False, "a cloud: its start, its frames/s, and its queue at --shares of them")
    load_s: float = option(
        8.0, "of each load that is measured", quick=1.0, type=number_between(float, 0.5, 60)
    )
    shares: tuple[float, ...] = option((0.3, 0.6, 0.85, 1.2), "of what it can answer")
    threads: int = option(2, "of that cloud", type=positive)
    split_point: str = option("layer3", "of all frames")

    def wrong(self) -> str | None:
        for given, known in (
            (self.traces, tuple(each.name for each in TRACES)),
            (self.autoscalers, _AUTOSCALERS),
        ):
            if unknown := [name for name in given if name not in known]:
                return f"{unknown[0]!r}: accepted are {', '.join(known)}"
        return None

    @property
    def chosen_traces(self) -> list[Trace]:
        return [each for each in TRACES if each.name in self.traces]

    def manifests(self, service: Service) -> list[Manifest]:
        """The autoscalers, for pods of this kind."""
        found, kedas = (
            replace(each, queue=self.queue or each.queue, cores=self.cores or each.cores)
            for each in (hpa(service.cores), keda())
        )
        made = {
            "hpa": found,
            "keda": kedas,
            "queue": replace(found, name="queue", cores=None),
            "cores": replace(found, name="cores", queue=None),
        }
        return [made[name] for name in self.autoscalers]

    @property
    def setup(self) -> Setup:
        """For the process that makes the frames."""
        return Setup(self.weights, SystemOptions().source, threads=1)
