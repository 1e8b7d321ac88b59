"""torchvision comes without torch's compiler, which stays as it is for whoever wants it. Each test in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # processes, networks or compilations

ROOT = Path(__file__).resolve().parents[4]


def run(script: str) -> None:
    """Run `script` in a process of its own, whose imports are not those of other tests."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_a_network_is_loaded_cut_and_run_without_the_compiler_which_comes_when_it_is_asked_for(
    tmp_path: Path,
) -> None:
    """Not even half imported: it takes as long to import as everything else together."""
    run(f"""
        import sys
        import torch
        from shared.network.choice import NetworkChoice
        from shared.torch_network.partition import TorchPartition
        from shared.torch_network.source import build
        from shared.torch_network.vision import get_model

        torch.save(get_model("squeezenet1_1").state_dict(), "{tmp_path}/w.pth")
        for weights in ("random", "{tmp_path}/w.pth"):
            partition = TorchPartition(build(NetworkChoice("squeezenet1_1", weights)).module, (3, 64, 64))
            point = partition.default()
            with torch.inference_mode():
                partition.tail(point)(*partition.head(point)(torch.zeros(1, 3, 64, 64)))
        found = [name for name in sys.modules if name.split(".")[:2] == ["torch", "_dynamo"] or name == "sympy"]
        assert found == [], found

        # It comes when it is asked for.
        from shared.torch_network.vision import torchvision

        question = torchvision.ops.roi_align.__globals__["is_compile_supported"]
        assert "torch._dynamo" not in sys.modules
        answers = [question(device) for device in ("cpu", "meta")]
        from torch._dynamo.utils import is_compile_supported

        assert question is not is_compile_supported
        assert answers == [is_compile_supported("cpu"), is_compile_supported("meta")]
        compiled = torch.compile(lambda tensor: tensor + 1, backend="eager")
        assert compiled(torch.zeros(2)).tolist() == [1, 1]
    """)


def test_a_compiler_that_is_there_is_left_alone() -> None:
    run("""
        import torch._dynamo.utils

        before = torch._dynamo.utils
        import shared.torch_network.vision
        import sys

        assert sys.modules["torch._dynamo.utils"] is torch._dynamo.utils is before
        assert shared.torch_network.vision.torchvision.ops.roi_align.__globals__["is_compile_supported"] is before.is_compile_supported
    """)


@pytest.mark.parametrize(
    "more",
    [
        "from torch._dynamo.utils import counters",
        "import torch._dynamo; counters = torch._dynamo.utils.counters",
    ],
)
def test_who_wants_more_while_torchvision_is_imported_gets_the_compiler_itself(more: str) -> None:
    run(f"""
        import sys
        from shared.torch_network.vision import _compiler_on_demand

        with _compiler_on_demand():
            {more}
        import torch._dynamo

        assert sys.modules["torch._dynamo.utils"] is torch._dynamo.utils
        assert counters is torch._dynamo.utils.counters
    """)
