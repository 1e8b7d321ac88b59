#!/usr/bin/env bash
# litserve 0.2.19: SIGTERM, which is how process managers end a service, ends only the process that called `server.run`, at once and with status
# -15. The processes that it has started stay, keep the port and go on answering until somebody ends them. As process 1 of a container it takes them with it, in the middle of what they do.
# Expected: what is under way is answered, the port is given back, and no process is left, as after Ctrl-C, which is handled.
# The docstring of `LitServer.run` says of its life: "Graceful Shutdown: Properly terminates workers when stopped".
# `LitServer.run` catches KeyboardInterrupt; for SIGTERM it installs no handler, so the default one skips the code that ends the others.
# Matters to: bench/load/peers/marked.py, which finds and ends what a server has left behind, and to every comparison of shutdowns.
# Seen 2026-11-29, Python 3.11, x86-64: status -15, processes left True, answers after SIGTERM 200
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check litserve==0.2.19 fastapi==0.165.0 uvicorn==0.54.0
cat > "$folder/serve.py" <<'PYTHON'
import sys

import litserve


class Echo(litserve.LitAPI):
    def setup(self, device):
        pass

    def decode_request(self, request):
        return request["x"]

    def predict(self, x):
        return x

    def encode_response(self, output):
        return {"x": output}


if __name__ == "__main__":
    litserve.LitServer(Echo(), accelerator="cpu").run(
        host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="error"
    )
PYTHON
seen=$("$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request

folder = sys.argv[1]
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]


def ask():
    body = json.dumps({"x": 1}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status


def group(leader):
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[2]) == leader:
            found.append(int(stat.parent.name))
    return found


with open(f"{folder}/log", "wb") as log:
    server = subprocess.Popen([sys.executable, f"{folder}/serve.py", str(port)], stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                ask()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        server.terminate()
        status = server.wait(30)
        time.sleep(3)
        print(f"status {status}, processes left {bool(group(server.pid))}, answers after SIGTERM {ask()}")
    finally:
        for pid in group(server.pid):
            os.kill(pid, signal.SIGKILL)
PYTHON
)
echo "$seen"
[ "$seen" = "status -15, processes left True, answers after SIGTERM 200" ] || { echo "finding no longer holds: $0" >&2; exit 1; }
