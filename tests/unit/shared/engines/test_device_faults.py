"""What a GPU does and a CPU does not, on a network that behaves as if it ran on one: memory that is full, a device that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from kits.bundles import tiny
from kits.engines import engine_of, error, expected, given_to, warnings
from kits.torch_networks import module

from shared.engines.probe import Probe
from shared.engines.torch_engine import TorchEngine, WholeModule
from shared.errors import EngineError
from shared.network.partition import OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable

FULL, LOST = (
    "CUDA out of memory. Tried to allocate 2 GiB",
    "CUDA error: unspecified launch failure\nmore about it",
)


class Device(torch.nn.Module):
    """The small network; `fault` may raise instead, by the number of rows."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = module()
        self.fault: Callable[[int], None] = lambda _: None
        self.runs: list[int] = []

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        self.runs.append(len(pictures))
        self.fault(len(pictures))
        result: torch.Tensor = self.inner(pictures)
        return result


def on(device: Device, *, reference: bool = True) -> TorchEngine:
    bundle = tiny()
    return TorchEngine(
        WholeModule(device, bundle.partition.ends, (OUTPUT,)),
        probe=Probe(bundle, lambda: engine_of("float32", bundle)),
        reference=(lambda: engine_of("float32", bundle)) if reference else None,
    )


def no_room_above(most: int) -> Callable[[int], None]:
    def fault(rows: int) -> None:
        if rows > most:
            raise torch.OutOfMemoryError(FULL)

    return fault


def lost(_rows: int) -> None:
    raise torch.AcceleratorError(LOST)


def answers(engine: TorchEngine, rows: int) -> float:
    """How wrong they are."""
    start, _ = tiny().partition.ends
    pictures = given_to("tail", start, rows, seed=rows)
    return error(engine.tail(start)((pictures,)), expected("tail", start, pictures))


def test_a_batch_that_does_not_fit_is_run_in_parts_and_so_are_later_ones(
    caplog: pytest.LogCaptureFixture,
) -> None:
    device = Device()
    engine = on(device)
    assert answers(engine, 64) < 1e-5, "all at once, while there is room"
    device.fault = no_room_above(20)
    device.runs.clear()
    assert answers(engine, 64) < 1e-5
    assert device.runs == [64, 32, 16, 16, 16, 16]
    device.runs.clear()
    assert answers(engine, 40) < 1e-5
    assert answers(engine, 3) < 1e-5
    assert device.runs == [16, 16, 8, 3], "nothing is tried in vain"
    assert [line.partition(": the tail")[2] for line in warnings(caplog)] == [
        " at input: no memory for 64 at once; 32 from now on",
        " at input: no memory for 32 at once; 16 from now on",
    ]
    assert engine.failed_checks == 0


@pytest.mark.parametrize("fault", [lost, no_room_above(0)])
def test_when_the_device_fails_the_reference_answers_from_then_on(
    fault: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    device = Device()
    engine = on(device)
    failed = []
    engine.on_failed_check = lambda: failed.append(1)
    assert answers(engine, 2) < 1e-5
    device.fault = fault
    assert answers(engine, 4) < 1e-5
    device.runs.clear()
    device.fault = lambda _: None  # even if it seems to be back: nobody knows what it holds
    assert answers(engine, 4) < 1e-5
    assert device.runs == []
    assert (engine.failed_checks, len(failed)) == (1, 1)
    assert warnings(caplog)[-1].endswith("openvino in float32 runs this half instead")
    assert "more about it" not in caplog.text


def test_without_a_reference_the_error_says_what_failed() -> None:
    device = Device()
    engine = on(device, reference=False)
    assert answers(engine, 2) < 1e-5
    device.fault = lost
    for _ in range(2):
        with pytest.raises(
            EngineError, match=r"the tail at input failed: CUDA error: unspecified launch failure$"
        ):
            answers(engine, 2)


def test_a_network_for_which_there_is_no_memory_is_an_error_at_the_start() -> None:
    device = Device()
    device.fault = no_room_above(0)
    with pytest.raises(EngineError, match=r"torch in float32 on cpu cannot run .*: CUDA out of memory"):
        on(device).require("tail", tiny().partition.ends[0])

    class Heavy(Device):
        def __deepcopy__(self, _memo: object) -> torch.nn.Module:
            raise torch.OutOfMemoryError(FULL)

    bundle = tiny()
    whole = WholeModule(Heavy(), bundle.partition.ends, (OUTPUT,))
    with pytest.raises(EngineError, match=r"torch in float16 on cpu cannot run .*: CUDA out of memory"):
        TorchEngine(whole, precision="float16").require("tail", bundle.partition.ends[0])
