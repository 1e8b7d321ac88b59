#!/usr/bin/env bash
# openvino 2026.4.1: with CACHE_DIR set, `compile_model("network.xml")` goes on answering with the old weights after
# network.bin has been replaced: it looks at the .xml only, and of that at path, size and time of change in seconds.
# Expected: a new compilation, as `compile_model(read_model("network.xml"))` makes with the same cache. The page on
# caching recommends the call with a path as the faster form of that one, with no condition:
# https://docs.openvino.ai/2025/openvino-workflow/running-inference/optimize-inference/optimizing-latency/model-caching-overview.html
# The source is plainer (`ModelCache::calculate_file_info`); no issue thread about the .bin was found.
# It bites whoever trains on: weights change the .bin and not one byte of the .xml. And whoever brings both files with
# fixed times (a reproducible image, `cp -p`, an archive) to a cache in a volume.
# Matters to: shared/engines/choice.py, which names a converted network by the fingerprint of its weights, and
# shared/engines/openvino/engine.py, which compiles from memory and sets no CACHE_DIR.
# Seen 2026-11-28, Python 3.11, x86-64:
#   first weights, by path: 4.0, from the cache: False
#   second weights, by path: 4.0, from the cache: True
#   second weights, read first: 8.0, from the cache: False
#   second weights, .xml touched, by path: 8.0, from the cache: False
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# Without dependencies, which are numpy and a package that reports the use of OpenVINO.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps openvino==2026.4.1 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import os
import sys
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as operations


def save(weight, path):
    """A network that multiplies four ones by a matrix full of `weight`."""
    given = operations.parameter([1, 4], np.float32, name="given")
    constant = operations.constant(np.full((4, 4), weight, np.float32), name="weights")
    product = operations.matmul(given, constant, False, False, name="product")
    ov.save_model(ov.Model([operations.result(product, name="result")], [given], "net"), path, compress_to_fp16=False)


def run(what, *, read=False):
    core = ov.Core()
    network = core.read_model("network.xml") if read else "network.xml"
    compiled = core.compile_model(network, "CPU", {"CACHE_DIR": "cache", "INFERENCE_PRECISION_HINT": "f32"})
    seen = float(compiled(np.ones((1, 4), np.float32))[0][0, 0]), compiled.get_property("LOADED_FROM_CACHE")
    print(f"{what}: {seen[0]}, from the cache: {seen[1]}")
    return seen


save(1.0, "network.xml")
save(2.0, "second.xml")
assert Path("network.xml").read_bytes() == Path("second.xml").read_bytes()
then = Path("network.xml").stat().st_mtime - 100
os.utime("network.xml", (then, then))
seen = [run("first weights, by path")]
os.replace("second.bin", "network.bin")
seen += [run("second weights, by path"), run("second weights, read first", read=True)]
os.utime("network.xml")
seen.append(run("second weights, .xml touched, by path"))
sys.exit(seen != [(4.0, False), (4.0, True), (8.0, False), (8.0, False)])
PYTHON
