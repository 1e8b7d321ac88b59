#!/usr/bin/env bash
# av 18.1.0 (libsvtav1 of SVT-AV1 4.1.0): as root, as in most containers, opening an encoder makes the thread that opens it, and every thread of
# the encoder, real-time ones (SCHED_FIFO) of the highest priority, 99. They stay so when the encoder is gone, and what they start inherits it:
# a child that waits in a loop keeps a core from all ordinary processes. x264 and x265 leave the scheduling alone.
# Expected: a library schedules its own threads at most, and says so; its caller's thread stays as it was. Nothing in the options or in the log
# tells of it. In its forerunner that is an option of the user's, -rt: https://github.com/OpenVisualCloud/SVT-HEVC/pull/73
# Matters to: shared/codecs/video/encoding.py, which sets it back. Our test processes became real-time after the first AV1 picture, and a
# `docker compose config` that they started took both cores for minutes.
# Seen 2026-11-30, Python 3.11, x86-64, Linux 6.18, as root (as another user it is skipped):
#   libx264: ordinary before, ordinary open, ordinary closed
#   libx265: ordinary before, ordinary open, ordinary closed
#   libsvtav1: ordinary before, SCHED_FIFO 99 open, SCHED_FIFO 99 closed
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: this is seen as root only"; exit 0; }
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0
SVT_LOG=0 timeout 60 "$folder/venv/bin/python" - <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import fractions
import gc
import os
import sys

import av


def scheduled():
    policy = os.sched_getscheduler(0)
    return f"SCHED_FIFO {os.sched_getparam(0).sched_priority}" if policy == os.SCHED_FIFO else "ordinary"


found = {}
for name in ("libx264", "libx265", "libsvtav1"):
    seen = [scheduled()]
    context = av.CodecContext.create(name, "w")
    context.width = context.height = 64
    context.pix_fmt, context.time_base, context.framerate = "yuv420p", fractions.Fraction(1, 25), fractions.Fraction(25)
    context.options = {"x265-params": "log-level=none"} if name == "libx265" else {}
    context.open()
    seen.append(scheduled())
    del context
    gc.collect()
    seen.append(scheduled())
    found[name] = seen
    print(f"{name}:", ", ".join(f"{how} {when}" for how, when in zip(seen, ("before", "open", "closed"))))
os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
ordinary = ["ordinary"] * 3
real_time = ["ordinary", "SCHED_FIFO 99", "SCHED_FIFO 99"]
sys.exit(found != {"libx264": ordinary, "libx265": ordinary, "libsvtav1": real_time})
PYTHON
