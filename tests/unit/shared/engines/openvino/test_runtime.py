"""OpenVINO's packages report their use over the network, unless the one that does so is absent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[5]

SCRIPT = """
import sys, threading
calls = []
sys.addaudithook(lambda event, arguments: calls.append((event, arguments)) if event.startswith("socket.") else None)
calls.clear()
from shared.engines.openvino.runtime import core, ov
from shared.engines.openvino.runtime import operations
assert sys.modules["openvino_telemetry"] is None
given = operations.parameter([-1, 3])
model = ov.Model([operations.result(operations.relu(given))], [given], "tiny")
core().compile_model(model, "CPU")
assert sys.modules["openvino_telemetry"] is None
assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]
assert calls == [], calls
assert threading.active_count() == 1, threading.enumerate()
import socket
socket.socket().close()
assert calls
print("silent")
"""


def test_openvino_reports_its_use_to_nobody() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.endswith("silent\n"), done.stderr


WITHOUT_CONVERTER = """
import sys
from shared.engines.openvino.runtime import convert_model, ov
assert not [name for name in sys.modules if name.startswith("openvino.tools.ovc")]
import openvino
assert openvino is ov
from openvino.tools.ovc import convert_model as theirs
assert theirs is not convert_model
print("converts")
"""


def test_the_converter_is_imported_only_where_one_converts() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_CONVERTER],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "converts\n", done.stderr
