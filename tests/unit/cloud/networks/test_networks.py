"""The networks that frames may be for: few, the current one always, and others for as long as they are used."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from kits.numpy_network import ENDS, SHAPES, network_of, write_bundle
from prometheus_client import Gauge

from cloud.access.refusals import UnknownModelError
from cloud.batching.tails import Tails
from cloud.networks.network import LoadedNetwork
from cloud.networks.networks import EARLIER_S, MAX_EARLIER, Networks
from cloud.networks.usage import Usage
from shared.errors import FingerprintError
from shared.network.labels import labels_sha256

if TYPE_CHECKING:
    from pathlib import Path


class Times:
    """In place of a network's tail times."""

    def __init__(self) -> None:
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True


class House:
    """Networks whose clock is set, and makes networks for them."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self._folder = folder
        self._gauge = Gauge("held", "", registry=None)
        self.times: list[Times] = []
        self.networks = Networks(self.make(0), self._make_times, self._gauge)  # type: ignore[arg-type]

    def make(self, number: int, **changes: Any) -> LoadedNetwork:
        bundle = write_bundle(self._folder / str(number), bytes([number] * 8), **changes)
        network = network_of(bundle)
        return LoadedNetwork(
            network, Tails(network.partition, network.engine), "", None, Usage(lambda: self.now)
        )

    def _make_times(self, _network: LoadedNetwork) -> Times:
        self.times.append(Times())
        return self.times[-1]

    def held(self) -> list[int]:
        """Their numbers, the current one last."""
        numbers = [network.model.fingerprint[0] for network in self.networks]
        assert self._gauge._value.get() == len(numbers)
        assert self.networks.current.model.fingerprint[0] == numbers[-1]
        assert self.networks.earlier() == [f"{number:02x}" * 8 for number in reversed(numbers[:-1])]
        return numbers


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_the_new_one_is_current_and_two_earlier_ones_are_held(house: House) -> None:
    assert house.held() == [0]
    dropped = [
        [each.model.fingerprint[0] for each in house.networks.take(house.make(number))]
        for number in (1, 2, 3, 4)
    ]
    assert dropped == [[], [], [0], [1]]
    assert house.held() == [2, 3, 4]
    assert len(house.held()) == 1 + MAX_EARLIER
    assert [each.stopped for each in house.times] == [True, True, False, False, False]


def test_going_back_takes_the_one_that_is_held(house: House) -> None:
    first = house.networks.current
    house.networks.take(house.make(1))
    assert house.networks.with_digest(first.digest) is first
    assert house.networks.take(first) == []
    assert house.held() == [1, 0]
    assert len(house.times) == 2
    assert house.networks.with_digest("0" * 64) is None


def test_another_bundle_of_the_same_fingerprint_takes_its_place(house: House) -> None:
    first = house.networks.current
    again = house.make(0, labels=[f"Klasse {number}" for number in range(1000)])
    assert again.digest != first.digest
    assert house.networks.take(again) == [first]
    assert house.held() == [0]
    assert house.networks.of("frame", bytes(8)) is again


def test_an_earlier_one_goes_when_nothing_came_for_it_for_five_minutes(house: House) -> None:
    house.now = 1000.0
    house.networks.take(house.make(1))
    house.now += EARLIER_S - 1
    assert house.networks.expire() == []  # its time begins with the change, however long it was idle
    house.networks.of("frame", bytes([0] * 8))
    house.now += EARLIER_S - 1
    assert house.networks.expire() == []
    house.now += 1
    (gone,) = house.networks.expire()
    assert gone.model.fingerprint == bytes(8)
    assert house.held() == [1]
    house.now += 10 * EARLIER_S
    assert house.networks.expire() == []  # the current one stays, used or not
    assert house.held() == [1]


def test_asking_which_are_held_is_no_use(house: House) -> None:
    house.networks.take(house.make(1))
    house.now += EARLIER_S
    assert house.networks.held(bytes(8))
    assert len(house.networks.expire()) == 1
    assert house.networks.held(bytes(8)) is None


def test_a_frame_of_any_other_network_is_told_which_ones_run(house: House) -> None:
    house.networks.take(house.make(1))
    with pytest.raises(FingerprintError, match=r"this frame .*this cloud runs residual") as refused:
        house.networks.of("frame", b"stranger")
    assert refused.value.accepted == {
        "fingerprint": "01" * 8,
        "model": "residual",
        "weights": "random:0",
        "also_serves": ["00" * 8],
    }


def test_what_is_dropped_leaves_memory_without_a_collection(house: House) -> None:
    seen = weakref.ref(house.networks.current.engine)
    gc.disable()
    try:
        for number in (1, 2, 3):
            house.networks.take(house.make(number))
        assert seen() is None
    finally:
        gc.enable()


def test_before_it_is_current_the_tails_in_use_are_ready(house: House) -> None:
    cases: list[tuple[list[str], bool, list[str]]] = [
        (["layer3", "layer1"], False, ["input", *ENDS]),
        (["gone.from.it", "output", "layer4"], False, [*SHAPES][:-1]),
        (["layer4", "input"], True, [*SHAPES][:-1]),
        ([], True, ["input", *ENDS]),
        ([], False, []),
    ]
    for number, (names, chained, ready) in enumerate(cases, 1):
        network = house.make(number)
        network.prepare(names, chained=chained)
        found = [name for name in network.partition.points if network.tails.is_ready(name)]
        assert found == [*ready, "output"], names
        assert not network.engine.compiled, names  # type: ignore[attr-defined]
        assert network.tails.chained == (chained or "layer3" in names)


def test_labels_are_hashed_as_a_json_list() -> None:
    assert labels_sha256([]) == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
    assert labels_sha256(["Käse", 'a"b']) == labels_sha256(("Käse", 'a"b'))
    assert len({labels_sha256(labels) for labels in ([], [""], ["a", "b"], ["b", "a"], ["a,b"])}) == 5


def test_a_name_is_the_latest_network_of_it_and_a_version_is_just_that_one(house: House) -> None:
    house.networks.take(house.make(1))
    house.networks.take(house.make(2, name="other"))
    assert house.networks.named("residual").model.fingerprint == bytes([1] * 8)
    assert house.networks.named("residual", "00" * 8).model.fingerprint == bytes(8)
    assert house.networks.versions("residual") == ["01" * 8, "00" * 8]
    assert house.networks.versions("nobody") == []
    for name, version in (("nobody", None), ("other", "00" * 8), ("residual", "1"), ("residual", "")):
        with pytest.raises(UnknownModelError) as refused:
            house.networks.named(name, version)
        assert refused.value.accepted == {
            "models": [{"name": "residual", "version": "01" * 8}, {"name": "other", "version": "02" * 8}]
        }


def test_a_request_by_name_is_a_use(house: House) -> None:
    house.networks.take(house.make(1))
    house.now = 200.0
    house.networks.named("residual", "00" * 8)
    house.now = 400.0
    assert house.networks.expire() == []
