#!/usr/bin/env bash
# openvino 2026.4.1, Linux, x86-64: the CPU plugin of each Core gives the thread that compiles first a stack of its own for signals (sigaltstack), and
# takes the memory back when the Core goes. With two Cores in one thread, of which the first goes first, the thread is left with the first one's stack,
# which is no longer mapped: the second one's end restores what it found. A Core whose last object goes in another thread is not restored either.
# Expected: the thread has the signal stack that it had before, as sigaltstack(2) asks of whoever frees one; or none.
# It bites any Python program with a handler for SIGTERM, which Python installs with SA_ONSTACK: the kernel cannot deliver the signal, and ends the
# process with SIGSEGV in place of calling the handler, without a word, also from faulthandler. Here a run of tests lost a worker so, once in three runs.
# The plugin's page says nothing of signals: https://docs.openvino.ai/2026/openvino-workflow/running-inference/inference-devices-and-modes/cpu-device.html
# Matters to: shared/engines/openvino/runtime.py, which makes one Core for a process and never gives it up. This script sends no signal.
# Seen 2026-11-30, Python 3.11:
#   before: no signal stack
#   two cores: a signal stack, mapped
#   the first is gone: a signal stack, mapped
#   both are gone: a signal stack, not mapped
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# Without dependencies, which are numpy and a package that reports the use of OpenVINO.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps openvino==2026.4.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import ctypes
import gc
import sys

import numpy as np
import openvino as ov
from openvino import opset13 as operations

SS_DISABLE = 2


class Stack(ctypes.Structure):
    _fields_ = [("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


def signal_stack():
    """This thread's, in words."""
    stack = Stack()
    assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack)) == 0
    if stack.flags & SS_DISABLE:
        return "no signal stack"
    with open("/proc/self/maps", encoding="ascii") as maps:
        areas = [[int(end, 16) for end in line.split()[0].split("-")] for line in maps]
    mapped = any(start <= stack.start and stack.start + stack.size <= end for start, end in areas)
    return "a signal stack, " + ("mapped" if mapped else "not mapped")


def compiled():
    given = operations.parameter([1, 4], np.float32)
    return ov.Core().compile_model(ov.Model([operations.relu(given)], [given]), "CPU")


said = {"before": signal_stack()}
first, second = compiled(), compiled()
said["two cores"] = signal_stack()
del first
gc.collect()
said["the first is gone"] = signal_stack()
del second
gc.collect()
said["both are gone"] = signal_stack()
print(*(f"{when}: {what}" for when, what in said.items()), sep="\n")
sys.exit(list(said.values()) != ["no signal stack", *["a signal stack, mapped"] * 2, "a signal stack, not mapped"])
PYTHON
