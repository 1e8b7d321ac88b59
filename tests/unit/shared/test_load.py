"""What both sides start with; here the table of `--list-split-points`."""

from __future__ import annotations

import pytest
from kits.edge import partition_of, resnet18

from shared.load import describe_split_points


def test_the_table_of_split_points():
    partition = partition_of(resnet18())
    header, *lines = describe_split_points(partition).splitlines()
    assert header.split() == [
        "split",
        "point",
        "shape",
        "elements",
        "float32",
        "B",
        "head",
        "MMACs",
        "tail",
        "MMACs",
    ]
    assert len({len(line) for line in [header, *lines]}) == 1, "columns are aligned"
    assert [line.split()[0] for line in lines] == list(partition.points)
    rows = {line.split()[0]: line.split()[1:] for line in lines}
    assert rows["input"][:3] == ["3x224x224", "150528", "602112"]
    assert rows["input"][3] == rows["output"][4] == "0.0"
    assert rows["layer3"][:3] == ["256x14x14", "50176", "200704"]
    total = float(rows["input"][4])
    assert total == pytest.approx(1814, rel=0.01), "torchvision says 1.81 GMACs for ResNet-18"
    for head, tail in (map(float, row[3:]) for row in rows.values()):
        assert head + tail == pytest.approx(total, abs=0.11)
