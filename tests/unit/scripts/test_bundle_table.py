"""The table of what can be bundled: a row for each network, with its reason for one that cannot."""

from __future__ import annotations

import pytest

from scripts.bundle_table import main

NETWORK = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Conv2d(4, 4, 3, padding=1)
        self.last = torch.nn.Linear(4, 3)

    def forward(self, pictures):
        first = torch.relu(self.first(pictures))
        return self.last((first + torch.relu(self.second(first))).mean((2, 3)))
"""


@pytest.mark.slow
def test_a_network_has_a_row_and_one_that_cannot_be_bundled_its_reason(tmp_path, capsys):
    (tmp_path / "net.py").write_text(NETWORK)
    status = main([f"{tmp_path / 'net.py'}:Net", str(tmp_path / "absent|.onnx")])
    header, line, good, bad = capsys.readouterr().out.splitlines()
    assert status == 1
    names, rule, good, bad = (
        [cell.strip() for cell in row.replace("\\|", "¦").strip("|").split("|")]
        for row in (header, line, good, bad)
    )
    assert len(names) == len(rule) == len(good) == len(bad)
    row = dict(zip(names, good, strict=True))
    assert row["network"] == f"`{tmp_path / 'net.py'}:Net`"
    assert (row["from"], row["parity with"]) == ("a function", "torch")
    assert float(row["relative error"]) < 1e-5
    error, count = row["head then tail"].split(" at ")
    assert float(error) < 1e-5
    assert 1 <= int(count) < int(row["split points"])
    assert int(row["bytes there"].replace(",", "")) % 4 == 0
    assert bad[0] == "`absent¦.onnx`"
    assert bad[2].startswith("not bundled: ")
    assert "absent" in bad[2]
