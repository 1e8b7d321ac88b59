"""Networks from torch whose code looks at values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.bundling.sources.find import find_source
from shared.errors import ModelError
from shared.network.choice import NetworkChoice

if TYPE_CHECKING:
    from pathlib import Path

_MODULE = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.nn.Conv2d(3, 8, 3)

    def forward(self, pictures):
        values = self.body(pictures)
        if pictures.mean() > {limit}:
            values = values * 3
        return values.mean((2, 3))

def build():
    return Net()
"""


@pytest.mark.slow
def test_only_one_way_for_every_picture_is_a_network(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    for limit, is_refused in ((0.5, True), (-1, False)):
        (tmp_path / "net.py").write_text(_MODULE.format(limit=limit))
        choice = NetworkChoice(f"{tmp_path}/net.py:build", recipe="size=32,mean=0,std=1")
        if is_refused:
            with pytest.raises(ModelError, match="depends on the picture's values"):
                find_source(choice, patience_s=1)
        else:
            assert find_source(choice, patience_s=1).outputs == ("output",)
